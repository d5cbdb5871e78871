/**
 * What a parameter is, and the kinds that most parameters have: yes/no, integers in four notations, strings, choices and
 * bit flags. A parameter is a table row with functions that read words into `ConfigValues`, show the value, and say
 * which lines CONFIG REWRITE needs. The error texts are Redis's. The few parameters with rules of their own are in
 * `special.ts`.
 *
 * The constructors take the parameter's name as a literal type and check at compile time that `ConfigValues` has a field
 * with the camel-case name and a fitting type.
 */
import { quote } from "../bytes/words.ts";
import type { Directory } from "./host.ts";
import { beforeNul, formatMemory, lowerCase, parseInteger, parseLoose, parseMemory, splitSpaces } from "./syntax.ts";
import { ConfigValues } from "./values.ts";

/** Can only be set at startup. */
export const IMMUTABLE = 1;
/** The value is a secret: keep it out of logs, SLOWLOG and MONITOR. */
export const SENSITIVE = 2;
/** CONFIG GET finds it by its full name only. */
export const HIDDEN = 4;
/** CONFIG SET needs `enable-protected-configs`. */
export const PROTECTED = 8;
/** CONFIG SET is refused while loading. */
export const DENY_LOADING = 16;
/** Takes several words. */
export const MULTI_ARG = 32;
/** CONFIG SET applies it even when the value is the same (files that may have changed). */
export const VOLATILE = 64;
/** Redis adds it to crash reports. */
export const DEBUG = 128;

/** What parameters read and write. */
export interface State {
  readonly values: ConfigValues;
  /** Exact values of integers beyond 2^53, by field name. */
  readonly exact: Map<string, bigint>;
  readonly directory: Directory;
  /** True while lines of a file are read: there, `save` lines add up. */
  readingFile: boolean;
  /** A file's `save` line has replaced the default save points. */
  saveSeen: boolean;
}

/** True: changed; false: was already so; a string: refused, with Redis's text. */
export type SetOutcome = boolean | string;

/** One line for CONFIG REWRITE, without the parameter's name; `force` writes it even if the old file had none. */
export interface RewriteLine {
  readonly text: string;
  readonly force: boolean;
}

export interface Parameter {
  readonly name: string;
  readonly alias: string | null;
  readonly flags: number;
  /** Why the parameter cannot have an effect in this server, or null when it has. */
  readonly withoutEffect: string | null;
  set(state: State, words: readonly string[]): SetOutcome;
  get(state: State): string;
  /** Empty: the parameter must not be in the file. */
  rewrite(state: State): readonly RewriteLine[];
}

export interface Options {
  readonly alias?: string;
  readonly flags?: number;
  readonly withoutEffect?: string;
}

type Camel<S extends string> = S extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}`
  : S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}`
  : S;
type FieldsOf<T> = { [K in keyof ConfigValues]: ConfigValues[K] extends T ? K : never }[keyof ConfigValues];
type BooleanField = FieldsOf<boolean>;
type NumberField = FieldsOf<number>;
type StringField = FieldsOf<string | null>;
/** `N` when the field for name `N` is one of `Fields`. */
type Named<N extends string, Fields> = N & (Camel<N> extends Fields ? unknown : never);

const DEFAULTS: Readonly<ConfigValues> = new ConfigValues();

function fieldOf(name: string): string {
  return name.replace(/[-_](.)/g, (_, letter: string) => letter.toUpperCase());
}

/** The parts of a row that do not depend on its kind. */
export function common(name: string, options: Options) {
  return {
    name,
    alias: options.alias ?? null,
    flags: options.flags ?? 0,
    withoutEffect: options.withoutEffect ?? null,
  };
}

function again(parameter: { flags: number }): boolean {
  return (parameter.flags & VOLATILE) !== 0;
}

