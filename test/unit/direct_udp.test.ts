/** `UDPSocket` of `tidewire/direct` over two stacks. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type DirectSockets,
  directSocketsOf,
  type UDPMessage,
  type UDPSocketOptions,
} from "../../src/api/direct/mod.ts";
import type { UdpSocket } from "../../src/options.ts";
import { pause, type StackPair } from "../conformance/joined.ts";
import { inProcessPair } from "./stack_pairs.ts";

const HOST = "10.0.0.2";
const PORT = 53;

let pair: StackPair;
let far: UdpSocket;
let direct: DirectSockets;

beforeEach(async () => {
  pair = await inProcessPair();
  far = await pair.right.bindUdp({ hostname: HOST, port: PORT });
  direct = directSocketsOf(pair.left);
});

afterEach(async () => {
  await pair.left.close();
  await pair.right.close();
});

function bytes(...values: number[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(values);
}

async function nameOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(() => "it did not fail", (error) => (error as Error).name);
}

async function stateOf(promise: Promise<unknown>): Promise<string> {
  const states = promise.then(() => "fulfilled", () => "rejected");
  return await Promise.race([states, pause(20).then(() => "pending")]);
}

describe("a UDPSocket", () => {
  test("that is connected sends to its peer and hears it alone", async () => {
    const socket = new direct.UDPSocket({ remoteAddress: HOST, remotePort: PORT });
    const info = await socket.opened;
    expect([info.remoteAddress, info.remotePort, info.localAddress])
      .toEqual([HOST, PORT, "10.0.0.1"]);
    await info.writable.getWriter().write({ data: bytes(1, 2).buffer });
    const { data, address } = await far.receive();
    expect(data).toEqual(bytes(1, 2));
    expect(address).toEqual({ hostname: "10.0.0.1", port: info.localPort });
    const stranger = await pair.right.bindUdp({ hostname: HOST, port: 0 });
    await stranger.send(bytes(9), address);
    await far.send(bytes(3), address);
    const { value } = await info.readable.getReader().read();
    expect(value).toEqual({ data: bytes(3), remoteAddress: null, remotePort: null });
  });

  test("that is bound hears everybody, and answers each", async () => {
    const socket = new direct.UDPSocket({ localAddress: "10.0.0.1", localPort: 69 });
    const { readable, writable, remoteAddress, localPort } = await socket.opened;
    expect([remoteAddress, localPort]).toEqual([null, 69]);
    await far.send(bytes(1), { hostname: "10.0.0.1", port: 69 });
    const { value } = await readable.getReader().read();
    expect(value).toEqual({ data: bytes(1), remoteAddress: HOST, remotePort: PORT });
    const writer = writable.getWriter();
    await writer.write({
      data: new DataView(bytes(0, 2).buffer, 1),
      remoteAddress: HOST,
      remotePort: PORT,
    });
    expect((await far.receive()).data).toEqual(bytes(2));
  });

  test("is closed once both streams are", async () => {
    const socket = new direct.UDPSocket({ localAddress: "0.0.0.0", localPort: 69 });
    const { readable, writable } = await socket.opened;
    await readable.cancel();
    expect(await stateOf(socket.closed)).toBe("pending");
    await writable.close();
    await socket.closed;
    const again = new direct.UDPSocket({ localAddress: "0.0.0.0", localPort: 69 });
    await again.opened;
    const clash = new direct.UDPSocket({ localAddress: "0.0.0.0", localPort: 69 });
    expect(await nameOf(clash.opened)).toBe("NetworkError");
    expect(await nameOf(clash.closed)).toBe("NetworkError");
  });

  test("close() ends both streams, but not before it is open or while one is locked", async () => {
    const socket = new direct.UDPSocket({ localAddress: "0.0.0.0" });
    expect(await nameOf(socket.close())).toBe("InvalidStateError");
    const { readable, writable } = await socket.opened;
    for (const lock of [readable.getReader(), writable.getWriter()]) {
      expect(await nameOf(socket.close())).toBe("InvalidStateError");
      lock.releaseLock();
    }
    await socket.close();
    await socket.closed;
    expect((await readable.getReader().read()).done).toBe(true);
  });

  test("whose port nobody has is told so by the peer's host", async () => {
    const socket = new direct.UDPSocket({ remoteAddress: HOST, remotePort: 7 });
    const { readable, writable } = await socket.opened;
    const reading = nameOf(readable.getReader().read());
    await writable.getWriter().write({ data: bytes(1) });
    expect(await reading).toBe("NetworkError");
  });

  test("refuses messages that say too much or too little", async () => {
    const BOUND: readonly unknown[] = [
      { data: bytes(1) },
      { data: bytes(1), remoteAddress: HOST },
      { data: bytes(1), remoteAddress: HOST, remotePort: 0 },
      { data: "text", remoteAddress: HOST, remotePort: 1 },
      {},
      7,
    ];
    for (const message of BOUND) {
      const { writable } = await new direct.UDPSocket({ localAddress: "0.0.0.0" }).opened;
      expect(await nameOf(writable.getWriter().write(message as UDPMessage))).toBe("TypeError");
    }
    const { writable } = await new direct.UDPSocket({ remoteAddress: HOST, remotePort: 1 }).opened;
    const addressed = { data: bytes(1), remoteAddress: HOST, remotePort: 1 };
    expect(await nameOf(writable.getWriter().write(addressed))).toBe("TypeError");
  });

  test("that fails to send errors writable, and closed tells that first", async () => {
    const socket = new direct.UDPSocket({ localAddress: "0.0.0.0" });
    const { readable, writable } = await socket.opened;
    const large = { data: new Uint8Array(70_000), remoteAddress: HOST, remotePort: PORT };
    expect(await nameOf(writable.getWriter().write(large))).toBe("NetworkError");
    await readable.cancel();
    expect(await nameOf(socket.closed)).toBe("NetworkError");
  });

  test("takes ports as WebIDL does, and refuses others in messages", async () => {
    // A fraction is cut off, and digits are a number.
    for (const remotePort of [1.5, "1"]) {
      const options = { remoteAddress: HOST, remotePort: remotePort as number };
      expect((await new direct.UDPSocket(options).opened).remotePort).toBe(1);
    }
    for (const remotePort of [65_536, -1, NaN, 0, "x"]) {
      const { writable } = await new direct.UDPSocket({ localAddress: "0.0.0.0" }).opened;
      const message = { data: bytes(1), remoteAddress: HOST, remotePort: remotePort as number };
      expect(await nameOf(writable.getWriter().write(message))).toBe("TypeError");
    }
  });

  test("fails to open where it can not be", async () => {
    for (const localAddress of ["9.9.9.9", "::g", "300.1.1.1", "a b"]) {
      const socket = new direct.UDPSocket({ localAddress });
      expect([localAddress, await nameOf(socket.opened)]).toEqual([localAddress, "NetworkError"]);
      expect(await nameOf(socket.closed)).toBe("NetworkError");
      expect(await nameOf(socket.close())).toBe("InvalidStateError");
    }
    for (const remoteAddress of ["::g", "300.1.1.1", "a b"]) {
      const socket = new direct.UDPSocket({ remoteAddress, remotePort: 1 });
      expect([remoteAddress, await nameOf(socket.opened)]).toEqual([remoteAddress, "NetworkError"]);
    }
  });

  test("can not be used after close()", async () => {
    const socket = new direct.UDPSocket({ localAddress: "0.0.0.0" });
    const { readable, writable, multicastController } = await socket.opened;
    await socket.close();
    await socket.closed;
    const message = { data: bytes(1), remoteAddress: HOST, remotePort: PORT };
    expect(await nameOf(writable.getWriter().write(message))).toBe("InvalidStateError");
    expect((await readable.getReader().read()).done).toBe(true);
    expect(await nameOf(multicastController.joinGroup("239.1.2.3"))).toBe("InvalidStateError");
  });

  test("joins groups and leaves them", async () => {
    const group = "239.1.2.3";
    const local = { localAddress: "0.0.0.0", localPort: 5_353, multicastAllowAddressSharing: true };
    const { readable, multicastController } = await new direct.UDPSocket(local).opened;
    const other = await new direct.UDPSocket(local).opened;
    await multicastController.joinGroup(group);
    expect(multicastController.joinedGroups).toEqual([group]);
    expect(other.multicastController.joinedGroups).toEqual([]);
    await far.send(bytes(1), { hostname: group, port: 5_353 });
    const { value } = await readable.getReader().read();
    expect(value?.data).toEqual(bytes(1));
    expect(await nameOf(multicastController.joinGroup("a.example"))).toBe("TypeError");
    expect(await nameOf(multicastController.joinGroup("10.0.0.9"))).toBe("NetworkError");
    expect(await nameOf(multicastController.leaveGroup("239.9.9.9"))).toBe("NetworkError");
    await multicastController.leaveGroup(group);
    expect(multicastController.joinedGroups).toEqual([]);
  });

  test("is not allowed by the policy", async () => {
    const { UDPSocket } = directSocketsOf(pair.left, { isAllowed: ({ kind }) => kind !== "udp" });
    expect(await nameOf(new UDPSocket({ localAddress: "0.0.0.0" }).opened)).toBe("NotAllowedError");
  });

  test("dnsQueryType chooses among the addresses of a name", async () => {
    const stack = Object.create(pair.left, {
      resolve: { value: () => Promise.resolve(["2001:db8::1", HOST]) },
      bindUdp: { value: pair.left.bindUdp.bind(pair.left) },
    });
    const { UDPSocket } = directSocketsOf(stack);
    const named = { remoteAddress: "a.example", remotePort: PORT };
    const socket = new UDPSocket({ ...named, dnsQueryType: "ipv4" });
    expect((await socket.opened).remoteAddress).toBe(HOST);
  });

  const BAD: readonly unknown[] = [
    undefined,
    {},
    "options",
    { remoteAddress: HOST },
    { remotePort: 1 },
    { remoteAddress: HOST, remotePort: 0 },
    { remoteAddress: HOST, remotePort: 65_536 },
    { remoteAddress: HOST, remotePort: 1, localAddress: "0.0.0.0" },
    { remoteAddress: HOST, remotePort: 1, ipv6Only: true },
    { remoteAddress: HOST, remotePort: 1, dnsQueryType: "ipv5" },
    { remoteAddress: HOST, remotePort: 1, receiveBufferSize: 0 },
    { localPort: 1 },
    { localAddress: "0.0.0.0", multicastTimeToLive: 256 },
    { localAddress: "0.0.0.0", multicastTimeToLive: -1 },
    { localAddress: "0.0.0.0", localPort: 0 },
    { localAddress: "0.0.0.0", ipv6Only: true },
    { localAddress: "0.0.0.0", dnsQueryType: "ipv4" },
    { localAddress: "" },
    ...[-1, NaN, Infinity, "x", {}].map((remotePort) => ({ remoteAddress: HOST, remotePort })),
    ...[65_536, -1, NaN, "x"].map((localPort) => ({ localAddress: "0.0.0.0", localPort })),
    ...[-1, NaN, 2 ** 32].map((size) => ({ localAddress: "0.0.0.0", receiveBufferSize: size })),
    { localAddress: "0.0.0.0", sendBufferSize: 0 },
    { localAddress: "0.0.0.0", multicastTimeToLive: NaN },
  ];
  test.each(BAD)("with %j throws a TypeError", (options) => {
    expect(() => new direct.UDPSocket(options as UDPSocketOptions)).toThrow(TypeError);
  });
});
