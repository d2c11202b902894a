import { afterEach, describe, expect, test } from "vitest";
import { createStack, type InProcessStack } from "../../src/api/network_stack.ts";
import { coreConfig, MIB } from "../../src/core/core_config.ts";
import { FEATURE_ANY_ADDRESS } from "../../src/layout/layout.gen.ts";
import { pipe, type PipeDevice } from "../../src/link/pipe.ts";
import type { ConnectOptions, ListenOptions, StackOptions } from "../../src/options.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { tunedConfig } from "../../src/tcp/tuning.ts";

const MAC = new Uint8Array([2, 0, 0, 0, 0, 1]);
const TUNING = { memoryMiB: 16, maxConnections: 64 };
const ADDRESS = { cidr: "10.0.0.1/24" };

let stacks: InProcessStack[] = [];

afterEach(async () => {
  for (const stack of stacks) await stack.close();
  stacks = [];
});

async function stackOf(options: Partial<StackOptions> = {}): Promise<InProcessStack> {
  const [link] = pipe({ clock: systemClock() });
  const stack = await createStack({ link, address: ADDRESS, tuning: TUNING, ...options });
  stacks.push(stack);
  return stack;
}

describe("coreConfig()", () => {
  test("scales its tables with memory", () => {
    const small = coreConfig({ mac: MAC, mtu: 1500, memoryBytes: 64 * MIB });
    const large = coreConfig({ mac: MAC, mtu: 1500 });
    expect([small.maxConnections, large.maxConnections]).toEqual([16_384, 65_536]);
    expect(large.memoryBytes).toBe(256 * MIB);
    expect(large.maxFlights).toBe(16_384);
  });

  test("keeps RFC limits by default", () => {
    const config = coreConfig({ mac: MAC, mtu: 1500 });
    expect(config.synR2Ms).toBeGreaterThanOrEqual(180_000);
    expect(config.dataR2Ms).toBeGreaterThanOrEqual(100_000);
    expect(config.rtoMaxMs).toBeGreaterThanOrEqual(60_000);
    expect(config.delayedAckMs).toBeLessThan(500);
  });
});

describe("tunedConfig()", () => {
  test("takes what is given", () => {
    const config = tunedConfig(
      { memoryMiB: 32, receiveBufferBytes: 8192, rtoMinMs: 2_000, ackEvery: 2, anyAddress: true },
      MAC,
      1400,
    );
    expect(config.memoryBytes).toBe(32 * MIB);
    expect(config.receiveBufferInitial).toBe(8192);
    expect(config.receiveBufferMax).toBe(8192);
    expect(config.rtoInitialMs).toBe(2_000);
    expect(config.ackEvery).toBe(2);
    expect(config.mtu).toBe(1400);
    expect(config.features & FEATURE_ANY_ADDRESS).toBe(FEATURE_ANY_ADDRESS);
  });

  test.each([
    { memoryMiB: 0 },
    { memoryMiB: 4097 },
    { memoryMiB: 1.5 },
    { maxConnections: 0 },
    { receiveBufferBytes: 5 * MIB },
    { sendBufferBytes: 1 },
    { mslMs: 0 },
    { rtoMinMs: NaN },
    { ackEvery: 3 },
  ])("refuses %o as out of range", (tuning) => {
    expect(() => tunedConfig(tuning, MAC, 1500)).toThrow(RangeError);
  });

  test("refuses a text for a number as a TypeError", () => {
    const tuning = { memoryMiB: "64" as unknown as number };
    expect(() => tunedConfig(tuning, MAC, 1500)).toThrow(TypeError);
  });
});

