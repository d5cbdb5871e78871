/**
 * The configuration of one server: its values, where they come from (defaults, redis.conf, command line, CONFIG SET) and
 * where they go (CONFIG GET, CONFIG REWRITE, hooks of the services that must act on a change).
 *
 * Everything here deals in byte strings (one character per byte) and knows no clients or replies. Reading a value on a hot
 * path is `config.values.someField`; everything else is rare and written for clarity.
 */
import { fromLatin1, latin1 } from "../bytes/ascii.ts";
import { globMatch } from "../bytes/glob.ts";
import { fromHost, hostPath } from "../bytes/path.ts";
import type { Files } from "../platform/platform.ts";
import { type Directory, errorText } from "./host.ts";
import {
  DEBUG,
  DENY_LOADING,
  HIDDEN,
  IMMUTABLE,
  type Parameter,
  PROTECTED,
  SENSITIVE,
  type State,
  wordsOf,
} from "./kinds.ts";
import { clampHz, ConfigFileError, type Directives, Loader, parseCommandLine } from "./load.ts";
import { PARAMETERS } from "./parameters.ts";
import { rewriteText } from "./rewrite.ts";
import { beforeNul, lowerCase, trim } from "./syntax.ts";
import { ConfigValues } from "./values.ts";

export { ConfigFileError, type Directive, type Directives, type Line } from "./load.ts";
export type { Directory } from "./host.ts";
export * from "./values.ts";

/** What the command line asks the program to do. */
export type LoadResult =
  /** Start the server; the values are loaded. */
  | { readonly kind: "start" }
  | { readonly kind: "version" }
  | { readonly kind: "help" }
  /** `--test-memory <megabytes>`; null when the size is missing. */
  | { readonly kind: "test-memory"; readonly megabytes: string | null }
  /** Print `error.text` on standard error (or log it, when `error.log`) and exit with status 1. */
  | { readonly kind: "error"; readonly error: ConfigFileError };

export type SetResult =
  | { readonly kind: "ok" }
  /** Refused while the data set is loading: the client gets the usual LOADING error. */
  | { readonly kind: "loading" }
  /** The text of the error without its code (`ERR`). */
  | { readonly kind: "error"; readonly text: string };

export interface SetContext {
  /** The data set is being loaded. */
  readonly loading: boolean;
  /** The client is connected through loopback or a unix socket (for `enable-protected-configs local`). */
  readonly local: boolean;
}

const NO_BYTES = new Uint8Array(0);
/** Bytes; CONFIG SET raises a smaller replication backlog to this. */
const MIN_BACKLOG = 16384;

/** Makes changed values take effect; returns an error text to have CONFIG SET undone. */
export type Apply = (values: Readonly<ConfigValues>) => string | null;
export type Log = (level: "debug" | "warning", message: string) => void;

/** A name that can be used for a parameter; two names of one parameter are two entries, as they are in Redis. */
interface Entry {
  readonly name: string;
  readonly parameter: Parameter;
}

function byName(): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const parameter of PARAMETERS) {
    entries.set(parameter.name, { name: parameter.name, parameter });
    if (parameter.alias !== null) entries.set(parameter.alias, { name: parameter.alias, parameter });
  }
  return entries;
}
const ENTRIES: ReadonlyMap<string, Entry> = byName();

function entryOf(name: string): Entry | null {
  return ENTRIES.get(lowerCase(name)) ?? null;
}

function lookup(name: string): Parameter | null {
  return entryOf(name)?.parameter ?? null;
}

export class Config {
  /** Current values. Only this class changes them. */
  readonly values: Readonly<ConfigValues>;
  /** Absolute path of the configuration file (a byte string), or null: then CONFIG REWRITE is refused. */
  file: string | null = null;
  /** Directives of the file and command line that other services obey. */
  readonly directives: Directives;

  /** Takes what is to be logged: whoever has a log sets it. */
  log: Log = () => {};

  private readonly state: State;
  private readonly loader: Loader;
  private readonly hooks = new Map<Parameter, Apply[]>();

  /** `directory` is where relative paths start and what `dir` changes: the process, or an embedder's own. */
  constructor(private readonly files: Files, private readonly directory: Directory) {
    const values = new ConfigValues();
    this.values = values;
    this.state = { values, exact: new Map(), directory, readingFile: false, saveSeen: false };
    this.loader = new Loader(this.state, lookup, files);
    this.directives = this.loader.directives;
    this.onApply(["hz"], () => {
      clampHz(this.state);
      return null;
    });
    this.onApply(["repl-backlog-size"], () => {
      values.replBacklogSize = Math.max(MIN_BACKLOG, values.replBacklogSize);
      return null;
    });
  }

