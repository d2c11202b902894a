/** A worker that is the test itself, for what the page says to it and hears. */
import { createWorkerStack, type WorkerStack } from "../../src/worker/client.ts";
import type { WorkerConnection } from "../../src/worker/client_connection.ts";
import type { PageMessage } from "../../src/worker/protocol.ts";

/** A port whose other end is the test itself. */
export class FakeWorker extends EventTarget {
  readonly sent: PageMessage[] = [];

  postMessage(message: unknown): void {
    this.sent.push(message as PageMessage);
  }

  /** What the worker says. */
  say(message: unknown): void {
    this.dispatchEvent(new MessageEvent("message", { data: message }));
  }
}

/** A stack that has understood, and nothing else. */
export async function fakeStack(): Promise<{ worker: FakeWorker; stack: WorkerStack }> {
  const worker = new FakeWorker();
  const starting = createWorkerStack({
    worker,
    link: { kind: "websocket", url: "ws://relay.example/tunnel", token: "t" },
    address: "dhcp",
  });
  worker.say({ kind: "answer", id: 1, value: null });
  return { worker, stack: await starting };
}

/** What the worker says of a connection that is open. */
export const OPENED = {
  connection: 5,
  localAddress: { hostname: "10.0.0.1", port: 50_000 },
  remoteAddress: { hostname: "10.0.0.2", port: 7 },
  info: null,
};

function isCall(message: PageMessage, call: string): boolean {
  return message.kind === "call" && message.call === call;
}

/** Number of the last call of a name, -1 if there was none. */
export function idOf(messages: readonly PageMessage[], call: string): number {
  const found = messages.findLast((message) => isCall(message, call));
  return found?.kind === "call" ? found.id : -1;
}

/** A connection of a stack whose worker is the test. */
export async function fakeConnection(): Promise<
  { worker: FakeWorker; connection: WorkerConnection }
> {
  const { worker, stack } = await fakeStack();
  const opening = stack.connect(OPENED.remoteAddress);
  worker.say({ kind: "answer", id: idOf(worker.sent, "connect"), value: OPENED });
  return { worker, connection: await opening as WorkerConnection };
}