describe("createStack()", () => {
  test.each([
    ["no options", undefined, TypeError],
    ["an unknown address", { address: "ppp" }, TypeError],
    ["no list of addresses", { address: { cidr: [] } }, RangeError],
    ["an IPv6 address of a group", { address: { cidr: "ff02::1/64" } }, RangeError],
    ["a gateway without an address", { address: { ...ADDRESS, gateway: "fd00::1" } }, RangeError],
    [
      "two gateways of a family",
      { address: { ...ADDRESS, gateway: ["10.0.0.1", "10.0.0.3"] } },
      RangeError,
    ],
    ["a key that is none", { addressKey: "secret" }, TypeError],
    ["a key that is too short", { addressKey: new Uint8Array(8) }, RangeError],
    ["an address without prefix", { address: { cidr: "10.0.0.1" } }, RangeError],
    ["an address of a network", { address: { cidr: "10.0.0.0/24" } }, RangeError],
    ["a gateway that is none", { address: { ...ADDRESS, gateway: "10.0.0" } }, RangeError],
    ["memory that can not be", { tuning: { memoryMiB: 100_000 } }, RangeError],
    ["no link", { link: null }, TypeError],
    ["a core that is none", { wasm: new Uint8Array(3) }, TypeError],
  ])("refuses %s", async (_, options, error) => {
    const [link] = pipe({ clock: new VirtualClock() });
    const given = options && { link, address: ADDRESS, tuning: TUNING, ...options };
    await expect(createStack(given as StackOptions)).rejects.toThrow(error);
  });

  test("closes the link when it fails", async () => {
    const [link, other] = pipe({ clock: new VirtualClock() });
    const downs: string[] = [];
    const nothing = () => {};
    other.open({ receive: nothing, ready: nothing, up: nothing, down: (why) => downs.push(why) });
    const tuning = { memoryMiB: 0 };
    await expect(createStack({ link, address: ADDRESS, tuning })).rejects.toThrow(RangeError);
    expect(() => link.open({ receive: nothing, ready: nothing, up: nothing, down: nothing }))
      .toThrow();
  });

  test("waits until the link has opened", async () => {
    const [link] = pipe({ clock: systemClock() });
    let open: (value: unknown) => void = () => {};
    const slow: PipeDevice & { opened: Promise<unknown> } = Object.assign(
      Object.create(link) as PipeDevice,
      { opened: new Promise((resolve) => (open = resolve)) },
    );
    slow.open = (sink) => link.open(sink);
    slow.room = () => link.room();
    slow.send = (batch) => link.send(batch);
    slow.close = () => link.close();
    let made = false;
    const making = stackOf({ link: slow }).then(() => (made = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(made).toBe(false);
    open(undefined);
    await making;
  });

  test("is ready at once with a static address", async () => {
    const stack = await stackOf({
      address: { cidr: "10.0.0.5/8", gateway: "10.0.0.1", dns: ["10.0.0.53"] },
    });
    expect(await stack.ready).toEqual({
      address: "10.0.0.5",
      prefixLength: 8,
      gateway: "10.0.0.1",
      dns: ["10.0.0.53"],
      mac: expect.stringMatching(/^.[26ae](:..){5}$/),
      mtu: 1500,
      leaseSeconds: null,
      addresses: [{
        address: "10.0.0.5",
        prefixLength: 8,
        family: 4,
        origin: "static",
        isDeprecated: false,
      }],
      gateways: ["10.0.0.1"],
    });
  });
});

describe("connect() and listen()", () => {
  const good: ConnectOptions = { hostname: "10.0.0.2", port: 80 };

  test.each([
    ["port 0", { port: 0 }, RangeError],
    ["port 65536", { port: 65_536 }, RangeError],
    ["port 1.5", { port: 1.5 }, RangeError],
    ["a port as text", { port: "80" }, TypeError],
    ["no hostname", { hostname: undefined }, TypeError],
    ["an empty hostname", { hostname: "" }, RangeError],
    ["a local port out of range", { localPort: -1 }, RangeError],
    ["a local address that is none", { localAddress: "10.0.0" }, RangeError],
    ["no time", { connectTimeoutMs: 0 }, RangeError],
  ])("connect() refuses %s", async (_, options, error) => {
    const stack = await stackOf();
    await expect(stack.connect({ ...good, ...options } as ConnectOptions)).rejects.toThrow(error);
  });

  test.each([
    ["port 65536", { port: 65_536 }, RangeError],
    ["a port as text", { port: "80" }, TypeError],
    ["backlog 0", { port: 80, backlog: 0 }, RangeError],
    ["a name", { port: 80, hostname: "example.com" }, RangeError],
  ])("listen() refuses %s", async (_, options, error) => {
    const stack = await stackOf();
    await expect(stack.listen(options as ListenOptions)).rejects.toThrow(error);
  });

  test.each([
    ["an address that is not ours", { localAddress: "10.0.0.9" }, "EADDRNOTAVAIL"],
    ["a host without a route", { hostname: "192.0.2.1" }, "ENETUNREACH"],
    ["a name without a name server", { hostname: "example.com" }, "ENOTFOUND"],
  ])("connect() rejects %s", async (_, options, code) => {
    const stack = await stackOf();
    await expect(stack.connect({ ...good, ...options })).rejects.toMatchObject({ code });
  });

  test("connect() rejects a local port that is in use", async () => {
    const stack = await stackOf();
    await stack.listen({ port: 4000 });
    await expect(stack.connect({ ...good, localPort: 4000 }))
      .rejects.toMatchObject({ code: "EADDRINUSE" });
    await expect(stack.listen({ port: 4000 })).rejects.toMatchObject({ code: "EADDRINUSE" });
    await expect(stack.listen({ port: 4001, hostname: "10.0.0.9" }))
      .rejects.toMatchObject({ code: "EADDRNOTAVAIL" });
  });

  test("connect() rejects with the signal's reason, before and during", async () => {
    const stack = await stackOf();
    const reason = new Error("enough");
    const before = stack.connect({ ...good, signal: AbortSignal.abort(reason) });
    await expect(before).rejects.toBe(reason);
    const controller = new AbortController();
    const during = stack.connect({ ...good, signal: controller.signal });
    setTimeout(() => controller.abort(reason), 5);
    await expect(during).rejects.toBe(reason);
    expect(stack.manager.size).toBe(0);
  });

  test("connect() waits for an address within its time, then ETIMEDOUT", async () => {
    const stack = await stackOf({ address: "dhcp" });
    await expect(stack.connect({ ...good, connectTimeoutMs: 30 }))
      .rejects.toMatchObject({ code: "ETIMEDOUT" });
  });

  test("everything is EBADF after close()", async () => {
    const stack = await stackOf({ address: "dhcp" });
    const pending = stack.connect(good);
    const listener = await stack.listen({ port: 80 });
    const accepting = listener.accept();
    await Promise.all([
      expect(pending).rejects.toMatchObject({ code: "EBADF" }),
      expect(accepting).rejects.toMatchObject({ code: "EBADF" }),
      expect(stack.ready).rejects.toMatchObject({ code: "EBADF" }),
      stack.close(),
    ]);
    const code = "EBADF";
    await expect(stack.connect(good)).rejects.toMatchObject({ code });
    await expect(stack.listen({ port: 80 })).rejects.toMatchObject({ code });
    await expect(stack.resolve("example.com")).rejects.toMatchObject({ code });
    await expect(stack.stats()).rejects.toMatchObject({ code });
    await expect(stack.connections()).rejects.toMatchObject({ code });
    await stack.close();
  });
});