  /**
   * Obeys a command line as redis-server does. `args` are the host's texts after the program's name; `stdin` is called
   * only when the configuration is to be read from there.
   */
  load(args: readonly string[], stdin: () => Uint8Array): LoadResult {
    const given = args.map(fromHost);
    if (given.length === 0) return { kind: "start" };
    if (given[0] === "-v" || given[0] === "--version") return { kind: "version" };
    if (given[0] === "-h" || given[0] === "--help") return { kind: "help" };
    if (given[0] === "--test-memory") {
      return { kind: "test-memory", megabytes: given.length === 2 ? given[1] : null };
    }
    if (given[0] === "--check-system") {
      return refuse("--check-system is not supported: it tests redis-server's kernel.");
    }
    if (given.includes("--sentinel")) {
      return refuse("Sentinel mode is not supported: run redis-sentinel to watch this server.");
    }
    const { file, fromStdin, options } = parseCommandLine(given);
    try {
      let text = "";
      if (file !== null) {
        this.file = this.absolutePath(file);
        text += this.loader.readFile(this.file);
      }
      if (fromStdin) {
        this.log("warning", "Reading config from stdin");
        const bytes = stdin();
        text += latin1(bytes, 0, bytes.length);
      }
      this.loader.read(text + "\n" + options);
    } catch (error) {
      if (error instanceof ConfigFileError) return { kind: "error", error };
      throw error;
    }
    const { daemonize, supervised } = this.values;
    if (daemonize && supervised !== "systemd" && supervised !== "upstart") {
      return refuse(
        "daemonize yes is not supported: start the server in the background with a service manager or '&'.",
      );
    }
    return { kind: "start" };
  }

