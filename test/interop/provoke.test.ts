/**
 * What the kernel counts when it is provoked: duplicates, old timestamps, forged segments; a thousand closes by each side in
 * turn with the same few ports; two SYNs that cross; Fast Open both ways.
 */
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { curl, until, Workshop } from "./launch.ts";
import { Namespace, type Running, whatIsMissing } from "./namespace.ts";
import type { Provocation } from "./provoke_peer.ts";
import { say } from "./transfer.ts";

/** Connections that each side closes first in turn. */
const CLOSES = 1_000;

/** Words of what the peer answers in the middle. */
const DIGEST_BYTES = 64;

const missing = whatIsMissing();

if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`The kernel can not be provoked: ${missing}`);
}

/** Lines of JSON that a program said. */
function events(running: Running): Record<string, unknown>[] {
  return running.stdout().trimEnd().split("\n").filter((line) => line !== "").map((line) =>
    JSON.parse(line)
  );
}

function eventOf(running: Running, name: string): Record<string, unknown> {
  const found = events(running).find(({ event }) => event === name);
  if (found === undefined) throw new Error(`Nothing was said of "${name}"`);
  return found;
}

describe.skipIf(missing !== null)("the kernel, provoked", () => {
  const workshop = new Workshop();

  beforeAll(() => workshop.build());

  afterAll(() => workshop.delete());

  function start(namespace: Namespace, provocation: Omit<Provocation, "tap">): Running {
    const settings = JSON.stringify({ ...provocation, tap: namespace.tap });
    return namespace.start(workshop.script("provoke_peer", settings));
  }

  async function finish(running: Running): Promise<Record<string, number>> {
    const { code, stderr } = await running.ended;
    expect(code, stderr).toBe(0);
    return eventOf(running, "done")["stats"] as Record<string, number>;
  }

  it("counts duplicates, old timestamps and forged segments, and goes on", async () => {
    await using namespace = new Namespace();
    await workshop.startKernelServer(namespace);
    const before = namespace.nstat();
    const peer = start(namespace, { work: "duplicates", tuning: {}, count: 0 });
    const stats = await finish(peer);
    const after = namespace.nstat();
    const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
    expect(grown("TcpExtTCPDSACKOldSent")).toBeGreaterThan(0);
    expect(grown("TcpExtPAWSEstab")).toBeGreaterThan(0);
    expect(grown("TcpExtTCPChallengeACK")).toBeGreaterThan(0);
    expect(grown("TcpExtTCPSYNChallenge")).toBeGreaterThan(0);
    // We saw their report of the duplicate, and the connection carried its bytes and its answer.
    expect(stats["dsacks_in"]).toBeGreaterThan(0);
    expect(eventOf(peer, "answered")["bytes"]).toBe(DIGEST_BYTES);
  });

  it(`opens and closes ${CLOSES} connections from each side, tuples resting and coming again`, async () => {
    await using namespace = new Namespace();
    namespace.sysctl({
      "net.ipv4.ip_local_port_range": "40000 40199",
      "net.ipv4.tcp_tw_reuse": 1,
    });
    await workshop.startKernelServer(namespace);
    const peer = start(namespace, { work: "closes", tuning: {}, count: CLOSES });
    await until(() => peer.stdout().includes("listening"), "the peer listens");
    const client = await namespace.run(...workshop.script("kernel_client", "closes", `${CLOSES}`));
    expect(client.code, client.stderr).toBe(0);
    const stats = await finish(peer);
    const { served, timeWaits } = eventOf(peer, "closed");
    expect(served).toBe(CLOSES);
    // The kernel has 200 ports for a thousand: what rests with us is opened again by its next SYN (RFC 6191).
    expect(stats).toMatchObject({ timeouts: 0, resets_in: 0, resets_out: 0 });
    say(`${2 * CLOSES} connections closed, ${timeWaits} rest with us; ${client.stdout.trimEnd()}`);
  });

  it("opens at the same time as we do", async () => {
    await using namespace = new Namespace();
    const peer = start(namespace, { work: "simultaneous open", tuning: {}, count: 0 });
    await until(() => peer.stdout().includes("listening"), "the peer is about to open");
    const client = await namespace.run(...workshop.script("kernel_client", "simultaneous"));
    expect(client.code, client.stderr).toBe(0);
    const stats = await finish(peer);
    expect(JSON.parse(client.stdout)).toEqual({ event: "opened", text: "ours" });
    expect(eventOf(peer, "opened")["text"]).toBe("the kernel's");
    expect(stats).toMatchObject({ active_opens: 1, passive_opens: 0, resets_in: 0, resets_out: 0 });
  });

  it("opens fast: its request arrives with the SYN once it has our cookie", async () => {
    await using namespace = new Namespace();
    namespace.sysctl({ "net.ipv4.tcp_fastopen": 1 });
    const before = namespace.nstat();
    const peer = start(namespace, { work: "serve fast", tuning: { fastOpen: true }, count: 0 });
    await until(() => peer.stdout().includes("listening"), "the peer listens");
    for (const path of ["/cookie", "/fast", "/stop"]) {
      const fetched = await namespace.run(...curl(path, { flags: ["--tcp-fastopen"] }));
      expect(fetched).toMatchObject({ code: 0, stdout: "hello" });
    }
    const stats = await finish(peer);
    expect(stats["fast_opens_in"]).toBe(2);
    const after = namespace.nstat();
    const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
    expect(grown("TcpExtTCPFastOpenActive")).toBe(2);
    expect(grown("TcpExtTCPFastOpenActiveFail")).toBe(0);
  });

  it("is opened fast: it takes our request from the SYN once we have its cookie", async () => {
    await using namespace = new Namespace();
    // Serve, and without that the program asks for it.
    namespace.sysctl({ "net.ipv4.tcp_fastopen": 0x402 });
    await workshop.startKernelServer(namespace);
    const before = namespace.nstat();
    const peer = start(namespace, { work: "open fast", tuning: { fastOpen: true }, count: 0 });
    const stats = await finish(peer);
    expect(eventOf(peer, "answered")["sizes"]).toHaveLength(2);
    expect(stats["fast_opens_out"]).toBe(1);
    const after = namespace.nstat();
    const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
    expect(grown("TcpExtTCPFastOpenPassive")).toBe(1);
    expect(grown("TcpExtTCPFastOpenCookieReqd")).toBe(1);
  });
});

if (missing !== null) {
  it("says why the kernel is not provoked here", () => {
    say(`The kernel is not provoked: ${missing}`);
    expect(process.env["CI"], `with CI=true nothing may be left out: ${missing}`).toBeUndefined();
  });
}
