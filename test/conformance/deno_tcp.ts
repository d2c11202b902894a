/**
 * What `Deno.connect()` and `Deno.listen()` do. One list of cases for the real Deno and for ours: each was seen to hold for the
 * real one, in a test that runs both.
 */
import type { DenoNamespace, TcpConn, TcpListener } from "../../src/api/deno/mod.ts";
import { failure, pause, same } from "./checks.ts";

/** What the cases use of a namespace. The real Deno has it too. */
export type DenoNet = Pick<
  DenoNamespace,
  "connect" | "listen" | "listenDatagram" | "resolveDns" | "serve" | "errors"
>;

/** Where cases run: who connects, who listens, and where that is. */
export interface DenoSetting {
  readonly client: DenoNet;
  readonly server: DenoNet;
  /** Address of the server. */
  readonly hostname: string;
  readonly clientHostname: string;
}

/** A case. */
export type DenoCase = (setting: DenoSetting) => Promise<void>;

/** Both ends of a connection. */
interface Ends extends Disposable {
  readonly listener: TcpListener;
  readonly near: TcpConn;
  readonly far: TcpConn;
}

async function open({ client, server, hostname }: DenoSetting): Promise<Ends> {
  const listener = server.listen({ hostname, port: 0 });
  const { port } = listener.addr;
  const [near, far] = await Promise.all([client.connect({ hostname, port }), listener.accept()]);
  return {
    ...{ listener, near, far },
    [Symbol.dispose]() {
      for (const resource of [near, far, listener]) resource[Symbol.dispose]();
    },
  };
}

function bytes(...values: number[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(values);
}

async function readAll(conn: TcpConn): Promise<number> {
  const buffer = new Uint8Array(65_536);
  let count = 0;
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) count += n;
  return count;
}

/** Name of the class and code, as programs tell errors apart. */
async function failsAs(call: () => unknown): Promise<string> {
  const error = await failure(call);
  return `${error.name} ${error.code ?? "-"}`;
}

const WRITING: Readonly<Record<string, DenoCase>> = {
  "read() gives what write() took": async (setting) => {
    using ends = await open(setting);
    const { near, far } = ends;
    same(await near.write(bytes(1, 2, 3)), 3);
    const buffer = new Uint8Array(8);
    same(await far.read(buffer), 3);
    same(buffer, [1, 2, 3, 0, 0, 0, 0, 0]);
    // The caller's buffer stays the caller's.
    same(buffer.length, 8);
  },
  "read() gives no more than fits, and the rest next time": async (setting) => {
    using ends = await open(setting);
    await ends.near.write(bytes(1, 2, 3));
    const buffer = new Uint8Array(2);
    same(await ends.far.read(buffer), 2);
    same(buffer, [1, 2]);
    same(await ends.far.read(buffer), 1);
    same(buffer, [3, 2]);
  },
  "read() fills the part that a view shows": async (setting) => {
    using ends = await open(setting);
    const whole = new Uint8Array(6);
    await ends.near.write(bytes(7, 8));
    same(await ends.far.read(whole.subarray(2, 5)), 2);
    same(whole, [0, 0, 7, 8, 0, 0]);
  },
  "read() and write() of nothing give 0": async (setting) => {
    using ends = await open(setting);
    same(await ends.near.read(new Uint8Array(0)), 0);
    same(await ends.near.write(new Uint8Array(0)), 0);
  },
  "read() refuses what is no Uint8Array": async ({ ...setting }) => {
    using ends = await open(setting);
    const text: unknown = "text";
    same(await failsAs(() => ends.near.read(text as Uint8Array)), "TypeError -");
    same(await failsAs(() => ends.near.write(text as Uint8Array)), "TypeError -");
  },
  "two reads get their bytes in the order of the calls": async (setting) => {
    using ends = await open(setting);
    const [a, b] = [new Uint8Array(4), new Uint8Array(4)];
    const first = ends.near.read(a);
    const second = ends.near.read(b);
    await ends.far.write(bytes(1, 2));
    same(await first, 2);
    await ends.far.write(bytes(3));
    same([await second, a[0], b[0]], [1, 1, 3]);
  },
  "many bytes arrive whole, however slow the reader": async (setting) => {
    using ends = await open(setting);
    const { near, far } = ends;
    const data = new Uint8Array(1_000_000).fill(5);
    const writing = (async () => {
      for (let at = 0; at < data.length;) at += await near.write(data.subarray(at));
      await near.closeWrite();
    })();
    await pause();
    same(await readAll(far), data.length);
    await writing;
  },
  "addresses are those of both ends": async (setting) => {
    using ends = await open(setting);
    const { near, far, listener } = ends;
    same(near.remoteAddr.port, listener.addr.port);
    same(near.remoteAddr.hostname, setting.hostname);
    same(near.localAddr.port, far.remoteAddr.port);
    same(far.localAddr.port, listener.addr.port);
    same([near.localAddr.transport, listener.addr.transport], ["tcp", "tcp"]);
  },
};

