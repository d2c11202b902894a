/**
 * A task of its own, as soon as the platform gives one. `setTimeout` does not: pages hold it back for 4 ms once it is nested,
 * Node for 1 ms, and a link within the process would wait that long for every batch.
 */

/** What `setImmediate` returns in Node, Deno and Bun. */
type Immediate = (callback: () => void) => unknown;

/**
 * Runs a function in a task of its own, behind what other tasks wait already.
 *
 * @param callback What to run; an error of it surfaces as one of an event handler.
 * @returns What `setImmediate` returned, for `unref()`; undefined in a browser.
 */
export function immediate(callback: () => void): unknown {
  chosen ??= choose();
  return chosen(callback);
}

let chosen: Immediate | null = null;

function choose(): Immediate {
  const native: unknown = Reflect.get(globalThis, "setImmediate");
  if (typeof native === "function") return native as Immediate;
  if (typeof MessageChannel === "function") return throughChannel();
  return (callback) => setTimeout(callback, 0);
}

/** A message is a task: each takes the oldest function. */
function throughChannel(): Immediate {
  const { port1, port2 } = new MessageChannel();
  let waiting: (() => void)[] = [];
  let first = 0;
  port1.onmessage = () => {
    const callback = waiting[first];
    first++;
    if (first === waiting.length) {
      waiting = [];
      first = 0;
    }
    callback?.();
  };
  return (callback) => {
    waiting.push(callback);
    port2.postMessage(null);
  };
}
