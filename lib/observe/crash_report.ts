/**
 * Crash reports: what the log says of a server that ends because of a defect, in the sections of Redis's reports, so
 * that whoever reads logs (people, and the tools that look for `=== REDIS BUG REPORT START`) finds what they expect.
 *
 * A program in a managed runtime sees less of a crash than one in C: there are no registers and no addresses, and the
 * stack is JavaScript's. Of the signals only SIGABRT is taken: a handler in JavaScript runs after the faulting
 * instruction would have to be over, so that a real SIGSEGV, SIGBUS, SIGFPE or SIGILL would come again for ever (and
 * Deno refuses to take most of them). Those are the runtime's own crashes, and end the process as they always do.
 *
 * A command that throws is not among them: it costs that command an error (execute.ts). What is reported here is an
 * exception that nobody caught, in a timer or behind a promise, after which nobody knows what state the server is in.
 */

import { latin1 } from "../bytes/ascii.ts";
import { quote } from "../bytes/words.ts";
import { clientInfo } from "../engine/client_info.ts";
import type { Engine } from "../engine/engine.ts";
import { REDIS_VERSION } from "../engine/version.ts";
import { infoText } from "./info.ts";

/** Bytes shown of each argument of the current command, and the most arguments shown. */
const SHOWN_BYTES = 128;
const SHOWN_ARGUMENTS = 32;
/** The status of a process that a signal has ended, as a shell sees it, is this plus the signal's number. */
const BY_SIGNAL = 128;
const SIGABRT = 6;
const EXIT_ON_PANIC = 1;

/** Ends the process as if `signal` (its number) had ended it; with `crash-log-enabled` a report comes first. */
export function crashBySignal(engine: Engine, signal: number, stack: string): never {
  if (engine.config.values.crashLogEnabled) {
    report(engine, [`Redis ${REDIS_VERSION} crashed by signal: ${signal}, si_code: 0`], stack);
  }
  return engine.platform.process.exit(BY_SIGNAL + signal);
}

/**
 * Ends the process because something is so that must not be. The reason (lines) is always logged, details only with
 * `crash-log-enabled`; `use-exit-on-panic` decides on the status, 1 or that of SIGABRT.
 */
export function panic(engine: Engine, reason: readonly string[], stack: string): never {
  report(engine, reason, stack);
  return engine.platform.process.exit(engine.config.values.useExitOnPanic ? EXIT_ON_PANIC : BY_SIGNAL + SIGABRT);
}

/** The lines of a panic that `text` is the reason of. */
export function panicLines(text: string): string[] {
  return [
    "------------------------------------------------",
    "!!! Software Failure. Press left mouse button to continue",
    `Guru Meditation: ${text}`,
  ];
}

/** From now on SIGABRT and exceptions that nobody catches end the process with a report. For a process of our own only. */
export function reportCrashes(engine: Engine): void {
  const { process } = engine.platform;
  process.onSignal("SIGABRT", () => crashBySignal(engine, SIGABRT, currentStack()));
  process.onUncaught((thrown) => {
    const { name, stack } = described(thrown);
    panic(engine, ["=== UNCAUGHT EXCEPTION ===", `==> ${name}`], stack);
  });
}

/** JavaScript's stack at this moment, without its first line. */
export function currentStack(): string {
  return described(new Error()).stack;
}

function described(thrown: unknown): { name: string; stack: string } {
  if (!(thrown instanceof Error)) return { name: String(thrown), stack: "" };
  const name = `${thrown.name}: ${thrown.message}`;
  // V8 repeats the name before the stack, JavaScriptCore does not.
  const lines = (thrown.stack ?? "").split("\n").filter((line) => /^\s*at\s|@/.test(line));
  return { name: name.split("\n")[0], stack: lines.join("\n") };
}

function report(engine: Engine, reason: readonly string[], stack: string): void {
  const { log } = engine;
  log.raw("\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n");
  for (const line of reason) log.warning(line);
  if (engine.config.values.crashLogEnabled) {
    section(engine, "STACK TRACE", () => `${stack}\n`);
    section(engine, "INFO OUTPUT", () => infoText(engine, ["everything"]));
    section(engine, "CLIENT LIST OUTPUT", () => clientList(engine));
    if (engine.serving !== null) section(engine, "CURRENT CLIENT INFO", () => currentClient(engine));
    section(engine, "CONFIG DEBUG OUTPUT", () => engine.config.debugText());
  }
  log.raw(
    "\n=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n\n" +
      "       This is Redstart, not Redis: please report the crash to its authors.\n\n",
  );
}

/** What cannot be shown any more must not hide the rest. */
function section(engine: Engine, title: string, text: () => string): void {
  let shown: string;
  try {
    shown = text();
  } catch (error) {
    shown = `${described(error).name}\n`;
  }
  engine.log.raw(`\n------ ${title} ------\n${shown}`);
}

function clientList(engine: Engine): string {
  let lines = "";
  for (const client of engine.clients.values()) lines += `${clientInfo(client)}\n`;
  return lines;
}

/** Who was served, and with which arguments; those that hold passwords are left out. */
function currentClient(engine: Engine): string {
  const client = engine.serving!;
  const { args } = client;
  let lines = `${clientInfo(client)}\n`;
  for (let i = 0; i < Math.min(args.argc, SHOWN_ARGUMENTS); i++) {
    const text = latin1(args.buf, args.off[i], Math.min(args.len[i], SHOWN_BYTES));
    lines += `argv[${i}]: '${engine.observation.isRedacted(args, i) ? '"(redacted)"' : quote(text)}'\n`;
  }
  return lines;
}
