/** Runs transfers of `cover_cases.ts` against the kernel, one after the other in one namespace. */
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { CoverCase } from "./cover_cases.ts";
import type { Answer, Command } from "./cover_peer.ts";
import { curl, type Workshop } from "./launch.ts";
import type { Namespace, Running } from "./namespace.ts";
import { seededSha256 } from "./seeded_bytes.ts";

/** Bytes of a transfer by its loss: a lossy one takes its time. */
const BYTES_BY_LOSS: readonly (readonly [number, number])[] = [
  [0, 8 << 20],
  [0.01, 2 << 20],
  [0.03, 1 << 20],
];

/** Five hundredths are held back for longer than those behind them. */
const REORDER = { chance: 0.05, minMs: 1, maxMs: 10 };

/** What a transfer came to. */
export interface Covered {
  readonly answer: Answer;
  /** Of what the receiver got, and what it should be. */
  readonly sha256: string;
  readonly expected: string;
  readonly bytes: number;
}

/** Our side, waiting for commands. */
export class CoverPeer {
  readonly #running: Running;
  readonly #lines: Interface;

  constructor(workshop: Workshop, namespace: Namespace) {
    this.#running = namespace.start(workshop.script("cover_peer"), "pipe");
    const { stdout } = this.#running.child;
    if (stdout === null) throw new Error("The peer says nothing");
    this.#lines = createInterface({ input: stdout });
  }

  /** Asks for something; the answer is the next line. */
  async ask(command: Command): Promise<Answer> {
    const answer = this.next();
    this.#running.child.stdin?.write(`${JSON.stringify(command)}\n`);
    return await answer;
  }

  /** The next line. */
  async next(): Promise<Answer> {
    const ended = this.#running.ended.then(({ stderr }) => {
      throw new Error(`The peer ended: ${stderr}`);
    });
    const [line] = await Promise.race([once(this.#lines, "line"), ended]);
    const answer: Answer = JSON.parse(line);
    if (answer.event === "failed") throw new Error(answer.message);
    return answer;
  }

  /** Lets it end. */
  async stop(): Promise<void> {
    this.#running.child.stdin?.end();
    await this.#running.ended;
  }
}

function prepare(namespace: Namespace, one: CoverCase): void {
  namespace.sysctl({
    "net.ipv4.tcp_sack": Number(one.sack),
    "net.ipv4.tcp_timestamps": Number(one.timestamps),
    "net.ipv4.tcp_window_scaling": Number(one.windowScale),
    "net.ipv4.tcp_ecn": Number(one.ecn),
    // What one transfer taught the kernel is not to help the next.
    "net.ipv4.tcp_no_metrics_save": 1,
  });
  namespace.ip("link", "set", namespace.tap, "mtu", String(one.mtu));
  namespace.offload(one.offload);
}

/**
 * Runs one transfer.
 *
 * @param seed Of its bytes and of its dice.
 */
export async function runCase(
  namespace: Namespace,
  peer: CoverPeer,
  one: CoverCase,
  seed: number,
): Promise<Covered> {
  prepare(namespace, one);
  const bytes = BYTES_BY_LOSS.find(([loss]) => loss === one.loss)?.[1] ?? 0;
  const command: Command = {
    direction: one.direction,
    tap: namespace.tap,
    seed,
    bytes,
    impairment: { seed, loss: one.loss, duplicate: 0, reorder: REORDER },
    tuning: { ecn: one.ecn ? "ask" : "off" },
  };
  const expected = seededSha256(seed, bytes);
  const first = await peer.ask(command);
  if (one.direction === "down") {
    return { answer: first, sha256: first.sha256 ?? "", expected, bytes };
  }
  const fetch = curl(`/${seed}/${bytes}`).join(" ");
  const fetched = namespace.run("sh", "-c", `${fetch} | sha256sum`);
  const answer = await peer.next();
  const sha256 = (await fetched).stdout.split(" ")[0] ?? "";
  return { answer, sha256, expected, bytes };
}
