/**
 * The argument syntax of commands: parses the `syntax` of a row into the argument tree that COMMAND DOCS reports.
 *
 * The notation is that of Redis's documentation, with the little added that the plain notation leaves out
 * (names, types and versions). Nothing here is on the hot path; a syntax is parsed when COMMAND DOCS asks for it.
 *
 *     key                     an argument; the type follows from the name (see USUAL_TYPES) or is a string
 *     increment:double        its type, where it does not follow from the name: string, integer, double, key,
 *                             pattern, unix-time
 *     WITHSCORES              a word in capitals is a literal token, also called "withscores"
 *     '*'  ''                 a literal that is not a word; the empty string
 *     COUNT count             a token before an argument belongs to it
 *     [ ... ]                 optional
 *     < a | b >               one of these; an alternative of several arguments is a block
 *     ( a b )                 several arguments that belong together: a block, to give it a token or a name
 *     [ a | b ]  [ a b ]      optional choice, optional block
 *     key [key ...]           one or more, names repeated without types; for blocks: field value [field value ...]
 *     GET pattern [GET pattern ...]  the token is repeated, too
 *
 *     condition=[NX | XX]     a name for a choice, block or token, where it is not the one that follows from what is
 *     change=CH               inside: the members' names joined by "_", a token's name in lower case
 *     GET@6.2.0               the version that brought the argument; stands behind everything that belongs to it
 *     ip:port@..2.8.12        … and after two dots the version that deprecated it
 *     destination#2           the key spec that finds the key; keys count up by themselves, from spec 0
 */

/** One argument of a command, as COMMAND DOCS reports it. */
export interface Argument {
  name: string;
  type: string;
  /** Index of the key spec that finds it, or -1. */
  keySpec: number;
  /** Empty if there is none, or if it is the empty string (MIGRATE's missing key). */
  token: string;
  since: string;
  deprecatedSince: string;
  optional: boolean;
  multiple: boolean;
  multipleToken: boolean;
  /** The members of a choice ("oneof") or block; empty for all others. */
  arguments: Argument[];
}

/** Names that mean the same everywhere, and so need no type. */
const USUAL_TYPES: ReadonlyMap<string, string> = new Map(
  [
    "key: key destination source newkey destkey",
    "pattern: pattern",
    "integer: count numkeys offset seconds milliseconds slot port cursor weight client-id",
    "double: longitude latitude radius width height score",
    "unix-time: unix-time-seconds unix-time-milliseconds",
  ].flatMap((line) => {
    const [type, names] = line.split(": ");
    return names.split(" ").map((name): [string, string] => [name, type]);
  }),
);

const TYPES = ["string", "integer", "double", "key", "pattern", "unix-time"];
const LEXEME = /'[^']*'|[[\]()<>|]|[^\s[\]()<>|']+/g;
const TOKEN = /^[A-Z][A-Z0-9_-]*$/;

/** The argument tree of a row's `syntax`. Throws an Error that names the place if the notation is wrong. */
export function parseSyntax(syntax: string): Argument[] {
  return new SyntaxParser(syntax).parse();
}

class SyntaxParser {
  readonly #syntax: string;
  readonly #lexemes: string[];
  #at = 0;
  #keys = 0;

  constructor(syntax: string) {
    this.#syntax = syntax;
    this.#lexemes = syntax.match(LEXEME) ?? [];
  }

  parse(): Argument[] {
    const list = this.#sequence();
    if (this.#at < this.#lexemes.length) throw this.#error();
    return list;
  }

  #error(): Error {
    return new Error(`bad syntax at '${this.#lexemes[this.#at] ?? "the end"}' in '${this.#syntax}'`);
  }

  #take(lexeme: string): boolean {
    if (this.#lexemes[this.#at] !== lexeme) return false;
    this.#at++;
    return true;
  }

  #expect(lexeme: string): void {
    if (!this.#take(lexeme)) throw this.#error();
  }

  /** Arguments up to a closing bracket, a bar or the end. */
  #sequence(): Argument[] {
    const list: Argument[] = [];
    while (this.#at < this.#lexemes.length && !"])>|".includes(this.#lexemes[this.#at])) {
      const repeated = this.#repetition();
      if (repeated.length > 0) this.#repeat(list, repeated);
      else list.push(this.#item());
    }
    return list;
  }

