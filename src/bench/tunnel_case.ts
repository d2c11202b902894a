/**
 * The whole way: a stack here, a WebSocket, a relay, a TAP and the kernel's own TCP behind it; beside it, in the same run, a
 * WebSocket that is piped to the same kernel socket without any TCP in the client, and one with nothing behind it.
 */
import { createStack } from "../api/network_stack.ts";
import { websocketLink } from "../link/websocket.ts";
import type { NetworkStack } from "../options.ts";
import {
  type BenchCase,
  bulkFigures,
  type Contestant,
  type Environment,
  type Figures,
  scaled,
  Unavailable,
  type Variant,
} from "./bench_case.ts";
import {
  ASK_DOWN,
  ASK_ECHO,
  ASK_HASH,
  ASK_UP,
  DOWN_SEED,
  MESSAGE_BYTES,
  PATTERN_BYTES,
  question,
} from "./byte_service.ts";
import { type ByteLine, connectionLine, socketLine } from "./byte_line.ts";
import { assertSame, seededBytes, sha256 } from "./payload.ts";
import type { Setting } from "./setting.ts";
import { quantile } from "./statistics.ts";

/** Payload of one run, and of the check, bytes. */
const RUN_BYTES = 1e9;
const CHECK_BYTES = 8e6;

/** Round trips of one run. */
const TRIPS = 500;

const BYTES_PER_MB = 1e6;
const US_PER_S = 1e6;

/** Why there is no network, if there is none. */
const NO_SETTING =
  "Cannot run without a TAP and a network namespace; `npm run bench` as root makes them";

/** Opens a line to the byte service. */
type Open = () => Promise<ByteLine>;

/** The tunnel's part of the setting. */
function tunnelOf({ setting }: Environment): NonNullable<Setting["tunnel"]> {
  if (setting?.tunnel === undefined) throw new Unavailable(NO_SETTING);
  return setting.tunnel;
}

/** Our own stack on the relay. */
async function openTunnel(environment: Environment): Promise<{ stack: NetworkStack; open: Open }> {
  const { relayUrl, token, kernel } = tunnelOf(environment);
  const stack = await createStack({
    link: websocketLink({ url: relayUrl, token }),
    address: "dhcp",
    wasm: await environment.module("core"),
  });
  await stack.ready;
  const port = environment.setting?.port ?? 0;
  return {
    stack,
    open: async () => connectionLine(await stack.connect({ hostname: kernel, port })),
  };
}

/** How the byte service is reached. */
type Route = "tunnel" | "pipe" | "raw";

async function routeOf(
  environment: Environment,
  route: Route,
): Promise<{ open: Open; close: () => Promise<void> }> {
  if (route === "tunnel") {
    const { stack, open } = await openTunnel(environment);
    return { open, close: () => stack.close() };
  }
  const { pipeUrl, rawUrl } = tunnelOf(environment);
  const url = route === "pipe" ? pipeUrl : rawUrl;
  return { open: () => socketLine(url), close: () => Promise.resolve() };
}

/** Reads so many bytes. @param onBytes Told each piece. */
async function readAll(
  line: ByteLine,
  total: number,
  onBytes: (bytes: Uint8Array) => void = () => {},
): Promise<void> {
  for (let got = 0; got < total;) {
    const bytes = await line.read();
    if (bytes === null) throw new Error(`Cannot read: it ended after ${got} of ${total} bytes`);
    onBytes(bytes);
    got += bytes.length;
  }
}

/** Has so many bytes sent here. */
export async function down(open: Open, total: number): Promise<void> {
  const line = await open();
  await line.write(question(ASK_DOWN, total));
  await readAll(line, total);
  await line.close();
}

/** Sends so many bytes, piece by piece, until their arrival is answered. */
export async function up(open: Open, total: number, chunk: Uint8Array<ArrayBuffer>): Promise<void> {
  const line = await open();
  await line.write(question(ASK_UP, total));
  for (let sent = 0; sent < total; sent += chunk.length) {
    await line.write(total - sent >= chunk.length ? chunk : chunk.subarray(0, total - sent));
  }
  await readAll(line, 1);
  await line.close();
}