  /**
   * CONFIG GET: name and value of every parameter that one of the patterns names. A name without `*?[` is shown as it was
   * written; each name appears once, and both names of a renamed parameter count.
   */
  get(patterns: readonly string[]): [name: string, value: string][] {
    const found = new Map<string, [string, string]>();
    for (const pattern of patterns) {
      if (!/[*?[]/.test(pattern)) {
        const entry = entryOf(pattern);
        if (entry !== null && !found.has(entry.name)) found.set(entry.name, [pattern, this.show(entry)]);
        continue;
      }
      const wanted = fromLatin1(pattern);
      for (const entry of ENTRIES.values()) {
        if (entry.parameter.flags & HIDDEN || found.has(entry.name)) continue;
        const name = fromLatin1(entry.name);
        if (globMatch(wanted, 0, wanted.length, name, 0, name.length, true)) {
          found.set(entry.name, [entry.name, this.show(entry)]);
        }
      }
    }
    return [...found.values()];
  }

  /**
   * CONFIG SET with names and values in turn: all of them are set and applied, or none. On an error everything is set back
   * and applied again.
   */
  set(pairs: readonly string[], context: SetContext): SetResult {
    if (pairs.length % 2 !== 0) return { kind: "error", text: "syntax error" };
    const entries: Entry[] = [];
    for (let i = 0; i < pairs.length; i += 2) {
      const entry = entryOf(pairs[i]);
      const refusal = this.refusal(pairs[i], entry, entries, context);
      if (refusal !== null) return refusal;
      if (entry !== null) entries.push(entry);
    }

    const old = entries.map((entry) => this.show(entry));
    const pending = new Map<Apply, Entry>();
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i];
      const outcome = entry.parameter.set(this.state, wordsOf(entry.parameter, pairs[2 * i + 1]));
      if (typeof outcome === "string") {
        this.restore(entries.slice(0, i + 1), old);
        return failed(entry.name, outcome);
      }
      if (!outcome) continue;
      for (const apply of this.hooks.get(entry.parameter) ?? []) {
        if (!pending.has(apply)) pending.set(apply, entry);
      }
    }
    for (const [apply, { name }] of pending) {
      const problem = apply(this.values);
      if (problem === null) continue;
      this.log(
        "warning",
        `Failed applying new configuration. Possibly related to new ${name} setting. Restoring previous settings.`,
      );
      this.restore(entries, old);
      for (const again of pending.keys()) {
        const trouble = again(this.values);
        if (trouble !== null) {
          this.log("warning", `Failed applying restored failed CONFIG SET command: ${trouble}`);
        }
      }
      return failed(name, problem);
    }
    return { kind: "ok" };
  }

  /**
   * Registers what must happen when CONFIG SET changes any of the named parameters. It runs once per CONFIG SET, after all
   * values have been set, in the order of the first changed name; several hooks of a parameter run as registered.
   */
  onApply(names: readonly string[], apply: Apply): void {
    for (const name of names) {
      const parameter = lookup(name);
      if (parameter === null) throw new Error(`no such parameter: ${name}`);
      const hooks = this.hooks.get(parameter);
      if (hooks === undefined) this.hooks.set(parameter, [apply]);
      else hooks.push(apply);
    }
  }

  /**
   * Sets one parameter on the server's own account, immutable or not and without running hooks: REPLICAOF, a lowered
   * `maxclients`, the port that an embedder's port 0 became. Returns an error text or null.
   */
  assume(name: string, value: string): string | null {
    const parameter = lookup(name);
    if (parameter === null) throw new Error(`no such parameter: ${name}`);
    const outcome = parameter.set(this.state, wordsOf(parameter, value));
    return typeof outcome === "string" ? outcome : null;
  }

  /** Parameters that matter for crash reports, a line each. */
  debugText(): string {
    let lines = "";
    for (const entry of ENTRIES.values()) {
      if (entry.parameter.flags & DEBUG && entry.name === entry.parameter.name) {
        lines += `${entry.name} ${this.show(entry)}\n`;
      }
    }
    return lines;
  }

  /** Whether the value after this name in CONFIG SET must be kept out of logs. */
  isSensitive(name: string): boolean {
    const parameter = lookup(name);
    return parameter !== null && (parameter.flags & SENSITIVE) !== 0;
  }

  /**
   * CONFIG REWRITE: replaces the configuration file at once and durably. `all` writes what is at its default too. Returns an error
   * text or null.
   */
  rewrite(all = false): string | null {
    if (this.file === null) return "The server is running without a config file";
    const path = hostPath(this.file);
    try {
      const old = this.files.stat(path) === null ? NO_BYTES : this.files.read(path);
      const content = rewriteText(latin1(old, 0, old.length), PARAMETERS, lookup, this.state, all);
      this.replaceFile(path, fromLatin1(content));
    } catch (error) {
      const text = errorText(error);
      this.log("warning", `CONFIG REWRITE failed: ${text}`);
      return `Rewriting config file: ${text}`;
    }
    this.log("warning", "CONFIG REWRITE executed with success.");
    return null;
  }

  /** Parameters that were given a value of their own but cannot do anything here, with the reason. */
  get withoutEffect(): { readonly name: string; readonly reason: string }[] {
    const defaults: State = { ...this.state, values: new ConfigValues(), exact: new Map() };
    return PARAMETERS.flatMap(({ name, withoutEffect, get }) =>
      withoutEffect === null || get(this.state) === get(defaults) ? [] : [{ name, reason: withoutEffect }]
    );
  }

  private show(entry: Entry): string {
    return entry.parameter.get(this.state);
  }

  private refusal(
    given: string,
    entry: Entry | null,
    before: readonly Entry[],
    context: SetContext,
  ): SetResult | null {
    if (entry === null) {
      const text = `Unknown option or number of arguments for CONFIG SET - '${beforeNul(given)}'`;
      return { kind: "error", text };
    }
    const flags = entry.parameter.flags;
    if (flags & IMMUTABLE) return failed(given, "can't set immutable config");
    const allowed = this.values.enableProtectedConfigs;
    if (flags & PROTECTED && !(allowed === "yes" || (allowed === "local" && context.local))) {
      return failed(given, "can't set protected config");
    }
    if (context.loading && flags & DENY_LOADING) return { kind: "loading" };
    return before.includes(entry) ? failed(given, "duplicate parameter") : null;
  }

  private restore(entries: readonly Entry[], old: readonly string[]): void {
    entries.forEach(({ name, parameter }, i) => {
      const outcome = parameter.set(this.state, wordsOf(parameter, old[i]));
      if (typeof outcome !== "string") return;
      this.log(
        "warning",
        `Failed restoring failed CONFIG SET command. Error setting ${name} to '${old[i]}': ${outcome}`,
      );
    });
  }

  /** A relative path from the current directory; `../` at its beginning is resolved, the rest stays as written. */
  private absolutePath(given: string): string {
    let rest = trim(given, " \r\n\t");
    if (rest.startsWith("/")) return rest;
    let base = fromHost(this.directory.currentDirectory());
    if (!base.endsWith("/")) base += "/";
    while (rest.startsWith("../")) {
      rest = rest.slice(3);
      if (base.length > 1) base = base.slice(0, base.lastIndexOf("/", base.length - 2) + 1);
    }
    return base + rest;
  }

  /** Writes a new file beside the old one and renames it over, so that a crash leaves one of the two whole. */
  private replaceFile(path: string, content: Uint8Array): void {
    const temporary = path + ".rewrite";
    const file = this.files.open(temporary, "w", 0o644);
    try {
      try {
        file.write(content);
        file.sync();
      } finally {
        file.close();
      }
      this.files.rename(temporary, path);
    } catch (error) {
      this.files.remove(temporary);
      throw error;
    }
    this.files.syncDirectory(path.slice(0, path.lastIndexOf("/") + 1));
  }
}

function failed(name: string, problem: string): SetResult {
  return { kind: "error", text: `CONFIG SET failed (possibly related to argument '${beforeNul(name)}') - ${problem}` };
}

function refuse(message: string): LoadResult {
  return { kind: "error", error: ConfigFileError.at(null, message) };
}
