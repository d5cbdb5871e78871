/** One `test` for both runners: `deno test` and `bun test` each see a test of their own kind. */

type Body = () => void | Promise<void>;
interface Runner {
  test(name: string, body: Body, timeoutMs: number): void;
}

async function chooseRunner(): Promise<Runner> {
  if ("Bun" in globalThis) {
    const name = "bun:test";
    const bun = await import(name) as { test(name: string, body: Body, timeout: number): void };
    return { test: bun.test };
  }
  const deno = (globalThis as unknown as { Deno: { test(options: unknown): void } }).Deno;
  return {
    test: (name, fn) => deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false, sanitizeExit: false }),
  };
}

const runner = await chooseRunner();

/** Registers a test. The time limit (Bun kills at 5 s without one) is a net for hangs, never an assertion. */
export function test(name: string, body: Body, timeoutMs = 120_000): void {
  runner.test(name, body, timeoutMs);
}
