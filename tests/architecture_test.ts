/**
 * The rules that hold the project in shape, checked on its source text: runtime imports only point down, no runtime's name outside
 * lib/platform, files that begin with what they are for and can be read in one go, one row per command.
 *
 * Types may be imported from anywhere: they are gone at run time and make no cycle.
 */

import { assertEquals } from "@std/assert";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { loadCommands } from "./kit/rows.ts";
import { root } from "./kit/runtimes.ts";
import { test } from "./kit/test.ts";

/** Folders of lib from the bottom up; those in one line do not import each other. */
const layers: readonly (readonly string[])[] = [
  ["bytes", "platform"],
  ["resp", "store"],
  ["engine"],
  ["persist", "replicate", "pubsub", "config", "observe"],
  ["commands"],
  ["server"],
];
const LONGEST_FILE = 800;

interface Source {
  /** Relative to the checkout. */
  readonly path: string;
  readonly text: string;
}

const sources: readonly Source[] = ["lib", "tests", "mod.ts", "server.ts"].flatMap(read);
const library = sources.filter((source) => source.path.startsWith("lib/"));

function read(path: string): Source[] {
  const full = join(root, path);
  const info = statSync(full, { throwIfNoEntry: false });
  if (info?.isDirectory()) return readdirSync(full).sort().flatMap((entry) => read(join(path, entry)));
  return info !== undefined && path.endsWith(".ts") ? [{ path, text: readFileSync(full, "utf8") }] : [];
}

