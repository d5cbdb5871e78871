/**
 * Where the two runtimes' executables are. Only Node has to be on the machine: `npx -y deno` brings Deno, and Bun comes as
 * the development dependency `bun`, whose real binary sits in one of the `@oven/bun-<platform>` packages (its own `bin` is
 * put in place by a postinstall script, which Deno does not run). Among several (baseline, musl) the first that starts is taken.
 */

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export type RuntimeName = "deno" | "bun";

/** The checkout's top folder. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The runtime this code runs on. */
export const currentRuntime: RuntimeName = "Bun" in globalThis ? "bun" : "deno";

const found = new Map<RuntimeName, string | null>();

/** The path of a runtime's executable, or null if there is none on this machine. */
export function runtimePath(name: RuntimeName): string | null {
  let path = found.get(name);
  if (path === undefined) {
    path = name === currentRuntime ? process.execPath : candidates(name).find(starts) ?? null;
    found.set(name, path);
  }
  return path;
}

function candidates(name: RuntimeName): string[] {
  const modules = join(root, "node_modules");
  // Packages are found in Deno's layout (.deno/<package>@<version>/node_modules/<package>) and in npm's and Bun's flat one.
  const scopes = [
    ...folder(join(modules, ".deno")).map((entry) => join(modules, ".deno", entry, "node_modules")),
    modules,
  ];
  const paths = [];
  const [scope, prefix] = name === "bun" ? ["@oven", "bun-"] : ["@deno", ""];
  for (const place of scopes) {
    for (const entry of folder(join(place, scope)).filter((entry) => entry.startsWith(prefix)).sort()) {
      for (const file of [join("bin", name), name, join("bin", `${name}.exe`), `${name}.exe`]) {
        const path = join(place, scope, entry, file);
        if (existsSync(path)) paths.push(path);
      }
    }
  }
  for (const place of (process.env.PATH ?? "").split(":")) {
    if (place !== "" && existsSync(join(place, name))) paths.push(join(place, name));
  }
  return paths;
}

function folder(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}

/** A binary for another C library or processor exists but does not start. */
function starts(path: string): boolean {
  return spawnSync(path, ["--version"], { stdio: "ignore" }).status === 0;
}
