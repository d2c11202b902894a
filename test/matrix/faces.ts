/** Drivers: each face of ours, and the sockets of Deno and Node, which have the same shapes, by the same drivers. */
import type { NetworkStack } from "../../src/options.ts";
import { StackError } from "../../src/errors.ts";
import type { DenoNamespace } from "../../src/api/deno/mod.ts";
import type { DirectSockets, TCPSocket } from "../../src/api/direct/mod.ts";
import type { Sockets } from "../../src/api/sockets/mod.ts";
import type { Door, End, Face } from "./trial.ts";
import { endOfStreams } from "./streams_end.ts";

function nameOf(error: unknown): string {
  // What the specification calls a TypeError has another class in Node's streams, or trips over an assertion of theirs.
  const code: unknown = Reflect.get(Object(error), "code");
  if (code === "ERR_INVALID_STATE" || code === "ERR_INTERNAL_ASSERTION") return "TypeError";
  return error instanceof Error ? error.name : String(error);
}

/** The stack's own API. */
export function tidewireFace(stack: NetworkStack): Face {
  const endOf = (connection: Awaited<ReturnType<NetworkStack["connect"]>>): End => ({
    ...endOfStreams(connection.readable, connection.writable),
    localPort: connection.localAddress.port,
    remotePort: connection.remoteAddress.port,
    end: () => connection.closeWrite(),
    close: () => connection.close(),
    reset: () => connection.abort(),
    closed: connection.closed,
  });
  return {
    can: { reset: true, closed: true, readInto: true, each: true },
    takesSignal: true,
    async connect({ hostname, port, signal }) {
      return endOf(await stack.connect({ hostname, port, ...(signal && { signal }) }));
    },
    async listen(place) {
      const listener = await stack.listen(place);
      return {
        port: listener.address.port,
        accept: async () => endOf(await listener.accept()),
        close: () => listener.close(),
        async *each() {
          for await (const connection of listener) yield endOf(connection);
        },
      };
    },
    word: (error) => error instanceof StackError ? error.code : nameOf(error),
  };
}

/** What of `Deno` is needed; its own namespace has it. */
export type DenoLike = Pick<DenoNamespace, "connect" | "listen">;

/** Our face of Deno, and Deno itself. */
export function denoFace(deno: DenoLike): Face {
  type Conn = Awaited<ReturnType<DenoLike["connect"]>>;
  const endOf = (conn: Conn): End => {
    const read = async (count: number): Promise<Uint8Array | null> => {
      const into = new Uint8Array(count);
      const got = await conn.read(into);
      return got === null ? null : into.subarray(0, got);
    };
    return {
      localPort: conn.localAddr.port,
      remotePort: conn.remoteAddr.port,
      read: () => read(65_536),
      readInto: read,
      async write(all) {
        // A write may be short.
        for (let at = 0; at < all.length || at === 0;) {
          const wrote = await conn.write(all.subarray(at));
          if (all.length === 0) return;
          at += wrote;
        }
      },
      end: () => conn.closeWrite(),
      // deno-lint-ignore require-await -- what it throws is a rejection for the rows
      close: async () => conn.close(),
    };
  };
  return {
    can: { reset: false, closed: false, readInto: true, each: true },
    takesSignal: true,
    connect: async ({ hostname, port, signal }) =>
      endOf(await deno.connect({ hostname, port, ...(signal && { signal }) })),
    // deno-lint-ignore require-await -- what it throws is a rejection for the rows
    listen: async ({ port, hostname, backlog }) => {
      const options = {
        port,
        ...(hostname && { hostname }),
        ...(backlog && { tcpBacklog: backlog }),
      };
      const listener = deno.listen(options);
      const door: Door = {
        port: listener.addr.port,
        accept: async () => endOf(await listener.accept()),
        close: () => listener.close(),
        async *each() {
          for await (const conn of listener) yield endOf(conn);
        },
      };
      return door;
    },
    word: nameOf,
  };
}

/** WinterTC's sockets. */
export function socketsFace(sockets: Sockets): Face {
  return {
    can: { reset: false, closed: true, readInto: false, each: false },
    takesSignal: false,
    async connect({ hostname, port, halfOpen = true }) {
      const socket = sockets.connect({ hostname, port }, { allowHalfOpen: halfOpen });
      const { localAddress, remoteAddress } = await socket.opened;
      const portOf = (address: string | null): number => Number(/\d+$/.exec(address ?? "")?.[0]);
      return {
        ...endOfStreams(socket.readable, socket.writable, false),
        localPort: portOf(localAddress),
        remotePort: portOf(remoteAddress),
        close: () => socket.close(),
        closed: socket.closed,
      };
    },
    word: (error) =>
      error instanceof Error && error.message.startsWith("SocketError:")
        ? "SocketError"
        : nameOf(error),
  };
}

/** Direct Sockets. */
export function directFace({ TCPSocket, TCPServerSocket }: DirectSockets): Face {
  async function endOf(socket: TCPSocket): Promise<End> {
    const { readable, writable, localPort, remotePort } = await socket.opened;
    const streams = endOfStreams(readable, writable);
    return {
      ...streams,
      localPort,
      remotePort,
      // It refuses while a stream is locked, as it has to.
      close: async () => {
        await streams.unlock();
        await socket.close();
      },
      closed: socket.closed,
    };
  }
  return {
    can: { reset: false, closed: true, readInto: true, each: false },
    takesSignal: false,
    // deno-lint-ignore require-await -- what it throws is a rejection for the rows
    connect: async ({ hostname, port }) => endOf(new TCPSocket(hostname, port)),
    async listen({ port, hostname = "0.0.0.0", backlog }) {
      const options = { ...(port !== 0 && { localPort: port }), ...(backlog && { backlog }) };
      const server = new TCPServerSocket(hostname, options);
      const { readable, localPort } = await server.opened;
      const reader = readable.getReader();
      return {
        port: localPort,
        async accept() {
          const { done, value } = await reader.read();
          if (done) throw new DOMException("The stream has ended", "StreamEnd");
          return await endOf(value);
        },
        close: () => void reader.cancel(),
      };
    },
    word: nameOf,
  };
}
