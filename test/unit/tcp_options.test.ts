import { describe, expect, test } from "vitest";
import {
  CONGESTION_CUBIC,
  FEATURE_ECN,
  FEATURE_ECN_ACCEPT,
  FEATURE_FAST_OPEN_CLIENT,
  FEATURE_SACK,
  OPTION_CONGESTION,
  OPTION_KEEP_ALIVE,
  OPTION_KEEP_IDLE,
  OPTION_USER_TIMEOUT,
} from "../../src/layout/layout.gen.ts";
import type { TcpOptions, Tuning } from "../../src/options.ts";
import {
  coreOptions,
  lateOptions,
  listenerOptions,
  pickTcpOptions,
  readTcpOptions,
} from "../../src/tcp/tcp_options.ts";
import { tunedConfig } from "../../src/tcp/tuning.ts";

const MAC = new Uint8Array([2, 0, 0, 0, 0, 1]);

/** Every option with a value that differs from its default. */
const ALL: Required<TcpOptions> = {
  noDelay: true,
  cork: true,
  keepAlive: true,
  keepIdleMs: 1000,
  keepIntervalMs: 200,
  keepCount: 3,
  userTimeoutMs: Infinity,
  sendUserTimeout: true,
  finWait2Ms: 5000,
  lingerMs: 0,
  tos: 184,
  ttl: 9,
  maxSegmentBytes: 600,
  congestionControl: "cubic",
  quickAck: false,
  receiveBufferBytes: 8192,
  sendBufferBytes: 8192,
  windowClampBytes: 4096,
  maxPacingRate: 1_000_000,
  fastOpen: true,
  ecn: true,
  timestamps: false,
  softErrors: false,
  mtuDiscovery: "probe",
};

describe("options of a connection", () => {
  test("come back from the core as they were given", () => {
    const core = new Map(coreOptions(ALL).map(({ option, value }) => [option, value]));
    expect(core.size).toBe(Object.keys(ALL).length);
    expect(readTcpOptions((option) => core.get(option) ?? -1)).toEqual(ALL);
  });

  test("become the core's numbers", () => {
    const found = coreOptions({ congestionControl: "cubic", userTimeoutMs: Infinity });
    expect(found).toEqual([
      { name: "userTimeoutMs", option: OPTION_USER_TIMEOUT, value: 2_147_483_647 },
      { name: "congestionControl", option: OPTION_CONGESTION, value: CONGESTION_CUBIC },
    ]);
  });

  test("are set in an order in which times come before what they time", () => {
    const found = coreOptions({ keepAlive: true, keepIdleMs: 5 }).map(({ option }) => option);
    expect(found).toEqual([OPTION_KEEP_IDLE, OPTION_KEEP_ALIVE]);
  });

  test("are null, when the connection is gone", () => {
    expect(readTcpOptions(() => -1)).toBeNull();
  });

  test("are picked out of what else connect() takes", () => {
    const options: TcpOptions & { port: number } = { port: 1, noDelay: true };
    expect(pickTcpOptions(options)).toEqual({ noDelay: true });
  });

  test("of a listener make Fast Open a queue", () => {
    const [one] = listenerOptions({ fastOpen: true });
    expect(one?.value).toBeGreaterThan(1);
  });

  test.each([
    { tos: 3 },
    { tos: 256 },
    { ttl: 0 },
    { ttl: 1.5 },
    { keepCount: 256 },
    { keepIdleMs: 0 },
    { lingerMs: -1 },
    { finWait2Ms: Infinity },
    { maxSegmentBytes: 63 },
    { sendBufferBytes: 4_194_305 },
    { congestionControl: "vegas" },
    { mtuDiscovery: "maybe" },
  ])("refuse %o as out of range", (options) => {
    expect(() => coreOptions(options as TcpOptions)).toThrow(RangeError);
  });

  test.each([{ noDelay: 1 }, { ttl: "64" }, { congestionControl: 1 }, { userTimeoutMs: null }])(
    "refuse %o as of another type",
    (options) => {
      expect(() => coreOptions(options as unknown as TcpOptions)).toThrow(TypeError);
    },
  );

  test.each([{ maxSegmentBytes: 600 }, { timestamps: false }, { ecn: true }, { fastOpen: true }])(
    "refuse %o once the SYN is sent",
    (options) => {
      expect(() => lateOptions(options)).toThrow(TypeError);
    },
  );
});

describe("tuning", () => {
  test("takes numbers, policies and switches", () => {
    const config = tunedConfig(
      {
        congestionControl: "cubic",
        ecn: "ask",
        synCookies: "always",
        mtuProbing: "off",
        tos: 8,
        ttl: 12,
        keepCount: 4,
        sack: false,
        fastOpen: true,
        quietMs: 5,
        hopLimit: 13,
      },
      MAC,
      1500,
    );
    expect(config).toMatchObject({
      congestionControl: CONGESTION_CUBIC,
      synCookies: 2,
      mtuProbing: 0,
      tos: 8,
      ttl: 12,
      ttlV6: 13,
      keepCount: 4,
      quietMs: 5,
    });
    const wanted = FEATURE_ECN | FEATURE_ECN_ACCEPT | FEATURE_FAST_OPEN_CLIENT;
    expect(config.features & (wanted | FEATURE_SACK)).toBe(wanted);
  });

  test.each([
    { ttl: 0 },
    { tos: 1 },
    { delayedAckMs: 500 },
    { rtoMaxMs: 59_999 },
    { ecn: "yes" },
    { synCookies: "often" },
    { congestionControl: "vegas" },
    { rtoMinMs: 60_001 },
  ])("refuses %o as out of range", (tuning) => {
    expect(() => tunedConfig(tuning as Tuning, MAC, 1500)).toThrow(RangeError);
  });

  test.each([{ sack: 1 }, { ecn: true }, { keepCount: "3" }])(
    "refuses %o by its type",
    (tuning) => {
      expect(() => tunedConfig(tuning as unknown as Tuning, MAC, 1500)).toThrow(TypeError);
    },
  );
});