const ENDING: Readonly<Record<string, DenoCase>> = {
  "closeWrite() ends the peer's reading, not ours": async (setting) => {
    using ends = await open(setting);
    const { near, far } = ends;
    await near.closeWrite();
    same(await far.read(new Uint8Array(4)), null);
    same(await far.read(new Uint8Array(4)), null);
    await far.write(bytes(1, 2));
    same(await near.read(new Uint8Array(4)), 2);
  },
  "closeWrite() may be called again": async (setting) => {
    using ends = await open(setting);
    await ends.near.closeWrite();
    await ends.near.closeWrite();
  },
  "write() after closeWrite() fails": async (setting) => {
    using ends = await open(setting);
    await ends.near.closeWrite();
    same(await failsAs(() => ends.near.write(bytes(1))), "BrokenPipe EPIPE");
    same(await failsAs(() => ends.near.write(new Uint8Array(0))), "BrokenPipe EPIPE");
  },
  "close() ends the peer's reading": async (setting) => {
    using ends = await open(setting);
    await ends.near.write(bytes(1));
    ends.near.close();
    same(await readAll(ends.far), 1);
  },
  "a read that waits is interrupted by close()": async (setting) => {
    using ends = await open(setting);
    const waiting = failsAs(() => ends.near.read(new Uint8Array(4)));
    await pause();
    ends.near.close();
    same(await waiting, "Interrupted EINTR");
  },
  "a write that waits is interrupted by close()": async (setting) => {
    using ends = await open(setting);
    const chunk = new Uint8Array(1_000_000);
    const waiting = failsAs(async () => {
      for (;;) await ends.near.write(chunk);
    });
    await pause(100);
    ends.near.close();
    same(await waiting, "Interrupted EINTR");
  },
  "a writer that waits is interrupted by close()": async (setting) => {
    using ends = await open(setting);
    const writer = ends.near.writable.getWriter();
    const waiting = failsAs(() => writer.write(new Uint8Array(50_000_000)));
    await pause(100);
    ends.near.close();
    same(await waiting, "Interrupted EINTR");
  },
  "everything fails after close()": async (setting) => {
    using ends = await open(setting);
    const { near } = ends;
    near.close();
    const gone = "BadResource -";
    same(await failsAs(() => near.read(new Uint8Array(4))), gone);
    same(await failsAs(() => near.write(bytes(1))), gone);
    same(await failsAs(() => near.closeWrite()), gone);
    same(await failsAs(() => near.close()), gone);
    same(await failsAs(() => near.setNoDelay()), gone);
    same(await failsAs(() => near.setKeepAlive(true)), gone);
    near.ref();
    near.unref();
    near[Symbol.dispose]();
    same(near.remoteAddr.hostname, setting.hostname);
  },
  "options can be set while it is open": async (setting) => {
    using ends = await open(setting);
    ends.near.setNoDelay();
    ends.near.setNoDelay(false);
    ends.near.setKeepAlive(true);
    ends.near.unref();
    ends.near.ref();
  },
  "using closes": async (setting) => {
    using ends = await open(setting);
    {
      using conn = ends.near;
      await conn.write(bytes(1));
    }
    same(await failsAs(() => ends.near.write(bytes(1))), "BadResource -");
  },
};

