/** Datagrams, groups and echoes between a stack of ours and the kernel, in a network namespace. */
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Namespace, whatIsMissing } from "./namespace.ts";
import { PeerProgram } from "./peer_program.ts";

const missing = whatIsMissing();

if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`Datagrams can not be tested against the kernel: ${missing}`);
}

describe.skipIf(missing !== null)("datagrams and the kernel", () => {
  let peer: PeerProgram;

  beforeAll(async () => {
    peer = await PeerProgram.build("udp_kernel_peer");
  });

  afterAll(() => peer?.delete());

  test("fragments, echoes, errors and groups go both ways", async () => {
    await using namespace = new Namespace({ bare: true });
    expect(await peer.report(namespace, namespace.tap)).toEqual({
      big: true,
      reassembled: 1,
      ping: 3,
      pinged: true,
      way: ["10.98.0.1"],
      refused: "ECONNREFUSED",
      group: "from the kernel 239.9.8.7",
      kernelGroup: "from us 10.98.0.2:6000",
    });
  }, 60_000);
});
