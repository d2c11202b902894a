/**
 * Whole stacks on one cable under a virtual clock, for what one core and a script can not show: hosts A, B and C, what
 * tcpdump shows of them, and a cable that holds segments back and delivers them later.
 */
import { readFileSync } from "node:fs";
import type { Device, DeviceSink } from "../../src/link/device.ts";
import { forEachRecord, RECORD_HEADER_BYTES, writeRecord } from "../../src/link/records.ts";
import { virtualSwitch } from "../../src/link/switch.ts";
import { parseIpv4 } from "../../src/net/addresses.ts";
import type { Tuning } from "../../src/options.ts";
import { seededRandom } from "../../src/runtime/seeded_random.ts";
import { VirtualClock } from "../../src/runtime/virtual_clock.ts";
import { openStack, type Stack } from "../../src/stack.ts";
import { type Connection, EOF } from "../../src/tcp/connection.ts";
import type { Listener } from "../../src/tcp/listener.ts";
import { TraceFormatter } from "../../src/trace/tcpdump.ts";

const NAMES = ["A", "B", "C"] as const;
const DELAY_MS = 1;
const MEMORY_MIB = 8;
/** Long enough for an exchange, shorter than any timeout of ours. */
const STEP_MS = 20;
const READ_BYTES = 65_536;

/** A host's name. */
export type HostName = (typeof NAMES)[number];

let compiled: WebAssembly.Module | undefined;

/** The compiled core. */
export function coreModule(): WebAssembly.Module {
  const url = new URL("../../dist/core.wasm", import.meta.url);
  return compiled ??= new WebAssembly.Module(readFileSync(url));
}

/** Address of a host as text: 10.0.0.1 is A's. */
export function addressOf(name: HostName): string {
  return `10.0.0.${NAMES.indexOf(name) + 1}`;
}

/** Hosts and their cable. */
export class Hosts {
  readonly clock: VirtualClock = new VirtualClock();
  readonly #stacks = new Map<HostName, Stack>();
  readonly #trace = new TraceFormatter();
  readonly #absolute = new TraceFormatter({ isAbsolute: true });
  readonly #lines: string[] = [];
  readonly #absoluteLines: string[] = [];
  readonly #kept: (() => void)[] = [];
  #keep: RegExp | null = null;

  /** @param tuning What differs from the defaults, at every host. */
  constructor(tuning: Tuning = {}) {
    const ports = virtualSwitch({ clock: this.clock, ports: NAMES.length, delayMs: DELAY_MS });
    NAMES.forEach((name, i) => {
      const stack = openStack(coreModule(), {
        link: this.#watched(ports[i] as Device),
        address: { cidr: `${addressOf(name)}/24` },
        clock: this.clock,
        random: seededRandom(i + 1),
        tuning: { memoryMiB: MEMORY_MIB, ...tuning },
      });
      this.#stacks.set(name, stack);
    });
    this.pass();
  }

  /** A host's stack. */
  at(name: HostName): Stack {
    const stack = this.#stacks.get(name);
    if (stack === undefined) throw new Error(`There is no host ${name}`);
    return stack;
  }

  /** Lets time pass. */
  pass(ms: number = STEP_MS): void {
    this.clock.advance(ms);
  }

  /** Listens at a host. */
  listen(name: HostName, port: number): Listener {
    return this.at(name).manager.listen({ port });
  }

  /** Connects, and lets the handshake happen. */
  connect(from: HostName, to: HostName, port: number, localPort = 0): Connection {
    const remote = { address: parseIpv4(addressOf(to)), port };
    const connection = this.at(from).manager.connect({ remote, localPort });
    this.pass();
    return connection;
  }

  /** Segments since they were last asked for: relative numbers, without windows and options; SYNs without numbers. */
  segments(): string[] {
    return this.#lines.splice(0).map((line) =>
      line.replace(/ win \d+/, "").replace(/ <.*>/, "").replace(/ S \d+:\d+\(0\)/, " S")
        .replace(/ S ack \d+/, " S ack")
    );
  }

  /** The same segments with the numbers of the wire. */
  absolute(): string[] {
    return this.#absoluteLines.splice(0);
  }

  /** Segments that look like this stay on the cable from now on; null: none more do. */
  keep(like: RegExp | null): void {
    this.#keep = like;
  }

  /** Delivers what was kept, with no more delay than usual. */
  release(): void {
    for (const send of this.#kept.splice(0)) send();
    this.pass();
  }

  #watched(device: Device): Device {
    const { mtu } = device;
    return {
      mtu,
      open: (sink: DeviceSink) => device.open(sink),
      room: () => device.room(),
      send: (batch) => {
        forEachRecord(batch, (at, bytes) => this.#sent(device, batch.slice(at, at + bytes)));
      },
      close: () => device.close(),
    };
  }

  #sent(device: Device, frame: Uint8Array): void {
    const name = (line: string): string =>
      line.replace(/10\.0\.0\.(\d)/g, (_all, i) => NAMES[Number(i) - 1] ?? "?");
    const line = name(this.#trace.frame(frame));
    if (!line.startsWith("arp")) {
      this.#lines.push(line);
      this.#absoluteLines.push(name(this.#absolute.frame(frame)));
    }
    const record = new Uint8Array(RECORD_HEADER_BYTES + frame.length);
    writeRecord(record, 0, frame);
    if (this.#keep?.test(line) === true) this.#kept.push(() => device.send(record));
    else device.send(record);
  }
}

/** Everything that waits to be read, as text; `null` stands for the end. */
export function readText(connection: Connection): { text: string; isEnd: boolean } {
  const buffer = new Uint8Array(READ_BYTES);
  let text = "";
  for (;;) {
    const bytes = connection.readInto(buffer);
    if (bytes <= 0) return { text, isEnd: bytes === EOF };
    text += new TextDecoder().decode(buffer.subarray(0, bytes));
  }
}

/** Writes text. @returns Bytes taken. */
export function writeText(connection: Connection, text: string): number {
  return connection.write(new TextEncoder().encode(text));
}

/** A connection that waits at a listener. */
export function accepted(listener: Listener): Connection {
  const connection = listener.accept();
  if (connection === null) throw new Error("Nothing waits to be accepted");
  return connection;
}
