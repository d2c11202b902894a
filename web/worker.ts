/** The worker's script: the stack that the page describes runs here, where timers are not slowed down. */
import { serveWorker } from "../src/worker/host.ts";

// The page's types know no scope of a worker; `self` has what is needed of it.
serveWorker({
  postMessage: (message, transfer) => self.postMessage(message, { transfer }),
  addEventListener: (type, listener) => self.addEventListener(type, listener),
});
