/**
 * Reading redis.conf and the command line. As in redis-server, the file, standard input and the options of the command
 * line become one text, read line by line, so that the last setting of a parameter wins and errors name a line and its
 * text the same way wherever it came from.
 *
 * Directives that are no parameters and belong to other services (`user`, `rename-command`) are collected with their
 * line; a service that refuses one reports it with `ConfigFileError.at`.
 */
import { fromLatin1, latin1 } from "../bytes/ascii.ts";
import { quote, splitWords } from "../bytes/words.ts";
import { fromHost, hostPath } from "../bytes/path.ts";
import { globMatch } from "../bytes/glob.ts";
import type { Files } from "../platform/platform.ts";
import { errorText } from "./host.ts";
import { MULTI_ARG, type Parameter, type State } from "./kinds.ts";
import { lowerCase, trim } from "./syntax.ts";

/** A line of the configuration, for error texts. */
export interface Line {
  /** From 1, within the file that contains it. */
  readonly number: number;
  /** Without blanks around it. */
  readonly text: string;
}

/** A directive that is not a parameter; `words[0]` is its name in lower case. */
export interface Directive {
  readonly words: readonly string[];
  readonly line: Line;
}

/** What the configuration says to other services. */
export interface Directives {
  /** `user <name> <rule>…` */
  readonly users: Directive[];
  /** `rename-command <name> <new name>`; the new name "" removes the command. */
  readonly renames: Directive[];
}

/**
 * Why the server cannot start. `text` (a byte string, like all values) is to be printed as it is on standard error, or, when `log` is set, to be written
 * to the log with level "warning"; the exit status is 1 in both cases.
 */
export class ConfigFileError extends Error {
  override readonly name = "ConfigFileError";

  constructor(readonly text: string, readonly log: boolean) {
    super(text.trim());
  }

  /** The error in redis-server's form; without a line for what only shows after all lines were read. */
  static at(line: Line | null, message: string): ConfigFileError {
    const where = line === null ? "" : `Reading the configuration file, at line ${line.number}\n>>> '${line.text}'\n`;
    return new ConfigFileError(`\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\n${where}${message}\n`, false);
  }
}

/** Accepted and ignored, with exactly one value: older files have them. */
const FORMER_PARAMETERS = ["list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"];
const MAX_INCLUDE_DEPTH = 64;

export class Loader {
  readonly directives: Directives = { users: [], renames: [] };

  constructor(
    private readonly state: State,
    private readonly lookup: (name: string) => Parameter | null,
    private readonly files: Files,
  ) {}

  /**
   * Applies every line of `config`; throws a `ConfigFileError` at the first bad one, with what came before it applied.
   * `depth` counts nested includes.
   */
  read(config: string, depth = 0): void {
    this.state.readingFile = true;
    const lines = config.split("\n");
    for (let i = 0; i < lines.length; i++) {
      const line: Line = { number: i + 1, text: trim(lines[i], " \t\r\n") };
      if (line.text === "" || line.text.startsWith("#")) continue;
      const words = splitWords(line.text);
      if (words === null) throw ConfigFileError.at(line, "Unbalanced quotes in configuration line");
      if (words.length === 0) continue;
      words[0] = lowerCase(words[0]);
      const parameter = this.lookup(words[0]);
      const message = parameter === null ? this.direct(words, line, depth) : this.assign(parameter, words.slice(1));
      if (message !== null) throw ConfigFileError.at(line, message);
    }
    this.check();
    this.state.readingFile = false;
  }