  /** The words in `[word … ...]` if that is what comes next (nothing is taken then), or none. */
  #repetition(): string[] {
    if (this.#lexemes[this.#at] !== "[") return [];
    const end = this.#lexemes.indexOf("]", this.#at);
    if (end < 0 || this.#lexemes[end - 1] !== "...") return [];
    const words = this.#lexemes.slice(this.#at + 1, end - 1);
    return words.includes("[") ? [] : words;
  }

  /** Takes the repetition and marks what it repeats: the last argument of `list`, or the last few, which become a block. */
  #repeat(list: Argument[], words: string[]): void {
    const last = list[list.length - 1];
    if (last === undefined) throw this.#error();
    if (last.token !== "" && words[0] === last.token) {
      last.multipleToken = true;
      words = words.slice(1);
    }
    const names = words.join("_");
    let repeated = last;
    if (last.name !== names) {
      const members = list.splice(-words.length);
      if (joinNames(members) !== names) throw this.#error();
      repeated = group("block", members);
      list.push(repeated);
    }
    repeated.multiple = true;
    this.#at += words.length + (last.multipleToken ? 1 : 0) + 3;
  }

  #item(): Argument {
    const lexeme = this.#lexemes[this.#at];
    if (lexeme.endsWith("=") && lexeme.length > 1) {
      this.#at++;
      const item = this.#unnamed();
      item.name = lexeme.slice(0, -1);
      return item;
    }
    return "[(<'".includes(lexeme[0]) ? this.#unnamed() : this.#word();
  }

  /** A bracket or a quoted token, with its version. */
  #unnamed(): Argument {
    let item: Argument;
    if (this.#take("[")) {
      const alternatives = this.#alternatives();
      const single = alternatives.length === 1 && alternatives[0].length === 1;
      item = single
        ? alternatives[0][0]
        : alternatives.length === 1
        ? group("block", alternatives[0])
        : choice(alternatives);
      item.optional = true;
      this.#expect("]");
    } else if (this.#take("(")) {
      item = group("block", this.#sequence());
      this.#expect(")");
    } else if (this.#take("<")) {
      item = choice(this.#alternatives());
      this.#expect(">");
    } else {
      const quoted = this.#lexemes[this.#at];
      if (quoted === undefined || !quoted.startsWith("'")) throw this.#error();
      this.#at++;
      item = token(quoted.slice(1, -1));
    }
    const next = this.#lexemes[this.#at];
    if (next !== undefined && next.startsWith("@")) {
      this.#at++;
      setVersions(item, next.slice(1));
    }
    return item;
  }

  #alternatives(): Argument[][] {
    const list = [this.#sequence()];
    while (this.#take("|")) list.push(this.#sequence());
    return list;
  }

  /** An argument's name with all that is attached to it, or a token with the argument it belongs to. */
  #word(): Argument {
    const [text, versions = ""] = this.#lexemes[this.#at++].split("@");
    const [word, name = ""] = text.split("=").reverse();
    let item: Argument;
    if (TOKEN.test(word)) {
      if (versions === "" && name === "" && this.#isLabelled()) {
        item = this.#item();
        item.token = word;
        return item;
      }
      item = token(word);
      if (name !== "") item.name = name;
    } else {
      item = this.#value(word);
    }
    setVersions(item, versions);
    return item;
  }

  /** Whether what comes next is something that a token can belong to. */
  #isLabelled(): boolean {
    let at = this.#at;
    if (this.#lexemes[at]?.endsWith("=")) at++;
    const next = this.#lexemes[at] ?? "]";
    if (next === "(" || next === "<") return true;
    return !"[]>)|'".includes(next[0]) && !TOKEN.test(next.split("@")[0].replace(/^.*=/, ""));
  }

  #value(word: string): Argument {
    const [text, keySpec] = word.split("#");
    const colon = text.lastIndexOf(":");
    const typed = TYPES.includes(text.slice(colon + 1)) && colon > 0;
    const name = typed ? text.slice(0, colon) : text;
    const type = typed ? text.slice(colon + 1) : USUAL_TYPES.get(name) ?? "string";
    const item = argument(name, type);
    if (keySpec !== undefined) item.keySpec = Number(keySpec);
    else if (type === "key") item.keySpec = this.#keys;
    if (type === "key") this.#keys++;
    return item;
  }
}

function argument(name: string, type: string): Argument {
  return {
    name,
    type,
    keySpec: -1,
    token: "",
    since: "",
    deprecatedSince: "",
    optional: false,
    multiple: false,
    multipleToken: false,
    arguments: [],
  };
}

function token(text: string): Argument {
  const item = argument(text.toLowerCase(), "pure-token");
  item.token = text;
  return item;
}

function group(type: "block" | "oneof", members: Argument[]): Argument {
  const item = argument(joinNames(members), type);
  item.arguments = members;
  return item;
}

function choice(alternatives: Argument[][]): Argument {
  return group("oneof", alternatives.map((list) => list.length === 1 ? list[0] : group("block", list)));
}

function joinNames(members: Argument[]): string {
  return members.map((member) => member.name).join("_");
}

function setVersions(item: Argument, versions: string): void {
  const [since, deprecated = ""] = versions.split("..");
  if (since !== "") item.since = since;
  if (deprecated !== "") item.deprecatedSince = deprecated;
}