export function yesNo<N extends string>(name: Named<N, BooleanField>, options: YesNoOptions = {}): Parameter {
  const field = fieldOf(name) as BooleanField;
  const base = common(name, options);
  const show = (value: boolean) => value ? "yes" : "no";
  return {
    ...base,
    set(state, words) {
      const word = lowerCase(beforeNul(words[0]));
      if (word !== "yes" && word !== "no") return "argument must be 'yes' or 'no'";
      const value = word === "yes";
      if (value && options.refuseYes !== undefined) return options.refuseYes;
      if (state.values[field] === value) return again(base);
      state.values[field] = value;
      return true;
    },
    get: (state) => show(state.values[field]),
    rewrite: (state) => [{ text: show(state.values[field]), force: state.values[field] !== DEFAULTS[field] }],
  };
}
export interface YesNoOptions extends Options {
  /** The error text for `yes`, when this server can only be told `no`. */
  readonly refuseYes?: string;
}

export const INT_MAX = 2n ** 31n - 1n;
export const INT_MIN = -(2n ** 31n);
export const UINT_MAX = 2n ** 32n - 1n;
export const LONG_MAX = 2n ** 63n - 1n;
export const ULONG_MAX = 2n ** 64n - 1n;

export interface IntegerOptions extends Options {
  /** `memory or percent` stores a percentage as a negative number. */
  readonly notation?: "decimal" | "memory" | "memory or percent" | "octal";
  /** Values are compared as unsigned 64-bit numbers: -1 is too large, not too small. */
  readonly unsigned?: boolean;
}

/** A whole number in [min, max]. */
export function integer<N extends string>(
  name: Named<N, NumberField>,
  min: number | bigint,
  max: number | bigint,
  options: IntegerOptions = {},
): Parameter {
  const field = fieldOf(name) as NumberField;
  const base = common(name, options);
  const notation = options.notation ?? "decimal";
  const low = BigInt(min);
  const high = BigInt(max);
  const unsigned = options.unsigned ?? false;

  function parse(word: string): bigint | string {
    if (notation === "decimal") return parseInteger(word) ?? "argument couldn't be parsed into an integer";
    if (notation === "octal") {
      const loose = parseLoose(word, 8);
      return loose === null || loose.overflow ? "argument couldn't be parsed as an octal number" : loose.value;
    }
    const memory = parseMemory(word);
    if (memory !== null) return memory;
    if (notation === "memory") return "argument must be a memory value";
    const percent = word.endsWith("%") ? parseInteger(word.slice(0, -1)) : null;
    return percent === null || percent < 0n ? "argument must be a memory or percent value" : -percent;
  }

  function refuse(value: bigint): string | null {
    if (notation === "memory or percent" && value < 0n) {
      return value < low ? `percentage argument must be less or equal to ${-low}` : null;
    }
    if (value >= low && value <= high) return null;
    const digits = notation === "octal" ? 8 : 10;
    return `argument must be between ${low.toString(digits)} and ${high.toString(digits)} inclusive`;
  }

  const current = (state: State) => state.exact.get(field) ?? BigInt(state.values[field]);
  return {
    ...base,
    set(state, words) {
      const parsed = parse(beforeNul(words[0]));
      if (typeof parsed === "string") return parsed;
      const value = unsigned ? BigInt.asUintN(64, parsed) : BigInt.asIntN(64, parsed);
      const refusal = refuse(value);
      if (refusal !== null) return refusal;
      if (value === current(state)) return again(base);
      const rounded = Number(value);
      if (Number.isSafeInteger(rounded)) state.exact.delete(field);
      else state.exact.set(field, value);
      state.values[field] = rounded;
      return true;
    },
    get(state) {
      const value = current(state);
      if (notation === "memory or percent" && value < 0n) return `${-value}%`;
      return value.toString(notation === "octal" ? 8 : 10);
    },
    rewrite(state) {
      const value = current(state);
      let text = value.toString(notation === "octal" ? 8 : 10);
      let force = value !== BigInt(DEFAULTS[field]);
      if (notation === "memory or percent" && value < 0n) {
        text = `${-value}%`;
        force = true;
      } else if (notation !== "decimal" && notation !== "octal") {
        text = formatMemory(value);
      }
      return [{ text, force }];
    },
  };
}

export interface StringOptions extends Options {
  /** Returns the error text for an unfit value, or null. */
  readonly check?: (value: string) => string | null;
  /** Bytes after a NUL belong to the value too (passwords). */
  readonly binary?: boolean;
}

