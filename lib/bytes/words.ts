/**
 * Words with quotes, the notation that redis.conf and the AOF manifest share. All functions work on byte strings (one character per
 * byte), so that any byte survives.
 */

const ESCAPES = new Map([["n", "\n"], ["r", "\r"], ["t", "\t"], ["b", "\b"], ["a", "\x07"]]);

/** What C's isspace says in the C locale. */
function isBlank(character: string): boolean {
  return character !== "" && " \t\n\v\f\r".includes(character);
}

/**
 * Splits a line into words: bare, 'single' or "double" quoted (with \n \r \t \b \a \xHH escapes).
 * Returns null when quotes don't match or something other than a blank follows a closing quote.
 */
export function splitWords(line: string): string[] | null {
  const words: string[] = [];
  let at = 0;
  while (true) {
    while (isBlank(line.charAt(at))) at++;
    if (at >= line.length) return words;
    let word = "";
    let quote = "";
    while (true) {
      const character = line.charAt(at);
      if (quote === "") {
        if (character === "" || " \n\r\t".includes(character)) break;
        if (character === '"' || character === "'") quote = character;
        else word += character;
        at++;
      } else if (character === "") {
        return null;
      } else if (character === quote) {
        at++;
        if (at < line.length && !isBlank(line[at])) return null;
        break;
      } else if (character === "\\" && quote === "'" && line.charAt(at + 1) === "'") {
        word += "'";
        at += 2;
      } else if (character === "\\" && quote === '"' && at + 1 < line.length) {
        const hex = /^x[0-9a-fA-F]{2}/.test(line.slice(at + 1, at + 4));
        word += hex
          ? String.fromCharCode(parseInt(line.slice(at + 2, at + 4), 16))
          : ESCAPES.get(line[at + 1]) ?? line[at + 1];
        at += hex ? 4 : 2;
      } else {
        word += character;
        at++;
      }
    }
    words.push(word);
  }
}

/** The double-quoted form that `splitWords` turns back into `text`. */
export function quote(text: string): string {
  let out = '"';
  for (const character of text) {
    const code = character.charCodeAt(0);
    if (character === '"' || character === "\\") out += "\\" + character;
    else if (character === "\n") out += "\\n";
    else if (character === "\r") out += "\\r";
    else if (character === "\t") out += "\\t";
    else if (character === "\x07") out += "\\a";
    else if (character === "\b") out += "\\b";
    else if (code >= 32 && code < 127) out += character;
    else out += "\\x" + code.toString(16).padStart(2, "0");
  }
  return out + '"';
}

/** The word as it stands in a line: quoted where it would not be one word otherwise. */
export function quoteIfNeeded(text: string): string {
  return /[\\"]|[^!-~]/.test(text) ? quote(text) : text;
}
