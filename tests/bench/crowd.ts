/**
 * Many connections at once, of which nothing is wanted but that they are there: subscribers, clients that wait. What they receive is
 * counted, not parsed, so that thousands of them cost the machine as little as possible beside the server.
 */

import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { type Command, encodeCommand } from "../kit/client.ts";

/** Connections opened at the same time; a server's backlog is longer. */
const AT_ONCE = 200;

export class Crowd {
  /** Bytes that all of them have received together, and how many `received` waits for. */
  #received = 0;
  #wanted = Infinity;
  #arrived: () => void = () => {};
  #failed: (error: Error) => void = () => {};
  #closing = false;
  readonly #sockets: Socket[] = [];

  static async open(port: number, size: number): Promise<Crowd> {
    const crowd = new Crowd();
    while (crowd.size < size) {
      const some = Array.from({ length: Math.min(AT_ONCE, size - crowd.size) }, () => crowd.#connect(port));
      crowd.#sockets.push(...await Promise.all(some));
    }
    return crowd;
  }

  get size(): number {
    return this.#sockets.length;
  }

  #connect(port: number): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1" }, () => resolve(socket));
      socket.setNoDelay(true);
      socket.on("error", reject);
      socket.on("close", () => {
        if (!this.#closing) this.#failed(new Error("the server closed a connection"));
      });
      socket.on("data", (chunk: Uint8Array) => {
        this.#received += chunk.length;
        if (this.#received >= this.#wanted) this.#arrived();
      });
    });
  }

  /** Each sends its command. */
  send(command: (i: number) => Command): void {
    this.#sockets.forEach((socket, i) => socket.write(Buffer.from(encodeCommand(command(i)))));
  }

  /** Resolves when they have received so many bytes since the last time. */
  async received(bytes: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#wanted = bytes;
      this.#arrived = resolve;
      this.#failed = reject;
      if (this.#received >= bytes) resolve();
    });
    this.#wanted = Infinity;
    this.#received -= bytes;
  }

  [Symbol.dispose](): void {
    this.#closing = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Lets all of them subscribe. */
export async function subscribeAll(crowd: Crowd, channel: string): Promise<void> {
  const confirmation = `*3\r\n$9\r\nsubscribe\r\n$${channel.length}\r\n${channel}\r\n:1\r\n`;
  crowd.send(() => ["SUBSCRIBE", channel]);
  await crowd.received(crowd.size * confirmation.length);
}

/** Bytes of a message as a subscriber receives it. */
export function messageBytes(channel: string, message: string): number {
  return `*3\r\n$7\r\nmessage\r\n$${channel.length}\r\n${channel}\r\n$${message.length}\r\n${message}\r\n`.length;
}
