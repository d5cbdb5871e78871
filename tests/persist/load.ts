/** Loads RDB files into a server in the test's process, by way of its simulated disk. */

import type { InProcess } from "../kit/inprocess.ts";

/** Loads a file's bytes; rejects with an Error where the server would refuse to start. */
export async function load(server: InProcess, file: Uint8Array): Promise<void> {
  const { engine } = server;
  const path = engine.persistence.path("test.rdb");
  const to = engine.platform.files.open(path, "w", 0o644);
  to.write(file, 0, file.length);
  to.close();
  engine.refreshTime();
  const loading = engine.persistence.loadFile(path, { keepExpired: false });
  let ended = false;
  const end = () => ended = true;
  loading.then(end, end);
  // The loader may pause; time only goes on when it is told to.
  for (let i = 0; i < 3 && !ended; i++) await Promise.resolve();
  while (!ended) await server.advance(1);
  await loading;
}

/** The message with which a file is refused, null when it is loaded. */
export async function loadFailure(server: InProcess, file: Uint8Array): Promise<string | null> {
  try {
    await load(server, file);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