  /** The text of a file, or of all files that match when the path is a pattern. */
  readFile(path: string): string {
    if (!/[*?[]/.test(path)) return this.readOne(path);
    return expand(this.files, path).map((name) => this.readOne(name)).join("");
  }

  private readOne(path: string): string {
    try {
      if (this.files.stat(hostPath(path))?.isDirectory) return "";
      const bytes = this.files.read(hostPath(path));
      return latin1(bytes, 0, bytes.length);
    } catch (error) {
      throw new ConfigFileError(`Fatal error, can't open config file '${path}': ${errorText(error)}`, true);
    }
  }

  private assign(parameter: Parameter, values: readonly string[]): string | null {
    const several = (parameter.flags & MULTI_ARG) !== 0;
    if (!several && values.length !== 1) return "wrong number of arguments";
    // `--save "900 1"` gives one word; an empty one has to stay, it clears the list.
    const words = several && values.length === 1 && values[0] !== "" ? splitWords(values[0]) ?? [] : values;
    const outcome = parameter.set(this.state, words);
    return typeof outcome === "string" ? outcome : null;
  }

  /** Obeys a line that does not name a parameter; returns an error text or null. */
  private direct(words: readonly string[], line: Line, depth: number): string | null {
    const name = words[0];
    const count = words.length;
    if (count === 2 && FORMER_PARAMETERS.includes(name)) return null;
    if (name === "include" && count === 2) {
      if (depth >= MAX_INCLUDE_DEPTH) return "Too many nested includes";
      this.read(this.readFile(words[1]), depth + 1);
    } else if (name === "rename-command" && count === 3) {
      this.directives.renames.push({ words, line });
    } else if (name === "user" && count >= 2) {
      this.directives.users.push({ words, line });
    } else if (name === "loadmodule" && count >= 2) {
      return `Module ${words[1]} failed to load: modules are not supported`;
    } else if (name.includes(".")) {
      if (count < 2) return "Module config specified without value";
      throw new ConfigFileError(
        "Module Configuration detected without loadmodule directive or no ApplyConfig call: aborting",
        true,
      );
    } else if (name === "sentinel") {
      return count === 1 ? null : "sentinel directive while not in sentinel mode";
    } else {
      return "Bad directive or wrong number of arguments";
    }
    return null;
  }

  /** What has to hold after all lines. */
  private check(): void {
    const values = this.state.values;
    if (values.logfile !== "") {
      try {
        this.files.open(hostPath(values.logfile), "a").close();
      } catch (error) {
        throw ConfigFileError.at(null, `Can't open the log file: ${errorText(error)}`);
      }
    }
    if (values.clusterEnabled && values.replicaof !== null) {
      throw ConfigFileError.at(null, "replicaof directive not allowed in cluster mode");
    }
    clampHz(this.state);
  }
}

/** Any `hz` is accepted, but the server ticks between 1 and 500 times a second. */
export function clampHz(state: State): void {
  state.values.hz = Math.min(500, Math.max(1, state.values.hz));
}

/** Existing paths that match a shell pattern, sorted; hidden names only match a pattern that begins with a dot. */
function expand(files: Files, pattern: string): string[] {
  let found = [pattern.startsWith("/") ? "/" : ""];
  const parts = pattern.split("/").filter((part) => part !== "");
  for (const part of parts) {
    const isPattern = /[*?[]/.test(part);
    const wanted = fromLatin1(part.replaceAll("[!", "[^"));
    const next: string[] = [];
    for (const base of found) {
      const prefix = base === "" || base === "/" ? base : base + "/";
      if (!isPattern) {
        if (files.stat(hostPath(prefix + part)) !== null) next.push(prefix + part);
        continue;
      }
      for (const name of namesIn(files, prefix)) {
        if (name.startsWith(".") && !part.startsWith(".")) continue;
        const bytes = fromLatin1(name);
        if (globMatch(wanted, 0, wanted.length, bytes, 0, bytes.length, false)) next.push(prefix + name);
      }
    }
    found = next;
  }
  return found.sort();
}

function namesIn(files: Files, directory: string): string[] {
  try {
    return files.list(hostPath(directory === "" ? "." : directory)).map(fromHost);
  } catch {
    return [];
  }
}

/** What the command line asks for. */
export interface CommandLine {
  /** As given; null when there is none. */
  readonly file: string | null;
  readonly fromStdin: boolean;
  /** Lines to be read after the file. */
  readonly options: string;
}

/** Redis has no `--filename`, but people who know other servers try it. */
function parameterOf(flag: string): string {
  return lowerCase(flag) === "filename" ? "dbfilename" : flag;
}

/**
 * Turns `[file] [--name value…]… [-]` into lines. An option's values go on until the next argument that begins with `--`,
 * but the argument right after a bare `--name` is always a value (except after `--save`, where a missing value means "").
 */
export function parseCommandLine(args: readonly string[]): CommandLine {
  let file: string | null = null;
  let fromStdin = false;
  let options = "";
  let complete = true;
  let first = 0;
  const last = args.length - 1;
  if (args.length > 0 && !args[0].startsWith("-")) {
    file = args[0];
    first = 1;
  }
  for (let i = first; i < args.length; i++) {
    const argument = args[i];
    if (argument === "-" && (i === 0 || i === last)) {
      fromStdin = true;
    } else if (complete && /^--[a-zA-Z][a-zA-Z0-9_-]*=/.test(argument)) {
      // The form that most programs take; redis-server refuses it.
      const equals = argument.indexOf("=");
      if (options !== "") options += "\n";
      options += `${parameterOf(argument.slice(2, equals))} ${quote(argument.slice(equals + 1))}`;
    } else if (complete && argument.startsWith("--")) {
      if (options !== "") options += "\n";
      options += parameterOf(argument.slice(2)) + " ";
      complete = splitWords(argument)?.length !== 1;
      const bareSave = !complete && lowerCase(argument) === "--save";
      if (bareSave && (i === last || args[i + 1].startsWith("--"))) {
        options += '""';
        complete = true;
      }
    } else {
      options += quote(argument) + " ";
      complete = true;
    }
  }
  return { file, fromStdin, options };
}
