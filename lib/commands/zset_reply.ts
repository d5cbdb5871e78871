/**
 * How members and scores of sorted sets are replied: what all their commands have in common.
 */

import type { Client } from "../engine/client.ts";
import type { ZsetView } from "../store/types/zset.ts";

/** A score: a double in RESP3, its digits in RESP2. */
export function replyScore(c: Client, score: number): void {
  // Most scores are whole: no text has to be made of them. (-0 shows its sign.)
  if (!c.reply.resp3 && Number.isSafeInteger(score) && (score !== 0 || 1 / score > 0)) c.reply.bulkInt(score);
  else c.reply.double(score);
}

/** The view's current member. */
export function replyMember(c: Client, zset: ZsetView): void {
  zset.member.writeTo(c.reply);
}

/** Header for that many members: with scores, RESP3 has pairs and RESP2 one flat array. */
export function replyHeader(c: Client, count: number, withScores: boolean): void {
  c.reply.array(withScores && !c.reply.resp3 ? count * 2 : count);
}

/** The current member and, if wanted, its score, as `replyHeader` has announced them. */
export function replyEntry(c: Client, zset: ZsetView, withScores: boolean): void {
  if (withScores && c.reply.resp3) c.reply.array(2);
  replyMember(c, zset);
  if (withScores) replyScore(c, zset.score);
}