const STREAMS: Readonly<Record<string, DenoCase>> = {
  "readable and writable carry bytes": async (setting) => {
    using ends = await open(setting);
    const writer = ends.near.writable.getWriter();
    await writer.write(bytes(1, 2, 3));
    const { value } = await ends.far.readable.getReader().read();
    same(value, [1, 2, 3]);
  },
  "readable fills the reader's buffer": async (setting) => {
    using ends = await open(setting);
    const reader = ends.near.readable.getReader({ mode: "byob" });
    const reading = reader.read(new Uint8Array(new ArrayBuffer(8), 2, 4));
    await ends.far.write(bytes(1, 2, 3));
    const { value, done } = await reading;
    same([done, value?.byteOffset, value?.buffer.byteLength], [false, 2, 8]);
    same(value, [1, 2, 3]);
  },
  "readable ends with the peer's direction": async (setting) => {
    using ends = await open(setting);
    await ends.far.write(bytes(1));
    await ends.far.closeWrite();
    let count = 0;
    for await (const chunk of ends.near.readable) count += chunk.length;
    same(count, 1);
  },
  "readable gives a BYOB reader its buffer back at the end": async (setting) => {
    using ends = await open(setting);
    await ends.far.closeWrite();
    const reader = ends.near.readable.getReader({ mode: "byob" });
    const { value, done } = await reader.read(new Uint8Array(4));
    same([done, value?.length], [true, 0]);
  },
  "closing writable ends the peer's reading": async (setting) => {
    using ends = await open(setting);
    const writer = ends.near.writable.getWriter();
    await writer.write(bytes(1, 2));
    await writer.close();
    same(await readAll(ends.far), 2);
    same(await ends.far.write(bytes(9)), 1);
  },
  "cancelling readable closes the connection": async (setting) => {
    using ends = await open(setting);
    await ends.near.readable.cancel();
    same(await failsAs(() => ends.near.write(bytes(1))), "BadResource -");
    same(await readAll(ends.far), 0);
  },
  "aborting writable closes the connection": async (setting) => {
    using ends = await open(setting);
    await ends.near.writable.abort();
    same(await failsAs(() => ends.near.read(new Uint8Array(4))), "BadResource -");
    same(await failsAs(() => ends.near.close()), "BadResource -");
  },
  "a BYOB read that waits is interrupted by close()": async (setting) => {
    using ends = await open(setting);
    const reader = ends.near.readable.getReader({ mode: "byob" });
    const waiting = failsAs(() => reader.read(new Uint8Array(4)));
    await pause();
    ends.near.close();
    same(await waiting, "Interrupted EINTR");
  },
  "streams fail after close()": async (setting) => {
    using ends = await open(setting);
    ends.near.close();
    same(await failsAs(() => ends.near.readable.getReader().read()), "BadResource -");
    same(await failsAs(() => ends.near.writable.getWriter().write(bytes(1))), "BadResource -");
  },
};

const LISTENING: Readonly<Record<string, DenoCase>> = {
  "listen() on port 0 chooses one": ({ server, hostname }) => {
    using listener = server.listen({ hostname, port: 0 });
    same(listener.addr.port > 0, true);
    same(listener.addr.hostname, hostname);
    return Promise.resolve();
  },
  "listen() on a port that is taken fails": async ({ server, hostname }) => {
    using listener = server.listen({ hostname, port: 0 });
    const { port } = listener.addr;
    const { AddrInUse } = server.errors;
    const error = await failure(() => server.listen({ hostname, port }));
    same([error instanceof AddrInUse, error.code], [true, "EADDRINUSE"]);
  },
  "listen() on a port that was closed works": ({ server, hostname }) => {
    const listener = server.listen({ hostname, port: 0 });
    const { port } = listener.addr;
    listener.close();
    server.listen({ hostname, port }).close();
    return Promise.resolve();
  },
  "listen() on an address that is not ours fails": async ({ server }) => {
    const listen = () => server.listen({ hostname: "9.9.9.9", port: 0 });
    same(await failsAs(listen), "AddrNotAvailable EADDRNOTAVAIL");
  },
  "accept() that waits fails on close()": async ({ server, hostname }) => {
    const listener = server.listen({ hostname, port: 0 });
    const waiting = failure(() => listener.accept());
    listener.close();
    const error = await waiting;
    same([error.name, error.message], ["BadResource", "Listener has been closed"]);
  },
  "accept() after close() fails": async ({ server, hostname }) => {
    const listener = server.listen({ hostname, port: 0 });
    listener.close();
    const error = await failure(() => listener.accept());
    same([error.name, error.message], ["BadResource", "Listener has been closed"]);
  },
  "accept() while one waits fails": async ({ server, hostname }) => {
    const listener = server.listen({ hostname, port: 0 });
    const first = failsAs(() => listener.accept());
    same(await failsAs(() => listener.accept()), "Busy -");
    listener.close();
    same(await first, "BadResource -");
  },
  "close() of a listener fails the second time, disposing does not": async (setting) => {
    const { server, hostname } = setting;
    const listener = server.listen({ hostname, port: 0 });
    listener.close();
    same(await failsAs(() => listener.close()), "BadResource -");
    listener[Symbol.dispose]();
    listener.ref();
    listener.unref();
    same(Symbol.asyncDispose in listener, false);
  },
  "for await over a listener ends with close()": async ({ client, server, hostname }) => {
    const listener = server.listen({ hostname, port: 0 });
    const { port } = listener.addr;
    let count = 0;
    const loop = (async () => {
      for await (const conn of listener) {
        count++;
        conn.close();
      }
    })();
    (await client.connect({ hostname, port })).close();
    (await client.connect({ hostname, port })).close();
    while (count < 2) await pause(1);
    listener.close();
    await loop;
    same(count, 2);
    for await (const conn of listener) conn.close();
  },
  "leaving a loop over a listener closes it": async ({ client, server, hostname }) => {
    const listener = server.listen({ hostname, port: 0 });
    const connecting = client.connect({ hostname, port: listener.addr.port });
    for await (const conn of listener) {
      conn.close();
      break;
    }
    (await connecting).close();
    same(await failsAs(() => listener.accept()), "BadResource -");
  },
  "connections that came before accept() wait for it": async ({ client, server, hostname }) => {
    using listener = server.listen({ hostname, port: 0 });
    const { port } = listener.addr;
    const near = await client.connect({ hostname, port });
    await near.write(bytes(4));
    const far = await listener.accept();
    same(await far.read(new Uint8Array(2)), 1);
    near.close();
    far.close();
  },
};

