/** What a loop is tried with. */
import type { Device, DeviceSink } from "../../src/link/device.ts";
import type { VirtualClock } from "../../src/runtime/virtual_clock.ts";

/** A device whose room is what the test says. */
export class TestDevice implements Device {
  readonly mtu = 1500;
  offload = 0;
  isUp = true;
  sink!: DeviceSink;
  space = 1_000_000;
  sent: Uint8Array[] = [];
  closed = 0;
  onSend: () => void = () => {};

  open(sink: DeviceSink): void {
    this.sink = sink;
    if (this.isUp) sink.up();
  }

  room(): number {
    return this.space;
  }

  send(batch: Uint8Array): void {
    this.sent.push(batch.slice());
    this.onSend();
  }

  close(): void {
    this.closed++;
  }
}

/** A clock that jumps while the machine sleeps: timers armed before come late, those armed after in time. */
export class LateClock {
  sleeping = false;
  readonly #clock: VirtualClock;
  readonly #lateMs: number;

  constructor(clock: VirtualClock, lateMs: number) {
    this.#clock = clock;
    this.#lateMs = lateMs;
  }

  now(): number {
    return this.#clock.now() + (this.sleeping ? this.#lateMs : 0);
  }

  at(atMs: number, callback: () => void): { cancel(): void } {
    return this.#clock.at(atMs - (this.sleeping ? this.#lateMs : 0), callback);
  }
}
