/** A `Config` over the machine's files, with a current directory of its own, for the tests of this folder. */
import { Config, type Directory, type Log } from "../../lib/config/config.ts";
import { createNodeParts } from "../../lib/platform/node.ts";
import { platformError } from "../../lib/platform/errors.ts";

export const { files } = createNodeParts();

/** A directory that exists only in this object; changing it still requires that the target exists. */
export function directoryAt(path: string): Directory {
  let current = path;
  return {
    currentDirectory: () => current,
    changeDirectory(to) {
      const target = to.startsWith("/") ? to : `${current}/${to}`;
      const info = to === "" ? null : files.stat(target);
      if (info === null) throw platformError("ENOENT");
      if (!info.isDirectory) throw platformError("ENOTDIR");
      current = target;
    },
  };
}

export function configAt(path: string, log?: Log): Config {
  return new Config(files, directoryAt(path), log);
}

export const CONTEXT = { loading: false, local: true };

/** The whole error reply that a server sends for the outcome of `set`. */
export function setReply(config: Config, pairs: readonly string[]): string {
  const result = config.set(pairs, CONTEXT);
  if (result.kind === "ok") return "OK";
  return result.kind === "loading" ? "LOADING" : `ERR ${result.text}`;
}

export function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

export function toBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
