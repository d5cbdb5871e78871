/**
 * Types of the functions of `deno-std` that the tests and tools use. The npm package is plain JavaScript without declarations, and
 * an untyped import would silently be `any`. `deno.json` (`compilerOptions.types`) and `tsconfig.json` (`include`) load
 * this file; an ambient declaration goes before what the import map resolves to, so the names are checked while the
 * package's code runs. A function that is missing here is a type error at its import: declare it, narrowly.
 */

declare module "@std/assert" {
  /** The class of an error, whatever its constructor takes. */
  type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

  export class AssertionError extends Error {
    constructor(message: string);
  }
  export function assert(condition: unknown, message?: string): asserts condition;
  export function assertFalse(condition: unknown, message?: string): asserts condition is false;
  /** Deep equality: typed arrays, maps and sets by content. */
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T;
  export function assertNotStrictEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertAlmostEquals(actual: number, expected: number, tolerance?: number, message?: string): void;
  export function assertArrayIncludes<T>(actual: ArrayLike<T>, expected: ArrayLike<T>, message?: string): void;
  export function assertExists<T>(actual: T, message?: string): asserts actual is NonNullable<T>;
  export function assertGreater<T>(actual: T, expected: T, message?: string): void;
  export function assertGreaterOrEqual<T>(actual: T, expected: T, message?: string): void;
  export function assertLess<T>(actual: T, expected: T, message?: string): void;
  export function assertLessOrEqual<T>(actual: T, expected: T, message?: string): void;
  export function assertInstanceOf<E extends Error>(
    actual: unknown,
    expected: ErrorClass<E>,
    message?: string,
  ): asserts actual is E;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertNotMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertObjectMatch(actual: object, expected: object, message?: string): void;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;
  /** Returns what was thrown. */
  export function assertThrows(run: () => unknown, message?: string): unknown;
  export function assertThrows<E extends Error>(
    run: () => unknown,
    expected: ErrorClass<E>,
    messageIncludes?: string,
    message?: string,
  ): E;
  export function assertRejects(run: () => PromiseLike<unknown>, message?: string): Promise<unknown>;
  export function assertRejects<E extends Error>(
    run: () => PromiseLike<unknown>,
    expected: ErrorClass<E>,
    messageIncludes?: string,
    message?: string,
  ): Promise<E>;
  export function equal(a: unknown, b: unknown): boolean;
  export function fail(message?: string): never;
  export function unreachable(message?: string): never;
}

declare module "@std/cli/parse-args" {
  export interface ParseOptions {
    /** Flags that take no value. */
    readonly boolean?: boolean | readonly string[];
    /** Flags whose value stays a string, however numeric it looks. */
    readonly string?: readonly string[];
    /** Flags that may come several times; their value is an array. */
    readonly collect?: readonly string[];
    /** Flags of which `--no-flag` means false. */
    readonly negatable?: readonly string[];
    readonly alias?: Readonly<Record<string, string | readonly string[]>>;
    readonly default?: Readonly<Record<string, unknown>>;
    /** Everything after the first positional argument is positional. */
    readonly stopEarly?: boolean;
    /** Puts what follows `--` under that key instead of among the positional arguments. */
    readonly "--"?: boolean;
    /** Called for a flag that is not declared; `false` leaves it out of the result. */
    readonly unknown?: (argument: string, key?: string, value?: unknown) => unknown;
  }
  export interface ParsedArgs {
    /** The positional arguments. */
    readonly _: (string | number)[];
    /** What followed `--`, when asked for. */
    readonly "--"?: string[];
    readonly [flag: string]: unknown;
  }
  /** @throws TypeError for options that contradict each other. */
  export function parseArgs(args: readonly string[], options?: ParseOptions): ParsedArgs;
}
