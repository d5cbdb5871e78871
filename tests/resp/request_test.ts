/** The request parser alone: every split of a stream gives the same commands, and places survive the moving of bytes. */

import { assertEquals } from "@std/assert";
import { Parsed, Parser } from "../../lib/resp/request.ts";
import { encodeCommands } from "../kit/client.ts";
import { test } from "../kit/test.ts";

const MAX_BULK = 512 * 1024 * 1024;

const bytesOf = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** All commands of a stream that arrives in pieces, kept in one buffer that grows, and moves to its start like a connection's. */
function parseInPieces(pieces: readonly Uint8Array[], trusted = true): (string[] | { error: string })[] {
  const parser = new Parser();
  const found: (string[] | { error: string })[] = [];
  let buffer = new Uint8Array(0);
  for (const piece of pieces) {
    const next = new Uint8Array(buffer.length + piece.length);
    next.set(buffer);
    next.set(piece, buffer.length);
    buffer = next;
    while (parser.pos < buffer.length) {
      const outcome = parser.parse(buffer, buffer.length, MAX_BULK, trusted);
      if (outcome === Parsed.ERROR) return [...found, { error: parser.error }];
      if (outcome === Parsed.INCOMPLETE) break;
      if (outcome === Parsed.NOTHING) continue;
      const { args } = parser;
      found.push(Array.from({ length: args.argc }, (_, i) => args.text(i)));
      if (args.begin >= 0) {
        // The frame is the command as it came.
        const frame = String.fromCharCode(...buffer.subarray(args.begin, args.end));
        assertEquals(frame.startsWith(`*${args.argc}\r\n$`), true, frame);
      }
    }
    const from = parser.keepFrom;
    buffer = buffer.slice(from);
    parser.shift(from);
  }
  return found;
}

const COMMANDS = [
  ["PING"],
  ["SET", "key", "va\r\nlue"],
  ["MSET", ...Array.from({ length: 40 }, (_, i) => `word${i}`)],
  ["ECHO", ""],
  ["ECHO", "x".repeat(1234)],
  ["GET", "\0\xff"],
];

test("request: any two cuts of a stream give the same commands", () => {
  const stream = new Uint8Array([...encodeCommands(COMMANDS), ...bytesOf('*0\r\n\r\ninline "two words"\r\n')]);
  const expected = [...COMMANDS, ["inline", "two words"]];
  assertEquals(parseInPieces([stream]), expected);
  assertEquals(parseInPieces(Array.from(stream, (byte) => new Uint8Array([byte]))), expected);
  for (let a = 1; a < stream.length; a += 7) {
    for (let b = a; b < stream.length; b += 61) {
      assertEquals(parseInPieces([stream.slice(0, a), stream.slice(a, b), stream.slice(b)]), expected, `${a} ${b}`);
    }
  }
});

test("request: `need` says how far the buffer must reach, and nothing is read before", () => {
  const parser = new Parser();
  const bytes = bytesOf("*2\r\n$4\r\nECHO\r\n$1000\r\nabc");
  assertEquals(parser.parse(bytes, bytes.length, MAX_BULK, true), Parsed.INCOMPLETE);
  assertEquals([parser.need, parser.bulk, parser.missing], [bytes.length - 3 + 1002, 1000, 1]);
  assertEquals(parser.inCommand, true);
  parser.reset();
  const next = bytesOf("*1\r\n$4\r\nPING\r\n");
  assertEquals(parser.parse(next, next.length, MAX_BULK, true), Parsed.COMMAND);
  assertEquals(parser.args.text(0), "PING");
});

test("request: errors", () => {
  const cases: [string, string][] = [
    ["*x\r\n", "invalid multibulk length"],
    ["*2147483648\r\n", "invalid multibulk length"],
    ["*1\r\n:1\r\n", "expected '$', got ':'"],
    ["*1\r\n$536870913\r\n", "invalid bulk length"],
    ["*1\r\n$-1\r\n", "invalid bulk length"],
    ['"a\r\n', "unbalanced quotes in request"],
    [`*${"1".repeat(65537)}`, "too big mbulk count string"],
    [`*1\r\n$${"1".repeat(65537)}`, "too big bulk count string"],
    ["x".repeat(65537), "too big inline request"],
  ];
  for (const [input, error] of cases) {
    assertEquals(parseInPieces([bytesOf(input)]), [{ error }], input.slice(0, 20));
  }
  assertEquals(parseInPieces([bytesOf("*11\r\n")], false), [{ error: "unauthenticated multibulk length" }]);
  assertEquals(parseInPieces([bytesOf("*1\r\n$16385\r\n")], false), [{ error: "unauthenticated bulk length" }]);
});
