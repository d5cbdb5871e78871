/**
 * Replies as the test client sees them: every kind the protocol distinguishes stays distinguishable, and still reads well in
 * `assertEquals(await client.call("GET", "k"), "v")`.
 *
 * | on the wire | here |
 * |---|---|
 * | `$1` bulk | a string, one char per byte (latin1) |
 * | `:1` integer | a number, a bigint beyond ±2^53 |
 * | `*2` array | an array |
 * | `$-1` null bulk | `null` |
 * | `*-1` null array, `_` RESP3 null | `{ nil: "*" }`, `{ nil: "_" }` |
 * | `+OK`, `-ERR x` | `{ status: "OK" }`, `{ error: "ERR x" }` |
 * | `%`, `~`, `>` | `{ map: [[k, v], …] }`, `{ set: […] }`, `{ push: […] }` |
 * | `,1.5`, `(123`, `#t` | `{ double: "1.5" }` (the text as sent), `{ big: "123" }`, `{ bool: true }` |
 * | `=`, `!` | `{ verbatim: "txt", text: "…" }`, `{ bulkError: "…" }` |
 * | `\|` | `{ attributes: [[k, v], …], reply }` |
 */

export type Reply =
  | string
  | number
  | bigint
  | null
  | Reply[]
  | { readonly nil: "*" | "_" }
  | { readonly status: string }
  | { readonly error: string }
  | { readonly map: [Reply, Reply][] }
  | { readonly set: Reply[] }
  | { readonly push: Reply[] }
  | { readonly double: string }
  | { readonly big: string }
  | { readonly bool: boolean }
  | { readonly verbatim: string; readonly text: string }
  | { readonly bulkError: string }
  | { readonly attributes: [Reply, Reply][]; readonly reply: Reply };

/** The text of an error reply, or undefined for any other reply. */
export function errorOf(reply: Reply): string | undefined {
  return typeof reply === "object" && reply !== null && "error" in reply ? reply.error : undefined;
}

/** Whether a reply is a RESP3 push message. (Arrays are excluded by hand: every array has a method `push`.) */
export function isPush(reply: Reply): reply is { readonly push: Reply[] } {
  return typeof reply === "object" && reply !== null && !Array.isArray(reply) && "push" in reply;
}

/** One line per reply, like `redis-cli`'s raw JSON but with all kinds distinct; bytes beyond ASCII are escaped. */
export function show(reply: Reply, limit = 600): string {
  const text = showWhole(reply);
  return text.length <= limit ? text : `${text.slice(0, limit)}… (${text.length} chars)`;
}

function showWhole(reply: Reply): string {
  if (reply === null) return "(nil)";
  if (typeof reply === "string") return quote(reply);
  if (typeof reply === "number" || typeof reply === "bigint") return `:${reply}`;
  if (Array.isArray(reply)) return `[${reply.map(showWhole).join(" ")}]`;
  if ("nil" in reply) return `(nil ${reply.nil})`;
  if ("status" in reply) return `+${printable(reply.status)}`;
  if ("error" in reply) return `-${printable(reply.error)}`;
  if ("map" in reply) return `%{${reply.map.map(([k, v]) => `${showWhole(k)}=>${showWhole(v)}`).join(" ")}}`;
  if ("set" in reply) return `~[${reply.set.map(showWhole).join(" ")}]`;
  if ("push" in reply) return `>[${reply.push.map(showWhole).join(" ")}]`;
  if ("double" in reply) return `,${reply.double}`;
  if ("big" in reply) return `(${reply.big}`;
  if ("bool" in reply) return reply.bool ? "#t" : "#f";
  if ("verbatim" in reply) return `=${reply.verbatim}:${quote(reply.text)}`;
  if ("bulkError" in reply) return `!${quote(reply.bulkError)}`;
  return `|{${reply.attributes.map(([k, v]) => `${showWhole(k)}=>${showWhole(v)}`).join(" ")}}${
    showWhole(reply.reply)
  }`;
}

/** A byte string in double quotes, in redis-cli's escapes, so that it can be pasted there. */
export function quote(bytes: string): string {
  return `"${printable(bytes).replaceAll('"', '\\"')}"`;
}

function printable(bytes: string): string {
  // deno-lint-ignore no-control-regex
  return bytes.replace(/[\\\x00-\x1f\x7f-\xff]/g, (char) => {
    if (char === "\\") return "\\\\";
    if (char === "\n") return "\\n";
    if (char === "\r") return "\\r";
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
