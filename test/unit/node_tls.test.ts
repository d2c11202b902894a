/** TLS of the platform over sockets of a stack: what `tidewire/node/tls` tells people to use meanwhile. */
import { Buffer } from "node:buffer";
import * as platform from "node:tls";
import type { Duplex } from "node:stream";
import { describe, expect, test } from "vitest";
import { netOf } from "../../src/api/node/net.ts";
import type { Socket } from "../../src/api/node/socket.ts";
import { inProcessPair } from "./stack_pairs.ts";

/** A key that both ends have instead of a certificate. RFC 4279. */
const PSK: Buffer = Buffer.from("0123456789abcdef");
const SHARED = { ciphers: "PSK-AES128-GCM-SHA256", maxVersion: "TLSv1.2" } as const;

describe("the platform's TLS over a stack", () => {
  test("tls.connect({ socket }) encrypts what a socket of net carries", async () => {
    const { left, right, rightAddress } = await inProcessPair();
    try {
      const server = netOf(right).createServer((socket: Duplex) => {
        const secure = new platform.TLSSocket(socket, {
          ...SHARED,
          isServer: true,
          pskCallback: () => PSK,
        } as platform.TLSSocketOptions);
        secure.on("data", (words) => secure.end(`you said ${words}`));
      });
      server.listen(443, rightAddress);
      const carried: Buffer[] = [];
      const socket: Socket = netOf(left).connect(443, rightAddress);
      const push = socket.push.bind(socket);
      socket.push = (chunk: unknown): boolean => {
        if (chunk instanceof Buffer) carried.push(chunk);
        return push(chunk);
      };
      const secure = platform.connect({
        ...SHARED,
        socket,
        pskCallback: () => ({ psk: PSK, identity: "test" }),
        checkServerIdentity: () => undefined,
      });
      secure.write("hello");
      const heard = await new Promise((resolve, reject) => {
        secure.once("data", (words) => resolve(String(words)));
        secure.once("error", reject);
      });
      expect(heard).toBe("you said hello");
      expect(secure.getProtocol()).toBe("TLSv1.2");
      expect(Buffer.concat(carried).includes("hello")).toBe(false);
      secure.destroy();
    } finally {
      await left.close();
      await right.close();
    }
  });
});