/** A string; where its field allows null, the empty string means "not set". */
export function text<N extends string>(name: Named<N, StringField>, options: StringOptions = {}): Parameter {
  const field = fieldOf(name) as StringField;
  const base = common(name, options);
  const initial: string | null = DEFAULTS[field];
  // A choice's field is a string type too; only rows made here are written, and these fields hold any string.
  const fields = (state: State) => state.values as unknown as Record<StringField, string | null>;
  return {
    ...base,
    set(state, words) {
      const given = options.binary ? words[0] : beforeNul(words[0]);
      const refusal = options.check === undefined ? null : options.check(given);
      if (refusal !== null) return refusal;
      const value = given === "" && initial === null ? null : given;
      if (fields(state)[field] === value) return again(base);
      fields(state)[field] = value;
      return true;
    },
    get: (state) => state.values[field] ?? "",
    rewrite(state) {
      const value: string | null = state.values[field];
      return value === null ? [] : [{ text: quote(value), force: value !== initial }];
    },
  };
}

export interface ChoiceOptions extends Options {
  /** Further accepted words and what they stand for, listed in the error text after the word they are mapped to. */
  readonly synonyms?: readonly (readonly [string, string])[];
}

/** One of several words; `choices` in the order in which the error text lists them. */
export function choice<N extends string>(
  name: Named<N, StringField>,
  choices: readonly ConfigValues[Camel<N> & keyof ConfigValues][],
  options: ChoiceOptions = {},
): Parameter {
  const field = fieldOf(name) as StringField;
  const base = common(name, options);
  const synonyms = options.synonyms ?? [];
  const meaning = new Map<string, string>(synonyms);
  const listed: string[] = [];
  for (const word of choices as readonly string[]) {
    meaning.set(word, word);
    listed.push(word, ...synonyms.filter((pair) => pair[1] === word).map((pair) => pair[0]));
  }
  const fields = (state: State) => state.values as unknown as Record<StringField, string>;
  return {
    ...base,
    set(state, words) {
      const value = meaning.get(lowerCase(beforeNul(words[0])));
      if (value === undefined) return mustBeOneOf(listed);
      if (fields(state)[field] === value) return again(base);
      fields(state)[field] = value;
      return true;
    },
    get: (state) => fields(state)[field],
    rewrite(state) {
      const value = fields(state)[field];
      return [{ text: value, force: value !== DEFAULTS[field] }];
    },
  };
}

/** Several of the words, or'ed; the word with the bits 0 stands for none of them. */
export function flagSet<N extends string>(
  name: Named<N, NumberField>,
  bits: readonly (readonly [string, number])[],
  check: (value: number) => string | null,
  options: Options = {},
): Parameter {
  const field = fieldOf(name) as NumberField;
  const meaning = new Map(bits);
  const show = (value: number) =>
    bits.filter(([, bit]) => value === bit || (value & bit) !== 0).map(([word]) => word).join(" ");
  return {
    ...common(name, { ...options, flags: (options.flags ?? 0) | MULTI_ARG }),
    set(state, words) {
      let value = 0;
      for (const word of words) {
        const bit = meaning.get(lowerCase(beforeNul(word)));
        if (bit === undefined) return mustBeOneOf(bits.map((pair) => pair[0]));
        value |= bit;
      }
      if (words.length === 0) return mustBeOneOf(bits.map((pair) => pair[0]));
      const refusal = check(value);
      if (refusal !== null) return refusal;
      if (state.values[field] === value) return false;
      state.values[field] = value;
      return true;
    },
    get: (state) => show(state.values[field]),
    rewrite: (state) => [{ text: show(state.values[field]), force: state.values[field] !== DEFAULTS[field] }],
  };
}

function mustBeOneOf(words: readonly string[]): string {
  return `argument(s) must be one of the following: ${words.join(", ")}`;
}

/** Splits what CONFIG SET got into the words that `set` takes. */
export function wordsOf(parameter: Parameter, value: string): readonly string[] {
  return parameter.flags & MULTI_ARG ? splitSpaces(value) : [value];
}
