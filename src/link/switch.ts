/** A learning Ethernet switch between stacks of one program: for tests and for the page's networks. */
import type { Clock } from "../runtime/clock.ts";
import type { Device, DeviceSink } from "./device.ts";
import { pipe, type PipeDevice } from "./pipe.ts";
import { ETHERNET_HEADER_BYTES, forEachRecord, RECORD_HEADER_BYTES } from "./records.ts";

/** Addresses learned. Full = a new one is not learned, its frames go to every port. */
const TABLE_MAX = 4096;

/** A MAC address is 48 bits: the high 16 and the low 32 make one exact number. */
const LOW_RANGE = 0x1_0000_0000;

/** The group bit of the first byte: broadcast and multicast. IEEE 802 section 8.2.2. */
const GROUP_BIT = 0x01;

/** Options of {@linkcode virtualSwitch}. */
export interface SwitchOptions {
  /** When things are delivered. */
  readonly clock: Clock;
  /** How many ports, 1 to 256. */
  readonly ports: number;
  /** Largest IP packet, bytes. Default 1500. */
  readonly mtu?: number;
  /** How long a frame takes to the switch and as long from it, ms. Default 0. */
  readonly delayMs?: number;
  /** Bytes of records on their way in one direction of one port. Default 1 MiB; full = dropped. */
  readonly capacityBytes?: number;
  /** OFFLOAD bits of all ports. Default 0. */
  readonly offload?: number;
}

/**
 * Makes a switch.
 *
 * @param options Clock, ports and their delay.
 * @returns One device per port, for a stack each.
 * @throws RangeError if the number of ports is out of range.
 * @example
 * ```ts
 * import { virtualSwitch } from "./switch.ts";
 * import { VirtualClock } from "../runtime/virtual_clock.ts";
 * const [a, b, c] = virtualSwitch({ clock: new VirtualClock(), ports: 3 });
 * ```
 */
export function virtualSwitch(options: SwitchOptions): Device[] {
  const { ports, ...pipeOptions } = options;
  if (!Number.isInteger(ports) || ports < 1 || ports > 256) {
    throw new RangeError(`Cannot make a switch of ${ports} ports: expected 1 to 256`);
  }
  const table = new Map<number, number>();
  const outer: Device[] = [];
  const inner: PipeDevice[] = [];
  for (let port = 0; port < ports; port++) {
    const [stackEnd, switchEnd] = pipe(pipeOptions);
    outer.push(stackEnd);
    inner.push(switchEnd);
  }
  inner.forEach((device, port) => device.open(portSink(inner, table, port)));
  return outer;
}

/** What a port does with the records that come in at it. */
function portSink(inner: PipeDevice[], table: Map<number, number>, port: number): DeviceSink {
  const forward = (batch: Uint8Array, frameOffset: number, frameBytes: number): void => {
    if (frameBytes < ETHERNET_HEADER_BYTES) return;
    const source = macAt(batch, frameOffset + 6);
    if (table.has(source) || table.size < TABLE_MAX) table.set(source, port);
    const isGroup = ((batch[frameOffset] ?? 0) & GROUP_BIT) !== 0;
    const target = isGroup ? undefined : table.get(macAt(batch, frameOffset));
    const record = batch.subarray(frameOffset - RECORD_HEADER_BYTES, frameOffset + frameBytes);
    if (target === undefined) {
      for (let other = 0; other < inner.length; other++) {
        if (other !== port) inner[other]?.send(record);
      }
    } else if (target !== port) {
      inner[target]?.send(record);
    }
  };
  return {
    receive: (batch) => {
      forEachRecord(batch, (offset, bytes) => forward(batch, offset, bytes));
    },
    ready: () => {},
    up: () => {},
    down: () => {
      for (const [mac, learned] of table) if (learned === port) table.delete(mac);
    },
  };
}

function macAt(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  const middle = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
  const low = ((bytes[at + 4] ?? 0) << 8) | (bytes[at + 5] ?? 0);
  return (high * LOW_RANGE) + (middle * 0x1_0000) + low;
}
