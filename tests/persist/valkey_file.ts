/** A file that Valkey 8.0.1 saved, in version 11 of the format, and the commands that had brought its data there. */

import { Buffer } from "node:buffer";
import type { Command } from "../kit/client.ts";

export const COMMANDS: readonly Command[] = [
  ["SET", "string", "hello"],
  ["SET", "number", 12345],
  ["SET", "later", "x", "PXAT", 4102444800000],
  ["RPUSH", "list", "a", "b", "c", 1, -5000, 100000],
  ["SADD", "set", "a", "b", "c", 5],
  ["SADD", "intset", 1, 2, 3, 70000],
  ["HSET", "hash", "f", "v", "g", 17],
  ["ZADD", "zset", 1, "a", 2.5, "b", "-inf", "c"],
  ["XADD", "stream", "1-1", "f", "v", "g", "w"],
  ["XADD", "stream", "2-1", "f", "v2", "g", "w2"],
  ["XADD", "stream", "3-5", "other", "x"],
  ["XGROUP", "CREATE", "stream", "group", 0],
  ["XREADGROUP", "GROUP", "group", "alice", "COUNT", 2, "STREAMS", "stream", ">"],
  ["XGROUP", "CREATECONSUMER", "stream", "group", "bob"],
  ["XACK", "stream", "group", "1-1"],
  ["PFADD", "hll", "a", "b", "c"],
  ["SELECT", 3],
  ["SET", "elsewhere", "y"],
  ["SELECT", 0],
];

export const FILE: Uint8Array = Buffer.from(
  "UkVESVMwMDEx+gp2YWxrZXktdmVyBTguMC4x+gpyZWRpcy1iaXRzwED6BWN0aW1lwiefAWv6CHVzZWQtbWVtwugoFwD6DnJlcGwtc3RyZWFtLWRiwAD6B3Jl" +
    "cGwtaWQoYTVmOWY5ZjQ1MTUwZmQ5ZDVjZTAyMWQ2NTEzZGVmM2VlNzJlZTQ5ZfoLcmVwbC1vZmZzZXTATvoIYW9mLWJhc2XAAPVAQiMhbHVhIG5hbWU9bApy" +
    "ZWRpcy5yZWdpc3Rlcl9mdW5jdGlvbignZicsIGZ1bmN0aW9uKCkgcmV0dXJuIDEgZW5kKf4A+woBEgRsaXN0AQIbGwAAAAYAgWECgWICgWMCAQHxeOwD8qCG" +
    "AQT/FANzZXQSEgAAAAQAgWECgWICgWMCBQH/EQR6c2V0HR0AAAAGAIFjAoQtaW5mBYFhAgEBgWICgzIuNQT/CwZpbnRzZXQYBAAAAAQAAAABAAAAAgAAAAMA" +
    "AABwEQEAAAZzdHJpbmcFaGVsbG8VBnN0cmVhbQEQAAAAAAAAAAEAAAAAAAAAAUBHRwAAABkAAwEAAQIBgWYCgWcCAAECAQABAAGBdgKBdwIFAQIBAQEAAYJ2" +
    "MgOCdzIDBQEAAQIBBAEBAYVvdGhlcgaBeAIGAf8DAwUBAQAAAwEFZ3JvdXACAQIBAAAAAAAAAAIAAAAAAAAAAfmxU/6hAQAAAQIFYWxpY2X5sVP+oQEAAPmx" +
    "U/6hAQAAAQAAAAAAAAACAAAAAAAAAAEDYm9i+bFT/qEBAAD//////////wAQBGhhc2gSEgAAAAQAgWYCgXYCgWcCEQH/AAZudW1iZXLBOTAAA2hsbBtIWUxM" +
    "AQAAAAAAAAAAAACAYPOAULGES/uAQlr8ANjDLLsDAAAABWxhdGVyAXj+A/sBAAAJZWxzZXdoZXJlAXn/c8W0Pe48DuY=",
  "base64",
);
