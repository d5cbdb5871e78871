/** A server with a defect, for the test of crash reports: a timer that throws, or a promise that rejects (first argument). */

import process from "node:process";
import { Config } from "../../lib/config/config.ts";
import { reportCrashes } from "../../lib/observe/crash_report.ts";
import { choosePlatform } from "../../lib/platform/choose.ts";
import { Server } from "../../lib/server/server.ts";

const platform = await choosePlatform();
const config = new Config(platform.files, platform.process);
const server = new Server(platform, config);
reportCrashes(server.engine);
platform.clock.every(1000, () => {});

function defect(): void {
  throw new TypeError("this cannot be");
}
async function behindPromise(): Promise<void> {
  await Promise.resolve();
  defect();
}
platform.clock.after(0, process.argv[2] === "promise" ? () => void behindPromise() : defect);
