/**
 * The timeout of commands that block, in seconds with a fraction.
 */

import type { Client } from "../engine/client.ts";
import { parseLongDouble } from "../bytes/longdouble.ts";
import { TIMEOUT_NEGATIVE, TIMEOUT_NOT_FLOAT } from "../resp/errors.ts";

/** Redis counts milliseconds in 64 bits; what does not fit comes out negative. */
const TOO_LONG = 2 ** 63;

/** Argument i as a timeout in milliseconds, rounded up; 0 is for ever, -1 invalid, which has been replied. */
export function parseTimeout(c: Client, i: number): number {
  const { args: a } = c;
  const seconds = parseLongDouble(a.buf, a.off[i], a.len[i]);
  if (seconds === null) {
    c.reply.error(TIMEOUT_NOT_FLOAT);
    return -1;
  }
  const milliseconds = seconds.special !== 0
    ? Infinity
    : Math.ceil(Number(seconds.mantissa) * 2 ** seconds.exponent * 1000);
  if (milliseconds < 0 || milliseconds >= TOO_LONG) {
    c.reply.error(TIMEOUT_NEGATIVE);
    return -1;
  }
  return milliseconds;
}
