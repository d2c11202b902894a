/** How the loop puts a turn off, and how a stack in real time does. */
import { immediate } from "./immediate.ts";

/** How a turn is put off until the running call has ended. */
export interface Deferral {
  /** Runs a function before other tasks do. */
  soon(callback: () => void): void;
  /** Runs a function in a task of its own: what else this task has to say goes with it. */
  later(callback: () => void): void;
}

/** How a stack in real time defers. */
export const REAL_TIME: Deferral = {
  soon: (callback) => queueMicrotask(callback),
  later: (callback) => void immediate(callback),
};