/** The modules a file loads at run time, dynamically or not, as written. */
function runtimeImports(text: string): string[] {
  const code = withoutComments(text);
  const found = [];
  for (const [, clause, from] of code.matchAll(/^\s*(?:import|export)\b([^;'"]*?)\bfrom\s*["']([^"']+)["']/gm)) {
    if (!isTypeOnly(clause)) found.push(from);
  }
  for (const [, from] of code.matchAll(/^\s*import\s*["']([^"']+)["']/gm)) found.push(from);
  for (const [, from] of code.matchAll(/\bimport\(\s*["']([^"']+)["']\s*\)/g)) found.push(from);
  return found;
}

/** `import type …`, or braces in which every name is marked `type`. */
function isTypeOnly(clause: string): boolean {
  if (/^\s*type\b/.test(clause)) return true;
  const names = /^\s*\{([^}]*)\}\s*$/.exec(clause)?.[1].split(",").map((name) => name.trim()).filter((name) =>
    name !== ""
  );
  return names !== undefined && names.length > 0 && names.every((name) => name.startsWith("type "));
}

/** Comments become blanks; strings stay. */
function withoutComments(text: string): string {
  return text.replace(literals, (found) => /^\/[/*]/.test(found) ? " " : found);
}

/** Comments, strings, templates and regular expressions become blanks: what is left is code. */
function codeOnly(text: string): string {
  return text.replace(
    literals,
    (found) => found.startsWith("`") ? [...found.matchAll(/\$\{([^}]*)\}/g)].join(" ") : " ",
  );
}

/** A slash begins a regular expression where a value is expected. */
const literals =
  /\/\/[^\n]*|\/\*[^]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[^])*`|(?<=[(,=:[!&|?{};\n]\s*|return )\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\//g;

function layerOf(folder: string): number {
  return layers.findIndex((names) => names.includes(folder));
}

/** "lib/store/types/list.ts" → "store" */
function folderOf(path: string): string {
  return path.split("/")[1];
}

test("architecture: runtime imports in lib only point down", () => {
  const wrong = [];
  for (const { path, text } of library) {
    const folder = folderOf(path);
    if (layerOf(folder) === -1) wrong.push(`${path}: ${folder} has no layer`);
    for (const target of runtimeImports(text)) {
      if (!target.startsWith(".")) continue;
      const to = normalize(join(dirname(path), target));
      if (!to.startsWith("lib/")) wrong.push(`${path} imports ${to}, which is outside of lib`);
      else if (folderOf(to) !== folder && layerOf(folderOf(to)) >= layerOf(folder)) wrong.push(`${path} imports ${to}`);
    }
  }
  assertEquals(wrong, []);
});

test("architecture: only the platform's own choice knows its implementations, and only the top asks for it", () => {
  const wrong = [];
  for (const { path, text } of library) {
    if (folderOf(path) === "platform") continue;
    for (const target of runtimeImports(text)) {
      const to = normalize(join(dirname(path), target));
      const allowed = to === "lib/platform/choose.ts" && folderOf(path) === "server";
      if (/^lib\/platform\/(deno|bun|node|memory\w*|choose)\.ts$/.test(to) && !allowed) {
        wrong.push(`${path} imports ${to}`);
      }
    }
  }
  assertEquals(wrong, []);
});

test("architecture: no runtime's name, clock or chance outside lib/platform", () => {
  const wrong = [];
  for (const { path, text } of library) {
    if (folderOf(path) === "platform") continue;
    wrong.push(...bannedNames(text).map((name) => `${path}: ${name}`));
    for (const target of runtimeImports(text)) {
      if (/^(node|bun):/.test(target)) wrong.push(`${path} imports ${target}`);
    }
  }
  assertEquals(wrong, []);
});

function bannedNames(text: string): string[] {
  const banned =
    /(?<![.\w$])(?:Deno|Bun|Date\.now|Math\.random|set(?:Timeout|Interval|Immediate)|queueMicrotask|(?:process|crypto|performance)(?=\??\.))(?![\w$:])|\bnew Date\(\)/g;
  const own = declaredNames(text);
  return [...codeOnly(text).matchAll(banned)].map(([name]) => name).filter((name) => !own.has(name));
}

/** Names like `process` that a file gives to something of its own (a parameter, a constant, a property taken apart). */
function declaredNames(text: string): Set<string> {
  const names = ["process", "crypto", "performance"];
  return new Set(
    names.filter((name) => new RegExp(`\\b(?:const|let) (?:\\{[^}]*\\b)?${name}\\b|[(,{] *${name}\\??:`).test(text)),
  );
}

test("architecture: every file begins with a doc comment and can be read in one go", () => {
  const wrong = [];
  for (const { path, text } of sources) {
    if (!text.startsWith("/**")) wrong.push(`${path} does not begin with a doc comment`);
    const lines = text.split("\n").length - 1;
    if (lines > LONGEST_FILE) wrong.push(`${path} has ${lines} lines`);
  }
  assertEquals(wrong, []);
});

test("architecture: whatever lib exports has a user that is no test", () => {
  const uses = new Map<string, number>();
  for (const { path, text } of sources) {
    if (path.startsWith("tests/")) continue;
    for (const [name] of codeOnly(text).matchAll(/[A-Za-z_$][\w$]*/g)) uses.set(name, (uses.get(name) ?? 0) + 1);
  }
  const unused = [];
  for (const { path, text } of library) {
    // The simulated platform is the tests'.
    if (/^lib\/platform\/memory\w*\.ts$/.test(path)) continue;
    for (
      const [, name] of codeOnly(text).matchAll(
        /^\s*export (?:async )?(?:function\*?|const|let|class|interface|type) (\w+)/gm,
      )
    ) {
      if (uses.get(name) === 1) unused.push(`${path}: ${name}`);
    }
  }
  assertEquals(unused, []);
});

test("architecture: nothing is left for later, and nothing is called a grab-bag", () => {
  const wrong = [];
  const later = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME"].join("|")})\\b`);
  for (const { path, text } of sources) {
    if (later.test(text)) wrong.push(`${path}: ${later.exec(text)?.[0]}`);
    if (path.split("/").some((part) => /^(utils?|helpers?|common|misc)(\.ts|_test\.ts)?$/.test(part))) wrong.push(path);
  }
  assertEquals(wrong, []);
});

test("architecture: each command has one row, and the server has every family", async () => {
  const commands = await loadCommands();
  const names = commands.map((command) => command.name);
  assertEquals(names.filter((name, i) => names.indexOf(name) !== i), []);
  const { families } = await import("../lib/commands/all.ts");
  const served = new Set(families.map((command) => command.name));
  assertEquals(names.filter((name) => !served.has(name)), []);
});

test("architecture: the rules see what they forbid", () => {
  const text = `/** Deno.x */ import { a } from "./a.ts"; // import "./no.ts"
import type { B } from "./b.ts";
import { type C, type D } from "./c.ts";
export * from "./e.ts";
import "./f.ts";
const g = await import("./g.ts"), s = "Bun.serve()", r = /"'Deno.x/, t = \`Bun \${Deno.pid}\`;`;
  assertEquals(runtimeImports(text), ["./a.ts", "./e.ts", "./f.ts", "./g.ts"]);
  assertEquals([...codeOnly(text).matchAll(/\b(Deno|Bun)\b/g)].map((match) => match[1]), ["Deno", "Deno"]);
  assertEquals(
    bannedNames(
      `Date.now; x.Date.now(); setTimeout(f, 1); this.process.run(); process.exit(); new Date(); new Date(5)`,
    ),
    [
      "Date.now",
      "setTimeout",
      "process",
      "new Date()",
    ],
  );
  assertEquals(bannedNames(`const { process } = platform; process.run(); f({ setTimeout: 1 })`), []);
});
