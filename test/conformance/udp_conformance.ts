/** What every NetworkStack does with datagrams, wherever it runs: cases of `bindUdp()`. */
import { expect } from "vitest";
import type { UdpBindOptions, UdpSocket, UdpTrouble } from "../../src/options.ts";
import {
  codeOf,
  paired,
  type PairFactory,
  pattern,
  pause,
  PORT,
  type StackPair,
} from "./joined.ts";

/** A pair of stacks with a socket each. */
interface Bound extends StackPair {
  /** At the left stack, an ephemeral port. */
  readonly near: UdpSocket;
  /** At the right stack, port 7. */
  readonly far: UdpSocket;
}

function bound(
  name: string,
  make: PairFactory,
  run: (pair: Bound) => Promise<void>,
  options: UdpBindOptions = {},
): void {
  paired(name, make, async (pair) => {
    const near = await pair.left.bindUdp(options);
    const far = await pair.right.bindUdp({ port: PORT });
    await run({ ...pair, near, far });
  });
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function bytes(of: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(of);
}

/** Datagrams and where they come from. */
export function udpCases(make: PairFactory): void {
  bound("send() and receive() keep boundaries, when there are many", make, async (pair) => {
    const { near, far, rightAddress, leftAddress } = pair;
    const to = { hostname: rightAddress, port: PORT };
    const sizes = [0, 1, 700, 1_472];
    for (const size of sizes) await near.send(pattern(size), to);
    for (const size of sizes) {
      const datagram = await far.receive();
      expect(datagram.data).toEqual(pattern(size));
      expect(datagram.bytes).toBe(size);
      expect(datagram.address).toEqual({ hostname: leftAddress, port: near.address.port });
      expect(datagram.localHostname).toBe(rightAddress);
    }
    await far.send(bytes("back"), { hostname: leftAddress, port: near.address.port });
    expect(text((await near.receive()).data)).toBe("back");
  });

  bound("receive() cuts what does not fit, and says so", make, async ({ near, far, ...pair }) => {
    await near.send(bytes("hello"), { hostname: pair.rightAddress, port: PORT });
    const room = new Uint8Array(3);
    const { data, bytes: size } = await far.receive(room);
    expect([text(data), size, data.buffer]).toEqual(["hel", 5, room.buffer]);
    await near.send(bytes("ab"), { hostname: pair.rightAddress, port: PORT });
    const waiting = near.receive(room);
    const { address } = await far.receive();
    await far.send(bytes("world"), address);
    expect(text((await waiting).data)).toBe("wor");
  });

  bound("for await gives datagrams and ends, when it is closed", make, async (pair) => {
    const { near, far, rightAddress } = pair;
    const got: string[] = [];
    const reading = (async () => {
      for await (const { data } of far) {
        got.push(text(data));
        if (got.length === 3) far.close();
      }
    })();
    for (const one of ["a", "b", "c"]) {
      await near.send(bytes(one), { hostname: rightAddress, port: PORT });
    }
    await reading;
    expect(got).toEqual(["a", "b", "c"]);
  });

  queueCases(make);
  connectedCases(make);
  closedCases(make);
  badInputCases(make);
}

function queueCases(make: PairFactory): void {
  const options = { receiveBufferBytes: 4 * (256 + 100) };
  bound("a full queue drops the newest and counts them", make, async (pair) => {
    const { near, far, leftAddress } = pair;
    const to = { hostname: leftAddress, port: near.address.port };
    for (let i = 0; i < 10; i++) await far.send(pattern(100, i), to);
    while ((await near.info()).dropped < 6) await pause(1);
    expect(await near.info()).toMatchObject({ datagramsIn: 4, dropped: 6, queued: 4 });
    for (let i = 0; i < 4; i++) expect((await near.receive()).data).toEqual(pattern(100, i));
    await far.send(pattern(9), to);
    expect((await near.receive()).data).toEqual(pattern(9));
    expect((await pair.left.stats())["host_udp_queue"]).toBe(6);
  }, options);

  bound("send() waits for room, when many go at once", make, async ({ near, far, ...pair }) => {
    await far.setOptions({ receiveBufferBytes: 16_777_216 });
    const to = { hostname: pair.rightAddress, port: PORT };
    await near.send(bytes("first"), to);
    await far.receive();
    const count = 900;
    const sends = Array.from({ length: count }, (_, i) => near.send(pattern(1_400, i), to));
    await Promise.all(sends);
    for (let i = 0; i < count; i++) {
      const { data } = await far.receive();
      if (data[100] !== pattern(1_400, i)[100]) throw new Error(`Datagram ${i} is not its own`);
    }
    expect((await near.info()).datagramsOut).toBe(count + 1);
  });
}

function connectedCases(make: PairFactory): void {
  bound("connect() names the default, and for others the port is closed", make, async (pair) => {
    const { near, far, left, right, rightAddress, leftAddress } = pair;
    const other = await right.bindUdp({ port: PORT + 1 });
    expect(near.remoteAddress).toBe(null);
    await near.connect({ hostname: rightAddress, port: PORT });
    expect(near.remoteAddress).toEqual({ hostname: rightAddress, port: PORT });
    expect(near.address.hostname).toBe(leftAddress);
    await other.send(bytes("stranger"), near.address);
    await near.send(bytes("hello"));
    await far.send(bytes("friend"), (await far.receive()).address);
    expect(text((await near.receive()).data)).toBe("friend");
    expect((await left.stats())["host_udp_port"]).toBe(1);
    await near.disconnect();
    expect(near.remoteAddress).toBe(null);
    await other.send(bytes("stranger"), { hostname: leftAddress, port: near.address.port });
    expect(text((await near.receive()).data)).toBe("stranger");
  });

  bound("a connected socket is told once that nobody listens", make, async ({ near, ...pair }) => {
    const troubles: UdpTrouble[] = [];
    near.onTrouble = (trouble) => void troubles.push(trouble);
    const to = { hostname: pair.rightAddress, port: 9 };
    await near.connect(to);
    const waiting = near.receive();
    await near.send(bytes("x"));
    expect(await codeOf(waiting)).toBe("ECONNREFUSED");
    expect(troubles).toEqual([{ reason: "PORT_UNREACHABLE", address: to }]);
    await near.send(bytes("y"));
    while (troubles.length < 2) await pause(1);
    expect(await codeOf(near.send(bytes("z")))).toBe("ECONNREFUSED");
    expect(await codeOf(near.send(bytes("z")))).toBe("none");
  });
}

function closedCases(make: PairFactory): void {
  bound("close() ends what waits and what comes", make, async ({ near, far, ...pair }) => {
    const waiting = near.receive();
    near.close();
    near.close();
    const to = { hostname: pair.rightAddress, port: PORT };
    expect(await codeOf(waiting)).toBe("EBADF");
    expect(await codeOf(near.receive())).toBe("EBADF");
    expect(await codeOf(near.send(bytes("x"), to))).toBe("EBADF");
    expect(await codeOf(near.connect(to))).toBe("EBADF");
    expect(await codeOf(near.setOptions({}))).toBe("EBADF");
    expect(await codeOf(near.joinMulticast("239.1.1.1"))).toBe("EBADF");
    await far[Symbol.asyncDispose]();
    const again = await pair.right.bindUdp({ port: PORT });
    expect(again.address.port).toBe(PORT);
  });

  bound("the stack's end closes its sockets", make, async ({ near, left }) => {
    const waiting = codeOf(near.receive());
    await left.close();
    expect(await waiting).toBe("EBADF");
    expect(await codeOf(left.bindUdp())).toBe("EBADF");
  });

  paired("a signal closes the socket", make, async ({ left }) => {
    const controller = new AbortController();
    const socket = await left.bindUdp({ signal: controller.signal });
    const waiting = codeOf(socket.receive());
    controller.abort();
    expect(await waiting).toBe("EBADF");
    await expect(left.bindUdp({ signal: controller.signal })).rejects.toThrow("abort");
  });
}

function badInputCases(make: PairFactory): void {
  const rejects = async (promise: Promise<unknown>, wanted: typeof Error): Promise<void> => {
    await expect(promise).rejects.toBeInstanceOf(wanted);
  };

  paired("bindUdp() refuses what can not be bound", make, async ({ left, rightAddress }) => {
    await rejects(left.bindUdp({ port: 65_536 }), RangeError);
    await rejects(left.bindUdp({ port: "7" as unknown as number }), TypeError);
    await rejects(left.bindUdp({ hostname: "example.com" }), RangeError);
    await rejects(left.bindUdp({ ttl: 0 }), RangeError);
    await rejects(left.bindUdp({ receiveBufferBytes: 10 }), RangeError);
    await rejects(left.bindUdp({ broadcast: 1 as unknown as boolean }), TypeError);
    expect(await codeOf(left.bindUdp({ hostname: rightAddress }))).toBe("EADDRNOTAVAIL");
    const first = await left.bindUdp({ port: PORT });
    expect(await codeOf(left.bindUdp({ port: PORT }))).toBe("EADDRINUSE");
    expect(await codeOf(left.bindUdp({ port: PORT, reuseAddress: true }))).toBe("EADDRINUSE");
    first.close();
    await left.bindUdp({ port: PORT, reuseAddress: true });
    await left.bindUdp({ port: PORT, reuseAddress: true });
  });

  bound("send() refuses what can not be sent", make, async ({ near, ...pair }) => {
    const to = { hostname: pair.rightAddress, port: PORT };
    await rejects(near.send(bytes("x")), TypeError);
    await rejects(near.send("x" as unknown as Uint8Array, to), TypeError);
    await rejects(near.send(bytes("x"), { ...to, port: 0 }), RangeError);
    await rejects(near.send(bytes("x"), { hostname: "", port: 7 }), RangeError);
    await rejects(near.setOptions({ ttl: 256 }), RangeError);
    expect(await codeOf(near.send(new Uint8Array(65_508), to))).toBe("EMSGSIZE");
    expect(await codeOf(near.send(bytes("x"), { ...to, hostname: "192.0.2.1" })))
      .toBe("ENETUNREACH");
    expect(await codeOf(near.leaveMulticast("239.1.1.1"))).toBe("EADDRNOTAVAIL");
    await rejects(near.joinMulticast("10.0.0.1"), RangeError);
  });

  bound("broadcast has to be allowed, and reaches all", make, async ({ near, far }) => {
    const to = { hostname: "255.255.255.255", port: PORT };
    expect(await codeOf(near.send(bytes("x"), to))).toBe("EACCES");
    expect(await codeOf(near.send(bytes("x"), { ...to, hostname: "10.0.0.255" }))).toBe("EACCES");
    await near.setOptions({ broadcast: true, ttl: 3 });
    expect(await near.getOptions()).toMatchObject({ broadcast: true, ttl: 3, multicastTtl: 1 });
    await near.send(bytes("all"), to);
    await near.send(bytes("net"), { ...to, hostname: "10.0.0.255" });
    const first = await far.receive();
    expect([text(first.data), first.localHostname]).toEqual(["all", "255.255.255.255"]);
    expect(text((await far.receive()).data)).toBe("net");
  });
}