/** Both ways once, by SHA-256. */
export async function checkRoute(open: Open, bytes: number): Promise<void> {
  const pattern = seededBytes(PATTERN_BYTES, DOWN_SEED);
  const sent = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += PATTERN_BYTES) {
    sent.set(pattern.subarray(0, Math.min(PATTERN_BYTES, bytes - at)), at);
  }
  const received = new Uint8Array(bytes);
  let at = 0;
  const first = await open();
  await first.write(question(ASK_DOWN, bytes));
  await readAll(first, bytes, (piece) => {
    received.set(piece, at);
    at += piece.length;
  });
  await first.close();
  await assertSame("what came down", sent, received);
  const second = await open();
  await second.write(question(ASK_HASH, bytes));
  for (let from = 0; from < bytes; from += MESSAGE_BYTES) {
    await second.write(sent.subarray(from, from + MESSAGE_BYTES));
  }
  let answer = "";
  await readAll(second, 32, (piece) => {
    answer += [...piece].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  });
  await second.close();
  const right = await sha256(sent);
  if (answer !== right) {
    throw new Error(`Cannot count what went up: SHA-256 is ${answer}, expected ${right}`);
  }
}

/** Figures of a transfer; a browser tells no computing time. */
export function rateFigures(
  environment: Environment,
  bytes: number,
  wall: number,
  cpu: number,
): Figures {
  const rate: Figures = { "mb_per_s": bytes / BYTES_PER_MB / wall };
  return environment.clock === "cpu" ? { ...rate, ...bulkFigures(cpu, bytes) } : rate;
}

async function prepareBulk(
  environment: Environment,
  route: Route,
  way: "down" | "up",
): Promise<Contestant> {
  const { open, close } = await routeOf(environment, route);
  const total = scaled(environment, RUN_BYTES, MESSAGE_BYTES);
  const chunk = seededBytes(MESSAGE_BYTES);
  return {
    check: () => checkRoute(open, scaled(environment, CHECK_BYTES, PATTERN_BYTES)),
    async sample() {
      const wall = environment.wallSeconds();
      const cpu = environment.seconds();
      await (way === "down" ? down(open, total) : up(open, total, chunk));
      return rateFigures(
        environment,
        total,
        environment.wallSeconds() - wall,
        environment.seconds() - cpu,
      );
    },
    close,
  };
}

/** A byte there and back while nothing else is on the way. */
async function preparePing(environment: Environment, route: Route): Promise<Contestant> {
  const { open, close } = await routeOf(environment, route);
  const trips = new Float64Array(scaled(environment, TRIPS));
  const byte = new Uint8Array(1);
  return {
    async sample() {
      const line = await open();
      await line.write(question(ASK_ECHO, 0));
      for (let i = 0; i < trips.length; i++) {
        const before = environment.wallSeconds();
        await line.write(byte);
        await readAll(line, 1);
        trips[i] = (environment.wallSeconds() - before) * US_PER_S;
      }
      await line.close();
      return { us_p50: quantile(trips, 0.5), us_p99: quantile(trips, 0.99) };
    },
    close,
  };
}

function variantsOf(
  way: string,
  prepare: (environment: Environment, route: Route) => Promise<Contestant>,
): Variant[] {
  const variant = (name: string, route: Route): Variant => ({
    name,
    group: way,
    prepare: (environment) => prepare(environment, route),
  });
  const raw = [`tunnel/raw ${way}`];
  return [
    variant(`pipe ${way}`, "pipe"),
    variant(`raw ${way}`, "raw"),
    {
      ...variant(way, "tunnel"),
      against: [`tunnel/pipe ${way}`],
      // A tab has no better way than its own WebSocket.
      againstIn: { chromium: raw, firefox: raw },
    },
  ];
}

/** The tunnel. */
export const TUNNEL: BenchCase = {
  name: "tunnel",
  about:
    "stack here, WebSocket, relay, TAP, kernel, beside a plain WebSocket pipe; and 1-byte round trips",
  needs: "tunnel",
  variants: [
    ...variantsOf("down", (environment, route) => prepareBulk(environment, route, "down")),
    ...variantsOf("up", (environment, route) => prepareBulk(environment, route, "up")),
    ...variantsOf("latency", preparePing),
  ],
};
