/** A `Config` over the machine's files, with a current directory of its own, for the tests of this folder. */
import { assertEquals } from "@std/assert";
import { Config, type Directory } from "../../lib/config/config.ts";
import { createNodeParts } from "../../lib/platform/node.ts";
import { fromLatin1 } from "../../lib/bytes/ascii.ts";
import { platformError } from "../../lib/platform/errors.ts";

export const { files } = createNodeParts();

/** A directory that exists only in this object; changing it still requires that the target exists. */
function directoryAt(path: string): Directory {
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

export function configAt(path: string): Config {
  return new Config(files, directoryAt(path));
}

export const CONTEXT = { loading: false, local: true };

/** The whole error reply that a server sends for the outcome of `set`. */
export function setReply(config: Config, pairs: readonly string[]): string {
  const result = config.set(pairs, CONTEXT);
  if (result.kind === "ok") return "OK";
  return result.kind === "loading" ? "LOADING" : `ERR ${result.text}`;
}

/** Gives the configuration these lines, as on standard input. */
export function loadText(config: Config, text: string): void {
  assertEquals(config.load(["-"], () => fromLatin1(text)), { kind: "start" });
}
