/** The kernel as a client: `closes COUNT` or `simultaneous`. Runs in Node, in the namespace; says how it went as a line of JSON. */
import { connect, type Socket } from "node:net";
import process from "node:process";
import { HTTP_PORT, OUR_ADDRESS, SIMULTANEOUS_PORT } from "./ports.ts";

/** All ports rest in TIME-WAIT: after this long, ms, some may be used again. */
const NO_PORT_MS = 100;
/** How often that may happen in a row. */
const NO_PORT_MAX = 100;
/** A connection that takes longer, ms, hangs. */
const HANGS_MS = 10_000;

/** Opens, reads one byte that says who closes first, and closes. */
function openAndClose(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: OUR_ADDRESS, port: HTTP_PORT, allowHalfOpen: true });
    socket.setTimeout(HANGS_MS, () => socket.destroy(new Error("It hangs")));
    socket.on("data", (chunk) => {
      if (chunk[0] === 0) socket.end();
    });
    socket.on("end", () => socket.end());
    socket.on("error", reject);
    socket.on("close", () => resolve());
  });
}

async function closes(count: number): Promise<void> {
  let waits = 0;
  for (let i = 0; i < count; i++) {
    for (let tries = 0;; tries++) {
      try {
        await openAndClose();
        break;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== "EADDRNOTAVAIL" || tries > NO_PORT_MAX) throw error;
        waits++;
        await new Promise((resolve) => setTimeout(resolve, NO_PORT_MS));
      }
    }
  }
  process.stdout.write(`${JSON.stringify({ event: "closed", count, waits })}\n`);
}

/** Connects from the port that the other connects to. */
function simultaneous(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: OUR_ADDRESS,
      port: SIMULTANEOUS_PORT,
      localPort: SIMULTANEOUS_PORT,
    });
    let text = "";
    socket.on("connect", () => socket.end("the kernel's"));
    socket.on("data", (chunk) => (text += chunk.toString()));
    socket.on("error", reject);
    socket.on("close", () => {
      process.stdout.write(`${JSON.stringify({ event: "opened", text })}\n`);
      resolve();
    });
  });
}

const [work, count] = process.argv.slice(2);
await (work === "closes" ? closes(Number(count)) : simultaneous());
