/**
 * The kernel's sockets as a source or a sink of bytes: `sink PORT SECONDS` counts what each address sends within that time of
 * its first byte; `source HOST PORT SECONDS` writes zeros. Runs in Node, in the namespace.
 */
import { connect, createServer } from "node:net";
import process from "node:process";

const CHUNK = new Uint8Array(65_536);
const MS_PER_S = 1_000;

function sink(port: number, seconds: number): void {
  const server = createServer((socket) => {
    const startMs = performance.now();
    let bytes = 0;
    socket.on("data", (chunk) => {
      if (performance.now() - startMs < seconds * MS_PER_S) bytes += chunk.length;
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      const from = socket.remoteAddress?.replace("::ffff:", "");
      process.stdout.write(`${JSON.stringify({ event: "received", from, bytes })}\n`);
    });
    const address = socket.remoteAddress?.replace("::ffff:", "");
    setTimeout(() => {
      process.stdout.write(`${JSON.stringify({ event: "counted", from: address, bytes })}\n`);
      socket.destroy();
    }, seconds * MS_PER_S);
  });
  server.listen(port, () => process.stdout.write(`${JSON.stringify({ event: "ready" })}\n`));
}

function source(host: string, port: number, seconds: number): void {
  const socket = connect({ host, port });
  const endMs = performance.now() + (seconds + 1) * MS_PER_S;
  const pour = (): void => {
    while (performance.now() < endMs && socket.write(CHUNK));
  };
  socket.on("connect", pour);
  socket.on("drain", pour);
  socket.on("error", () => {});
  socket.on("close", () => process.exit(0));
}

const [work = "", ...rest] = process.argv.slice(2);
if (work === "sink") sink(Number(rest[0]), Number(rest[1]));
else source(rest[0] ?? "", Number(rest[1]), Number(rest[2]));
