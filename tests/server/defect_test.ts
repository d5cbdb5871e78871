/** A defect outside of any command, which a test has to put there: what it may cost, and what not. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "../kit/test.ts";
import { World } from "../persist/world.ts";

test("defect: costs the connection it was met on, and its replies reach nobody else", async () => {
  const world = new World();
  await world.boot();
  const { propagation } = world.server.engine;
  const other = await world.connect();
  const victim = await world.connect();
  propagation.endOfBatch = () => {
    throw new TypeError("this cannot be");
  };
  victim.send("CLIENT", "SETNAME", "victim");
  victim.send("ECHO", "secret");
  // The simulated network lets it through, so that no test misses a defect.
  await assertRejects(() => world.advance(0), TypeError);
  Reflect.deleteProperty(propagation, "endOfBatch");
  await world.advance(0);
  assertEquals([victim.isClosed, victim.text], [true, ""]);
  assertEquals(await other.run("PING"), "+PONG\r\n");
  other.send("SUBSCRIBE", "news");
  await world.advance(0);
  assertEquals(await world.run("PUBLISH", "news", "x"), ":1\r\n");
  assert((await other.receive()).endsWith("$1\r\nx\r\n"));
  assert(/# Internal error while serving a client.* name=victim .*this cannot be/.test(world.log), world.log);
});
