/** Arguments for tests of what keeps them. */

import { Args } from "../../lib/bytes/args.ts";
import { fromLatin1 } from "../../lib/bytes/ascii.ts";

/** All arguments, a character a byte. */
export function textsOf(args: Args): string[] {
  return Array.from({ length: args.argc }, (_, i) => args.text(i));
}

/** The arguments as a frame in the middle of a larger buffer. */
export function framed(parts: readonly string[]): Args {
  const args = new Args();
  args.reserve(parts.length);
  let text = "+before\r\n";
  args.begin = text.length;
  text += `*${parts.length}\r\n`;
  parts.forEach((part, i) => {
    text += `$${part.length}\r\n`;
    args.off[i] = text.length;
    args.len[i] = part.length;
    text += `${part}\r\n`;
  });
  args.end = text.length;
  args.argc = parts.length;
  args.buf = fromLatin1(`${text}+behind\r\n`);
  return args;
}
