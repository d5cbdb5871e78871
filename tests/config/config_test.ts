/** Hooks, rollback, and what `Config` tells the server: behaviour that needs no other server to compare with. */
import { assert, assertEquals } from "@std/assert";
import { PARAMETERS } from "../../lib/config/parameters.ts";
import { ConfigValues } from "../../lib/config/values.ts";
import { test } from "../kit/test.ts";
import { configAt, CONTEXT, loadText, setReply } from "./fixture.ts";

test("a hook runs once per CONFIG SET, after all values are set, and only for changes", () => {
  const config = configAt("/");
  const calls: string[] = [];
  config.onApply(["min-slaves-to-write", "min-replicas-max-lag"], (values) => {
    calls.push(`${values.minReplicasToWrite} ${values.minReplicasMaxLag}`);
    return null;
  });
  config.onApply(["maxmemory"], (values) => {
    calls.push(`memory ${values.maxmemory}`);
    return null;
  });
  config.set(["maxmemory", "1", "min-replicas-to-write", "2", "min-replicas-max-lag", "3"], CONTEXT);
  assertEquals(calls, ["memory 1", "2 3"]);
  config.set(["maxmemory", "1b", "min-replicas-to-write", "2"], CONTEXT);
  assertEquals(calls.length, 2);
  config.set(["maxmemory", "2", "hz", "x"], CONTEXT);
  assertEquals(calls.length, 2);
});

test("a hook's error sets everything back and applies the old values", () => {
  const log: string[] = [];
  const config = configAt("/");
  config.log = (_, message) => log.push(message);
  const ports: number[] = [];
  const limits: number[] = [];
  config.onApply(["maxclients"], (values) => {
    limits.push(values.maxclients);
    return null;
  });
  config.onApply(["port"], (values) => {
    ports.push(values.port);
    return values.port === 1 ? "Unable to listen on this port. Check server logs." : null;
  });
  assertEquals(
    setReply(config, ["maxclients", "50", "save", "", "port", "1"]),
    "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.",
  );
  assertEquals([ports, limits], [[1, 6379], [50, 10000]]);
  assertEquals(config.get(["port", "maxclients", "save"]).map((pair) => pair[1]), [
    "6379",
    "10000",
    "3600 1 300 100 60 10000",
  ]);
  assert(log[0].includes("Possibly related to new port setting"));
});

test("protected and loading-sensitive parameters look at the client and the server", () => {
  const config = configAt("/");
  const local = { loading: false, local: true };
  const remote = { loading: false, local: false };
  const text = "CONFIG SET failed (possibly related to argument 'dir') - can't set protected config";
  assertEquals(config.set(["dir", "/"], local), { kind: "error", text });
  loadText(config, "enable-protected-configs local");
  assertEquals(config.set(["dir", "/tmp"], local), { kind: "ok" });
  assertEquals(config.get(["dir"]), [["dir", "/tmp"]]);
  assertEquals(config.set(["dir", "/"], remote), { kind: "error", text });
  assertEquals(config.set(["dir", "/"], { loading: true, local: true }), { kind: "loading" });
  assertEquals(setReply(config, ["dir", "/", "hz", "x"]).includes("'hz'"), true);
  assertEquals(config.get(["dir"]), [["dir", "/tmp"]]);
  const missing = "ERR CONFIG SET failed (possibly related to argument 'dir') - No such file or directory";
  assertEquals(setReply(config, ["dir", "/nonexistent"]), missing);
});

test("the server can set immutable parameters itself, without hooks", () => {
  const config = configAt("/");
  config.onApply(["replicaof"], () => "must not run");
  assertEquals(config.assume("slaveof", "10.0.0.1 6380"), null);
  assertEquals(config.values.replicaof, { host: "10.0.0.1", port: 6380 });
  assertEquals(config.get(["slaveof"]), [["slaveof", "10.0.0.1 6380"]]);
  assertEquals(config.assume("replicaof", "no one"), null);
  assertEquals(config.values.replicaof, null);
});

test("every field has exactly one parameter", () => {
  const camel = (name: string) => name.replace(/[-_](.)/g, (_, letter: string) => letter.toUpperCase());
  assertEquals(PARAMETERS.map(({ name }) => camel(name)).sort(), [...Object.keys(new ConfigValues()), "dir"].sort());
  const names = PARAMETERS.flatMap(({ name, alias }) => alias === null ? [name] : [name, alias]);
  assertEquals(new Set(names).size, names.length);
});

test("secrets and parameters without effect are known", () => {
  const config = configAt("/");
  assertEquals(["RequirePass", "masterauth", "masteruser", "hz", "nope"].map((name) => config.isSensitive(name)), [
    true,
    true,
    true,
    false,
    false,
  ]);
});

test("parameters that cannot do anything are told if somebody has set them", () => {
  const config = configAt("/");
  assertEquals(config.withoutEffect, []);
  loadText(config, "io-threads 4\nset-proc-title yes\nmaxmemory 100mb");
  assertEquals(config.withoutEffect, [
    { name: "io-threads", reason: "commands and sockets are served by one thread" },
  ]);
});

test("a value beyond 2^53 is shown exactly and rounded for arithmetic", () => {
  const config = configAt("/");
  assertEquals(setReply(config, ["slowlog-max-len", "9007199254740993"]), "OK");
  assertEquals(config.get(["slowlog-max-len"]), [["slowlog-max-len", "9007199254740993"]]);
  assertEquals(config.values.slowlogMaxLen, 2 ** 53);
  assertEquals(setReply(config, ["slowlog-max-len", "5"]), "OK");
  assertEquals(config.get(["slowlog-max-len"]), [["slowlog-max-len", "5"]]);
});