const ARGUMENTS: Readonly<Record<string, DenoCase>> = {
  "connect() to a port where nobody listens is refused": async ({ client, server, hostname }) => {
    const listener = server.listen({ hostname, port: 0 });
    const { port } = listener.addr;
    listener.close();
    const error = await failure(() => client.connect({ hostname, port }));
    same(error instanceof client.errors.ConnectionRefused, true);
    same([error.name, error.code], ["ConnectionRefused", "ECONNREFUSED"]);
  },
  "connect() that was aborted before rejects with the reason": async ({ client, hostname }) => {
    const signal = AbortSignal.abort();
    const error = await failure(() => client.connect({ hostname, port: 7, signal }));
    same([error instanceof DOMException, error.name], [true, "AbortError"]);
    const other = AbortSignal.abort(new RangeError("mine"));
    const mine = await failure(() => client.connect({ hostname, port: 7, signal: other }));
    same(mine.message, "mine");
  },
  "connect() refuses ports that are none": async ({ client, hostname }) => {
    const connect = (port: unknown) =>
      failsAs(() => client.connect({ hostname, port: port as number }));
    for (const port of [65_536, -1, 0]) same(await connect(port), "RangeError -");
    for (const port of [NaN, 1.5, "a", undefined, null, {}]) {
      same(await connect(port), "TypeError -");
    }
  },
  "listen() refuses ports that are none": async ({ server, hostname }) => {
    const listen = (port: unknown) =>
      failsAs(() => server.listen({ hostname, port: port as number }));
    for (const port of [65_536, -1]) same(await listen(port), "RangeError -");
    for (const port of [NaN, 1.5, "a", {}]) same(await listen(port), "TypeError -");
    // None at all means any.
    const absent: unknown = undefined;
    server.listen({ hostname, port: absent as number }).close();
  },
  "connect() and listen() refuse what are no options": async ({ client, server }) => {
    const none: unknown = undefined;
    same(await failsAs(() => client.connect(none as { port: number })), "TypeError -");
    same(await failsAs(() => server.listen(none as { port: number })), "TypeError -");
  },
  "connect() refuses an empty host": async ({ client }) => {
    same(await failsAs(() => client.connect({ hostname: "", port: 1 })), "URIError -");
  },
  "classes of errors are named as they are found": ({ client }) => {
    for (const [name, Class] of Object.entries(client.errors)) {
      const error = new Class("m");
      same([error.name, error.message, error instanceof Error], [name, "m", true]);
    }
    return Promise.resolve();
  },
};

/** All cases by name. */
export const DENO_TCP_CASES: Readonly<Record<string, DenoCase>> = {
  ...WRITING,
  ...ENDING,
  ...STREAMS,
  ...LISTENING,
  ...ARGUMENTS,
};
