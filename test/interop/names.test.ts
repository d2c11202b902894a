/** The resolver against dnsmasq, as the authority of a zone with records of all types, in a namespace of its own. */
import { execFileSync } from "node:child_process";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodePath } from "../../src/dev/common.mjs";
import { DNSMASQ, whatDnsmasqMisses } from "./dnsmasq.ts";
import { until } from "./launch.ts";
import type { Answers, Questions } from "./names_peer.ts";
import { Namespace, type Running, whatIsMissing } from "./namespace.ts";
import { PeerProgram } from "./peer_program.ts";
import { HTTP_PORT, KERNEL_ADDRESS, SILENT_ADDRESS } from "./ports.ts";

const ZONE = "lab.test";
const SERIAL = 2_026_112_101;
/** Three strings of a record of their largest size: more than dnsmasq is told that a datagram may hold. */
const LONG = "0123456789abcdef".repeat(16).slice(0, 255);
/** Payload of datagrams, bytes. RFC 1035 section 4.2.1. */
const PAYLOAD_BYTES = 512;
const GREETING = "hello by name";

/** The zone, as dnsmasq takes it. */
const OPTIONS: readonly string[] = [
  `--auth-server=ns.${ZONE},${KERNEL_ADDRESS}`,
  `--auth-zone=${ZONE},10.99.0.0/24,fd99::/64`,
  `--auth-soa=${SERIAL},root.${ZONE},1200,120,604800`,
  "--auth-ttl=60",
  `--host-record=www.${ZONE},10.99.0.80,fd99::80`,
  `--host-record=four.${ZONE},10.99.0.4`,
  `--host-record=six.${ZONE},fd99::6`,
  // The first address is silent, the second one is the kernel's.
  `--host-record=web.${ZONE},${SILENT_ADDRESS}`,
  `--host-record=web.${ZONE},${KERNEL_ADDRESS}`,
  `--cname=one.${ZONE},www.${ZONE}`,
  `--cname=two.${ZONE},one.${ZONE}`,
  `--mx-host=${ZONE},mx1.${ZONE},10`,
  `--mx-host=${ZONE},mx2.${ZONE},20`,
  `--srv-host=_sip._tcp.${ZONE},www.${ZONE},5060,1,5`,
  `--txt-record=text.${ZONE},first,second part`,
  `--txt-record=long.${ZONE},${LONG},${LONG},${LONG}`,
  `--naptr-record=naptr.${ZONE},100,50,s,SIP+D2T,,_sip._tcp.${ZONE}`,
  `--caa-record=${ZONE},128,issue,ca.example`,
];

const missing = whatIsMissing() ?? whatDnsmasqMisses();

if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`Names can not be tested: ${missing}`);
}

/** A server that greets. */
const GREETER = `require("node:net").createServer((socket) => {
  socket.on("error", () => {}).write(${JSON.stringify(GREETING)});
}).listen(${HTTP_PORT}, "${KERNEL_ADDRESS}", () => console.log("ready"));`;

