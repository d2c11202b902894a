/** What programs see of `node:dgram`, told as lines: the same over the platform's own module and over ours. */
import { Buffer } from "node:buffer";
import type { DgramModule } from "../../src/api/node/dgram.ts";
import type { DatagramSocket } from "../../src/api/node/dgram_socket.ts";

/** What cases run over. */
export interface DgramWorld {
  readonly client: DgramModule;
  readonly server: DgramModule;
  /** Where the server is. */
  readonly host: string;
}

const once = (socket: DatagramSocket, event: string): Promise<unknown[]> =>
  new Promise((resolve) => socket.once(event, (...args: unknown[]) => resolve(args)));

function thrown(call: () => unknown): string {
  try {
    const value = call();
    return typeof value === "object" ? "an object" : String(value);
  } catch (error) {
    if (!(error instanceof Error)) return String(error);
    return `${error.name} ${String(Reflect.get(error, "code"))} ${error.message}`;
  }
}

function fields(error: unknown, port: number, host: string): string {
  const line = `${String(error)} ${JSON.stringify(Object.entries(Object(error)).sort())}`;
  return line.replaceAll(String(port), "PORT").replaceAll(host, "HOST");
}

/** Messages there and back, in all the ways that `send()` takes. */
export async function exchange({ client, server, host }: DgramWorld): Promise<string[]> {
  const lines: string[] = [];
  const echo = server.createSocket("udp4", (message, { address, port, family, size }) => {
    lines.push(`server: ${message} ${family} ${size}`);
    echo.send(message, port, address);
  });
  echo.bind(0, host);
  await once(echo, "listening");
  const { port, family } = echo.address();
  lines.push(`bound ${port > 0} ${family}`);
  const socket = client.createSocket("udp4");
  const sends: readonly (readonly unknown[])[] = [
    ["text", port, host],
    [Buffer.from("a buffer"), port, host],
    [new Uint8Array([104, 105]), port, host],
    [Buffer.from("a part of it"), 2, 4, port, host],
    [["several ", Buffer.from("parts")], port, host],
    ["", port, host],
  ];
  for (const args of sends) {
    const answer = once(socket, "message");
    const sent = await new Promise((resolve) =>
      socket.send(...args, (error: unknown, bytes: unknown) => resolve(`${String(error)} ${bytes}`))
    );
    const [message, remote] = await answer;
    const { address, size } = remote as { address: string; size: number };
    lines.push(`sent ${sent}, heard ${String(message)} ${address === host} ${size}`);
  }
  socket.connect(port, host);
  await once(socket, "connect");
  lines.push(`connected ${socket.remoteAddress().port === port}`);
  lines.push(thrown(() => socket.connect(port, host)));
  const answer = once(socket, "message");
  socket.send("connected");
  lines.push(String((await answer)[0]));
  socket.disconnect();
  lines.push(thrown(() => socket.disconnect()));
  const large = await new Promise((resolve) =>
    socket.send(Buffer.alloc(70_000), port, host, (error: unknown) => resolve(error))
  );
  lines.push(fields(large, port, host));
  const second = server.createSocket("udp4");
  second.bind(port, host);
  lines.push(fields((await once(second, "error"))[0], port, host));
  const closed = [once(echo, "close"), once(socket, "close")];
  echo.close();
  socket.close(() => lines.push("closed"));
  await Promise.all(closed);
  lines.push(
    ...[() => socket.address(), () => socket.close(), () => socket.send("x", 1)].map(thrown),
  );
  return lines;
}

/** Arguments that can not be meant. */
export async function checkDgramArguments({ client: dgram }: DgramWorld): Promise<string[]> {
  const any = <T>(value: unknown): T => value as T;
  const socket = dgram.createSocket("udp4");
  const unbound: readonly (() => unknown)[] = [
    () => socket.address(),
    () => socket.setTTL(5),
    () => socket.setBroadcast(true),
    () => socket.remoteAddress(),
    () => socket.disconnect(),
    () => socket.addMembership(any(undefined)),
    () => socket.addMembership("1.2.3.4"),
    () => socket.send(),
    () => socket.send("x", 0),
    () => socket.send("x", 70_000),
    () => socket.send(5, 1),
    () => socket.send([5], 1),
    () => socket.send(Buffer.from("abc"), 2, 5, 9),
    () => socket.connect(0),
    () => socket.setTTL(any("x")),
    () => dgram.createSocket(any("x")),
    () => dgram.createSocket(any({})),
    () => dgram.createSocket(any(undefined)),
    () => dgram.createSocket({ type: "udp4", lookup: any(5) }),
    () => socket.getSendQueueSize(),
    () => dgram.createSocket("udp4").getRecvBufferSize(),
    () => dgram.createSocket("udp4").getSendBufferSize(),
    () => dgram.createSocket("udp4").setRecvBufferSize(5_000),
    () => socket.setSendBufferSize(any("x")),
    () => socket.addSourceSpecificMembership(any(1), "232.1.1.1"),
    () => socket.addSourceSpecificMembership("10.0.0.9", any(2)),
  ];
  const lines = unbound.map((call) => `${call}: ${thrown(call)}`);
  const other = dgram.createSocket("udp4");
  other.bind(0);
  await once(other, "listening");
  const bound: readonly (() => unknown)[] = [
    () => other.bind(0),
    () => other.setTTL(300),
    () => other.setTTL(5),
    () => other.setMulticastTTL(300),
    () => other.setMulticastTTL(3),
    () => other.setMulticastLoopback(true),
    () => other.addMembership("1.2.3.4"),
    () => other.setRecvBufferSize(-1),
    () => other.setRecvBufferSize(0),
    () => other.setRecvBufferSize(50_000),
    () => other.getRecvBufferSize() >= 50_000,
    () => other.setSendBufferSize(1.5),
    () => other.setSendBufferSize(50_000),
    () => other.getSendBufferSize() >= 50_000,
    () => other.addSourceSpecificMembership("10.0.0.9", "10.0.0.8"),
    () => other.dropSourceSpecificMembership("10.0.0.9", "10.0.0.8"),
    () => other.ref() === other && other.unref() === other,
  ];
  lines.push(...bound.map((call) => `${call}: ${thrown(call)}`));
  other.close();
  return lines;
}
