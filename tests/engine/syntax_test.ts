/** The notation of arguments: what it means, and that it gives the trees that COMMAND DOCS of redis-server shows. */
import { assertEquals, assertThrows } from "@std/assert";
import { parseSyntax } from "../../lib/engine/syntax.ts";
import type { Argument } from "../../lib/engine/syntax.ts";
import { test } from "../kit/test.ts";

/** An argument tree with only what is set, so that the expectations below stay short. */
function brief(list: Argument[]): unknown[] {
  return list.map((argument) => {
    const flags = [
      argument.optional ? "?" : "",
      argument.multiple ? "+" : "",
      argument.multipleToken ? "T" : "",
      argument.keySpec >= 0 ? `#${argument.keySpec}` : "",
      argument.since === "" ? "" : `@${argument.since}`,
      argument.deprecatedSince === "" ? "" : `..${argument.deprecatedSince}`,
    ].join("");
    const token = argument.type === "pure-token" || argument.token !== "" ? [`token ${argument.token}`] : [];
    const members = argument.arguments.length > 0 ? [brief(argument.arguments)] : [];
    return [argument.name, argument.type, ...(flags === "" ? [] : [flags]), ...token, ...members];
  });
}

function check(syntax: string, ...expected: unknown[]): void {
  assertEquals(brief(parseSyntax(syntax)), expected, syntax);
}

test("names, types and keys", () => {
  check("", ...[]);
  check(
    "key value count increment:double",
    ["key", "key", "#0"],
    ["value", "string"],
    ["count", "integer"],
    ["increment", "double"],
  );
  check("a:key b:key c:key#0 pattern#1", ["a", "key", "#0"], ["b", "key", "#1"], ["c", "key", "#0"], [
    "pattern",
    "pattern",
    "#1",
  ]);
  check("ip:port key:string yes/no", ["ip:port", "string"], ["key", "string"], ["yes/no", "string"]);
});

test("tokens", () => {
  check("COUNT count", ["count", "integer", "token COUNT"]);
  check("WITHSCORES REV", ["withscores", "pure-token", "token WITHSCORES"], ["rev", "pure-token", "token REV"]);
  check("change=CH all='*' none=''", ["change", "pure-token", "token CH"], ["all", "pure-token", "token *"], [
    "none",
    "pure-token",
    "token ",
  ]);
  check("REPLACE change=CH", ["replace", "pure-token", "token REPLACE"], ["change", "pure-token", "token CH"]);
  check("LIMIT (offset count)", ["offset_count", "block", "token LIMIT", [["offset", "integer"], [
    "count",
    "integer",
  ]]]);
  check("BY by=<A | B>", ["by", "oneof", "token BY", [["a", "pure-token", "token A"], ["b", "pure-token", "token B"]]]);
});

test("optional arguments, choices and blocks", () => {
  check("[COUNT count]", ["count", "integer", "?", "token COUNT"]);
  check("[NX]", ["nx", "pure-token", "?", "token NX"]);
  check("order=[ASC | DESC]", ["order", "oneof", "?", [["asc", "pure-token", "token ASC"], [
    "desc",
    "pure-token",
    "token DESC",
  ]]]);
  check("[HARD | SOFT]", ["hard_soft", "oneof", "?", [["hard", "pure-token", "token HARD"], [
    "soft",
    "pure-token",
    "token SOFT",
  ]]]);
  check("options=[count [WITHVALUES]]", ["options", "block", "?", [["count", "integer"], [
    "withvalues",
    "pure-token",
    "?",
    "token WITHVALUES",
  ]]]);
  check("<a b | c>", ["a_b_c", "oneof", [["a_b", "block", [["a", "string"], ["b", "string"]]], ["c", "string"]]]);
  check("one=(a)", ["one", "block", [["a", "string"]]]);
});

test("repetition", () => {
  check("field [field ...]", ["field", "string", "+"]);
  check("[field [field ...]]", ["field", "string", "?+"]);
  check("GET pattern [GET pattern ...]", ["pattern", "pattern", "+T", "token GET"]);
  check("[GET (a b) [GET a b ...]]", ["a_b", "block", "?+T", "token GET", [["a", "string"], ["b", "string"]]]);
  check("KEYS key@3.0.6 [key ...]", ["key", "key", "+#0@3.0.6", "token KEYS"]);
  check("key score member [score member ...]", ["key", "key", "#0"], ["score_member", "block", "+", [
    ["score", "double"],
    ["member", "string"],
  ]]);
  check("all=<a | b> [all ...]", ["all", "oneof", "+", [["a", "string"], ["b", "string"]]]);
});

test("versions", () => {
  check("[GET@6.2.0]", ["get", "pure-token", "?@6.2.0", "token GET"]);
  check("[EX seconds@2.6.12]", ["seconds", "integer", "?@2.6.12", "token EX"]);
  check("condition=[A | B]@7.0.0", ["condition", "oneof", "?@7.0.0", [["a", "pure-token", "token A"], [
    "b",
    "pure-token",
    "token B",
  ]]]);
  check("all='*'@1.0.0", ["all", "pure-token", "@1.0.0", "token *"]);
  check("ip:port@..2.8.12 x@1.0.0..2.0.0", ["ip:port", "string", "..2.8.12"], ["x", "string", "@1.0.0..2.0.0"]);
});

test("bad notation is refused", () => {
  for (const bad of ["[a", "a]", "<a | b", "(a", "a | b", "[a ...]", "a [b ...]", "name=", "name=word [x ...]"]) {
    assertThrows(() => parseSyntax(bad), Error, undefined, bad);
  }
});