describe.skipIf(missing !== null)("names of dnsmasq", () => {
  let peer: PeerProgram;
  let namespace: Namespace;
  let server: Running;
  let answers: Answers;

  const questions: Questions = {
    tap: "tap0",
    records: [
      `www.${ZONE} A`,
      `www.${ZONE} AAAA`,
      `two.${ZONE} A`,
      `one.${ZONE} CNAME`,
      `${ZONE} MX`,
      `${ZONE} NS`,
      `${ZONE} SOA`,
      `${ZONE} CAA`,
      `_sip._tcp.${ZONE} SRV`,
      `text.${ZONE} TXT`,
      `naptr.${ZONE} NAPTR`,
      `long.${ZONE} TXT`,
      "80.0.99.10.in-addr.arpa PTR",
      "10.99.0.80 PTR",
      "fd99::80 PTR",
      `nobody.${ZONE} A`,
      `four.${ZONE} AAAA`,
      "elsewhere.example A",
    ],
    hosts: [`www.${ZONE}`, "two", "six", `four.${ZONE}.`, "nobody"],
    search: [ZONE],
    connect: "web",
  };

  beforeAll(async () => {
    peer = await PeerProgram.build("names_peer");
    namespace = new Namespace();
    server = namespace.start([
      ...DNSMASQ,
      "--bind-interfaces",
      `--listen-address=${KERNEL_ADDRESS}`,
      `--edns-packet-max=${PAYLOAD_BYTES}`,
      ...OPTIONS,
    ]);
    const node = nodePath() ?? process.execPath;
    const greeter = namespace.start([node, "-e", GREETER]);
    await until(() => greeter.stdout().includes("ready"), "the greeter listens");
    await until(() => isListening(namespace), `dnsmasq listens: ${server.stdout()}`);
    answers = await peer.report(namespace, JSON.stringify(questions));
  });

  afterAll(async () => {
    await namespace?.[Symbol.asyncDispose]();
    peer?.delete();
  });

  it("gives records of each type as they stand in the zone", () => {
    expect(answers.records).toMatchObject({
      [`www.${ZONE} A`]: ["10.99.0.80"],
      [`www.${ZONE} AAAA`]: ["fd99::80"],
      [`two.${ZONE} A`]: ["10.99.0.80"],
      [`one.${ZONE} CNAME`]: [`www.${ZONE}`],
      [`${ZONE} NS`]: [`ns.${ZONE}`],
      [`${ZONE} SOA`]: [{
        mname: `ns.${ZONE}`,
        rname: `root.${ZONE}`,
        serial: SERIAL,
        refresh: 1_200,
        retry: 120,
        expire: 604_800,
        minimum: 60,
      }],
      [`${ZONE} CAA`]: [{ critical: true, tag: "issue", value: "ca.example" }],
      [`_sip._tcp.${ZONE} SRV`]: [{ priority: 1, weight: 5, port: 5_060, target: `www.${ZONE}` }],
      [`text.${ZONE} TXT`]: [["first", "second part"]],
      [`naptr.${ZONE} NAPTR`]: [{
        order: 100,
        preference: 50,
        flags: "s",
        services: "SIP+D2T",
        regexp: "",
        replacement: `_sip._tcp.${ZONE}`,
      }],
    });
    expect(answers.records[`${ZONE} MX`]).toEqual(expect.arrayContaining([
      { preference: 10, exchange: `mx1.${ZONE}` },
      { preference: 20, exchange: `mx2.${ZONE}` },
    ]));
  });

  it("gives the names of addresses of both families", () => {
    for (const question of ["80.0.99.10.in-addr.arpa PTR", "10.99.0.80 PTR", "fd99::80 PTR"]) {
      expect(answers.records[question], question).toEqual([`www.${ZONE}`]);
    }
  });

  it("tells what is not there, and what the server does not want to say", () => {
    expect(answers.records).toMatchObject({
      [`nobody.${ZONE} A`]: "ENOTFOUND",
      [`four.${ZONE} AAAA`]: "ENODATA",
      "elsewhere.example A": "EREFUSED",
    });
  });

  it("7766-1 fetches over TCP what was cut, and nothing else", () => {
    expect(answers.records[`long.${ZONE} TXT`]).toEqual([[LONG, LONG, LONG]]);
    expect(answers.overTcp).toEqual([`long.${ZONE} TXT`]);
  });

  it("finds hosts of both families, and completes short names", () => {
    const { hosts } = answers;
    expect(new Set(hosts[`www.${ZONE}`] as string[])).toEqual(new Set(["10.99.0.80", "fd99::80"]));
    expect(new Set(hosts["two"] as string[])).toEqual(new Set(["10.99.0.80", "fd99::80"]));
    expect(hosts).toMatchObject({ six: ["fd99::6"], [`four.${ZONE}.`]: ["10.99.0.4"] });
    expect(hosts["nobody"]).toBe("EREFUSED");
  });

  it("8305-3 connects by name, though one of the addresses is silent", () => {
    expect(answers.connected).toEqual({ hostname: KERNEL_ADDRESS, text: GREETING });
  });
});

/** Whether somebody has the port of name servers, over UDP and TCP. */
function isListening(namespace: Namespace): boolean {
  const args = ["netns", "exec", namespace.name, "ss", "-Hlntu", "sport = :53"];
  const lines = execFileSync("ip", args, { encoding: "utf8" }).trim().split("\n");
  return ["udp", "tcp"].every((kind) => lines.some((line) => line.startsWith(kind)));
}

if (missing !== null) {
  it("says why names are not tested here", () => {
    process.stdout.write(`Names are not tested against dnsmasq: ${missing}\n`);
    expect(process.env["CI"], `with CI=true nothing may be left out: ${missing}`).toBeUndefined();
  });
}
