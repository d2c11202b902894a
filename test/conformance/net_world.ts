/** What cases of `node:net` run over, and what they write down. */
import type { NetModule } from "../../src/api/node/net.ts";
import type { Server } from "../../src/api/node/server.ts";
import type { Socket } from "../../src/api/node/socket.ts";

/** What a case runs over. */
export interface NetWorld {
  /** Connects. */
  readonly client: NetModule;
  /** Listens; for the platform's own it is the same module. */
  readonly server: NetModule;
  /** Where the server is. */
  readonly host: string;
  /** Where nobody listens. */
  readonly closedPort: number;
}

/** A case and what it tells. */
export interface NetCase {
  readonly name: string;
  run(world: NetWorld): Promise<string[]>;
}

const EVENTS: readonly string[] = [
  "lookup",
  "connectionAttempt",
  "connectionAttemptFailed",
  "connect",
  "ready",
  "data",
  "end",
  "finish",
  "drain",
  "timeout",
  "error",
  "close",
];

/** What programs compare of errors; whether a runtime's streams let such a field be enumerated is their affair. */
const ERROR_FIELDS: readonly string[] = ["address", "code", "errno", "port", "syscall"];

/** Long enough that what should not happen would have, ms. */
export const QUIET_MS = 40;

/** A value as a line has it; ports that were drawn and addresses of this world are named. */
export function text(value: unknown, world: NetWorld, port: number): string {
  if (value instanceof Error) {
    const fields = ERROR_FIELDS.map((key) => [key, Reflect.get(value, key)] as const)
      .filter(([, field]) => field !== undefined)
      .map(([key, field]) => `${key}=${String(field)}`);
    return named(`${value.name}: ${value.message} {${fields.join(" ")}}`, world, port);
  }
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return named(String(value), world, port);
}

export function named(line: string, { host, closedPort }: NetWorld, port: number): string {
  const ends = new RegExp(`(^|[:=(, ])${closedPort}(?=[^0-9.]|$)`, "g");
  return line.replaceAll(host, "HOST").replaceAll(ends, "$1CLOSED")
    .replaceAll(new RegExp(`(^|[:=(, ])${port}(?=[^0-9.]|$)`, "g"), "$1PORT");
}

/** Writes the events of a socket down. */
export function spy(
  socket: Socket,
  lines: string[],
  world: NetWorld,
  port = 0,
  except: readonly string[] = [],
): Socket {
  const emit = socket.emit.bind(socket);
  socket.emit = (event: string, ...args: unknown[]): boolean => {
    if (EVENTS.includes(event) && !except.includes(event)) {
      lines.push(`${event}(${args.map((arg) => text(arg, world, port)).join(", ")})`);
    }
    return emit(event, ...args);
  };
  return socket;
}

/** Waits until what should not happen would have. */
export const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, QUIET_MS));

/** Waits for what should happen, and of which there is no event. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** The first argument of an event. */
export const once = (emitter: Socket | Server, event: string): Promise<unknown> =>
  new Promise((resolve) => emitter.once(event, resolve));

/** A server for one case. */
export async function serve(
  world: NetWorld,
  serveOne: (socket: Socket) => void,
  options: Parameters<NetModule["createServer"]>[0] = {},
): Promise<{ server: Server; port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = world.server.createServer(options, (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    serveOne(socket);
  });
  server.listen(0, world.host);
  await once(server, "listening");
  const port = server.address()?.port ?? 0;
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { server, port, close };
}

/** What a call throws. */
export function thrown(call: () => unknown): string {
  try {
    call();
    return "nothing";
  } catch (error) {
    if (!(error instanceof Error)) return String(error);
    const code: unknown = Reflect.get(error, "code");
    return `${error.name} ${String(code)} ${error.message}`;
  }
}

/** What a case with a server runs over. */
export interface Served {
  readonly world: NetWorld;
  readonly server: Server;
  readonly port: number;
  /** What is told; the server's side may write, too. */
  readonly lines: string[];
  /** A client of the server, with the arguments that are shortest. */
  connect(): Socket;
}

/** A case with a server that does one thing, whatever its clients do; the server ends with it. */
export function serverCase(
  name: string,
  serveOne: (socket: Socket, lines: string[]) => void,
  act: (served: Served) => Promise<void>,
  options: Parameters<NetModule["createServer"]>[0] = {},
): NetCase {
  return {
    name,
    run: async (world) => {
      const lines: string[] = [];
      const { server, port, close } = await serve(
        world,
        (socket) => serveOne(socket, lines),
        options,
      );
      const connect = (): Socket => world.client.connect(port, world.host);
      await act({ world, server, port, lines, connect });
      await close();
      return lines;
    },
  };
}

/** A case with a server that does one thing, and a client that is spied on until it closes. */
export function clientCase(
  name: string,
  serveOne: (socket: Socket) => void,
  act: (socket: Socket, lines: string[], world: NetWorld) => void | Promise<void>,
  options: { readonly server?: object; readonly client?: object; readonly except?: string[] } = {},
): NetCase {
  return serverCase(name, serveOne, async ({ world, port, lines }) => {
    const connected = world.client.connect({ ...options.client, port, host: world.host });
    const socket = spy(connected, lines, world, port, options.except);
    socket.on("error", () => {});
    const closed = once(socket, "close");
    await act(socket, lines, world);
    await closed;
    await quiet();
  }, options.server);
}

/** Does nothing. */
export const ignore = (): void => {};
/** Serves a word and the end. */
export const answer = (socket: Socket): void => void socket.end("hello");
/** Serves what it gets. */
export const echo = (socket: Socket): void => void socket.pipe(socket);
