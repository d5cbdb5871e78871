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
    test: (name, body, timeoutMs) =>
      deno.test({
        name,
        fn: () => within(timeoutMs, body),
        sanitizeOps: false,
        sanitizeResources: false,
        sanitizeExit: false,
      }),
  };
}

/** Deno has no time limit of its own. */
async function within(limitMs: number, body: Body): Promise<void> {
  let timer = 0 as unknown as ReturnType<typeof setTimeout>;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the test did not end within ${limitMs} ms`)), limitMs);
  });
  try {
    await Promise.race([body(), expired]);
  } finally {
    clearTimeout(timer);
  }
}

const runner = await chooseRunner();

/** Registers a test. The time limit (without one Bun kills at 5 s) is a net for hangs, never an assertion. */
export function test(name: string, body: Body, timeoutMs = 120_000): void {
  runner.test(name, body, timeoutMs);
}
