/**
 * The server's log, in Redis's format: `pid:role day month year hour:minute:second.millisecond level message`, to standard output
 * or to `logfile`.
 */

import type { Platform } from "../platform/platform.ts";
import { fromLatin1 } from "../bytes/ascii.ts";

/** Levels of `loglevel`, and the character each line shows. */
export const LogLevel = { debug: 0, verbose: 1, notice: 2, warning: 3 } as const;
const MARKS = [".", "-", "*", "#"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export class Log {
  /** Lines below this level are dropped. */
  level: number = LogLevel.notice;
  /** Empty: standard output. */
  file = "";
  /** M master, S replica, C (a child, as Redis would have it), X Sentinel. */
  role = "M";

  constructor(readonly platform: Platform) {}

  debug(text: string): void {
    this.write(LogLevel.debug, text);
  }
  verbose(text: string): void {
    this.write(LogLevel.verbose, text);
  }
  notice(text: string): void {
    this.write(LogLevel.notice, text);
  }
  warning(text: string): void {
    this.write(LogLevel.warning, text);
  }

  /** `text` is latin1. A log that cannot be written must not stop the server. */
  write(level: number, text: string): void {
    if (level < this.level) return;
    this.raw(
      `${this.platform.process.id}:${this.role} ${timestamp(this.platform.clock.now())} ${MARKS[level]} ${text}\n`,
    );
  }

  /** Writes as it is (DEBUG LOG, the start-up banner). */
  raw(text: string): void {
    const bytes = fromLatin1(text);
    if (this.file === "") return this.platform.process.stdout(bytes);
    try {
      const file = this.platform.files.open(this.file, "a", 0o644);
      try {
        file.write(bytes);
      } finally {
        file.close();
      }
    } catch {
      return;
    }
  }
}

function timestamp(ms: number): string {
  const date = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${two(date.getDate())} ${MONTHS[date.getMonth()]} ${date.getFullYear()} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${
      String(date.getMilliseconds()).padStart(3, "0")
    }`;
}
