/** Another stack, to compare with: the kernel's, by sockets of this very process over its loopback. */
import type { Socket } from "node:net";
import {
  type BenchCase,
  type Contestant,
  type Environment,
  scaled,
  Unavailable,
} from "./bench_case.ts";
import { seededBytes } from "./payload.ts";
import { rateFigures } from "./tunnel_case.ts";

/** Payload of one run, bytes. */
const RUN_BYTES = 512e6;

/** What is written at once, bytes. */
const CHUNK_BYTES = 65_536;

/** Writes so many bytes, as fast as they are taken. */
async function pour(socket: Socket, total: number, chunk: Uint8Array): Promise<void> {
  for (let sent = 0; sent < total; sent += chunk.length) {
    const isTaken = socket.write(chunk);
    if (!isTaken) await new Promise<void>((resolve) => socket.once("drain", resolve));
  }
  socket.end();
}

async function prepare(environment: Environment): Promise<Contestant> {
  if (environment.clock === "wall") {
    throw new Unavailable("Cannot run in a page: it has no sockets; Node, Deno and Bun have");
  }
  const { connect, createServer } = await import("node:net");
  const total = scaled(environment, RUN_BYTES, CHUNK_BYTES);
  const chunk = seededBytes(CHUNK_BYTES);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const transfer = async (): Promise<void> => {
    const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
    const socket = connect({ host: "127.0.0.1", port });
    const peer = await accepted;
    let got = 0;
    const ended = new Promise<void>((resolve, reject) => {
      peer.on("data", (bytes) => (got += bytes.length));
      peer.once("end", resolve);
      peer.once("error", reject);
    });
    await Promise.all([pour(socket, total, chunk), ended]);
    peer.end();
    if (got !== total) throw new Error(`Cannot count ${got} of ${total} bytes`);
  };
  return {
    async sample() {
      const wall = environment.wallSeconds();
      const cpu = environment.seconds();
      await transfer();
      const [wallUsed, cpuUsed] = [environment.wallSeconds() - wall, environment.seconds() - cpu];
      return rateFigures(environment, total, wallUsed, cpuUsed);
    },
    close: () => void server.close(),
  };
}

/** The kernel's sockets. */
export const LOOPBACK: BenchCase = {
  name: "kernel-loopback",
  about: "a peer: the kernel's own TCP, by sockets of one process over its loopback",
  isPeer: true,
  variants: [{ name: "sockets", prepare }],
};
