/** The worker's script: the stack that the page describes runs here, where timers are not slowed down. */
import { serveWorker } from "./host.ts";
import { RUNNING } from "./protocol.ts";

// The page's types know no scope of a worker; `self` has what is needed of it.
serveWorker({
  postMessage: (message, transfer) => self.postMessage(message, { transfer }),
  addEventListener: (type, listener) => self.addEventListener(type, listener),
});
// Whoever started us can not know by itself that this file was found.
self.postMessage(RUNNING, {});
