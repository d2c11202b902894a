/**
 * A narrow path to the kernel: our stack and a TAP of another kernel on the near side, a TAP of the sink's on the far side,
 * and between them a rate, a queue, a delay and a loss that is the same for every nth frame whoever sends it. Both TAPs are
 * opened here and then moved to their namespaces. Bundled for Node, with `@deno/shim-deno` as `Deno`.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { createStack, impair, seededRandom, systemClock } from "../../src/mod.ts";
import type { Device, Tuning } from "../../src/mod.ts";
import { openTap } from "../../src/link/tap.ts";
import { virtualSwitch } from "../../src/link/switch.ts";

/** What the path is like, and whether we send. */
export interface Bottleneck {
  readonly near: string;
  readonly far: string;
  readonly seed: number;
  readonly loss: number;
  readonly rateBytesPerMs: number;
  readonly queueBytes: number;
  /** Each way, ms. */
  readonly delayMs: number;
  /** Of our stack, if it sends. */
  readonly tuning: Tuning | null;
  readonly cidr: string;
  readonly sink: string;
  readonly port: number;
  readonly seconds: number;
}

/** Room of the switch's ports, bytes: nothing is to be dropped but by the path. */
const SWITCH_BYTES = 16 << 20;
const CHUNK = new Uint8Array(65_536);
const MS_PER_S = 1_000;

/** What one device receives the other sends. */
function join(a: Device, b: Device): void {
  const forward = (to: Device) => ({
    receive: (batch: Uint8Array): void => {
      if (batch.length <= to.room()) to.send(batch);
      else process.stderr.write("A batch was dropped beside the path\n");
    },
    ready: (): void => {},
    up: (): void => {},
    down: (): void => {},
  });
  a.open(forward(b));
  b.open(forward(a));
}

async function main(settings: Bottleneck): Promise<void> {
  const { seed, loss, rateBytesPerMs, queueBytes, delayMs } = settings;
  const clock = systemClock();
  const near = await openTap({ name: settings.near, offload: false });
  const far = await openTap({ name: settings.far, offload: false });
  const path = impair(
    impair(far, {
      clock,
      random: seededRandom(seed),
      direction: "out",
      loss,
      rateBytesPerMs,
      queueBytes,
      delayMs,
    }),
    { clock, random: seededRandom(seed), direction: "in", delayMs },
  );
  const [ours, nearPort, farPort] = virtualSwitch({ clock, ports: 3, capacityBytes: SWITCH_BYTES });
  if (ours === undefined || nearPort === undefined || farPort === undefined) {
    throw new Error("No ports");
  }
  process.stdout.write('{"event":"opened"}\n');
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  await lines.next();
  join(nearPort, near);
  join(farPort, path);
  process.stdout.write('{"event":"joined"}\n');
  await lines.next();
  if (settings.tuning !== null) await send(ours, settings, settings.tuning);
  else await lines.next();
  process.stdout.write(`${JSON.stringify({ event: "done", counters: path.counters })}\n`);
  process.exit(0);
}

async function send(link: Device, settings: Bottleneck, tuning: Tuning): Promise<void> {
  const stack = await createStack({ link, address: { cidr: settings.cidr }, tuning });
  await stack.ready;
  const connection = await stack.connect({ hostname: settings.sink, port: settings.port });
  const writer = connection.writable.getWriter();
  const endMs = performance.now() + (settings.seconds + 1) * MS_PER_S;
  try {
    while (performance.now() < endMs) await writer.write(CHUNK);
  } catch {
    // The sink has counted and is gone.
  }
  const stats = await stack.stats();
  process.stdout.write(`${JSON.stringify({ event: "stats", stats })}\n`);
}

await main(JSON.parse(process.argv[2] ?? "{}"));
