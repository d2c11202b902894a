/**
 * IPv6 against the kernel and dnsmasq, which sends router advertisements and serves DHCP, on networks of IPv6 alone, IPv4 alone
 * and both.
 */
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AddressInfo } from "../../src/options.ts";
import { nodePath } from "../../src/dev/common.mjs";
import { DNSMASQ, whatDnsmasqMisses } from "./dnsmasq.ts";
import type { Ipv6Report, Ipv6Settings } from "./ipv6_peer.ts";
import { until } from "./launch.ts";
import { Namespace, type Running, whatIsMissing } from "./namespace.ts";
import { PeerProgram } from "./peer_program.ts";

const KERNEL = "fd99::1";
const KERNEL_V4 = "10.99.0.1";
const ECHO_PORT = 7_007;
const OUR_PORT = 8_080;
const BYTES = 2_000_000;
/** What the router announces, bytes. */
const MTU = 1_480;

const missing = whatIsMissing() ?? whatDnsmasqMisses();

if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`IPv6 can not be tested: ${missing}`);
}

/** Echoes what it gets, by TCP and by UDP. */
const ECHO_SERVER = `
require("node:net").createServer((socket) => void socket.on("error", () => {}).pipe(socket))
  .listen(${ECHO_PORT}, "::", () => console.log("ready"));
for (const type of ["udp4", "udp6"]) {
  const socket = require("node:dgram").createSocket({ type, ipv6Only: type === "udp6" });
  socket.on("message", (data, { port, address }) => socket.send(data, port, address));
  socket.bind(${ECHO_PORT});
}`;

/** Connects to us, sends, and prints how much came back. */
const VISITOR = `
const [host] = process.argv.slice(1);
const data = Buffer.alloc(${BYTES}, "abc");
let got = 0;
const socket = require("node:net").connect(${OUR_PORT}, host, () => socket.end(data));
socket.on("data", (chunk) => (got += chunk.length)).on("end", () => console.log(got));`;

/** How dnsmasq serves the network. */
const RA = ["--enable-ra", "--dhcp-range=fd99::,ra-only,64,1h", `--ra-param=tap0,mtu:${MTU},3,600`];
const DHCP = ["--dhcp-range=10.99.0.50,10.99.0.60,255.255.255.0,1h"];

describe.skipIf(missing !== null)("addresses of the network", () => {
  let program: PeerProgram;
  const node = nodePath() ?? process.execPath;

  beforeAll(async () => {
    program = await PeerProgram.build("ipv6_peer");
  });

  afterAll(() => program?.delete());

  /** A namespace with a TAP that has the kernel's addresses. */
  async function makeNetwork(addresses: readonly string[]): Promise<Namespace> {
    const namespace = new Namespace({ bare: true });
    namespace.ip("tuntap", "add", namespace.tap, "mode", "tap");
    namespace.sysctl({
      "net.ipv6.conf.tap0.accept_dad": 0,
      "net.ipv6.conf.tap0.accept_ra": 0,
    });
    for (const address of addresses) {
      namespace.ip("addr", "add", address, "dev", namespace.tap);
    }
    namespace.ip("link", "set", namespace.tap, "up");
    const server = namespace.start([node, "-e", ECHO_SERVER]);
    await until(() => server.stdout().includes("ready"), "the echo server listens");
    return namespace;
  }

  /** Starts dnsmasq on the TAP. */
  function serve(namespace: Namespace, options: readonly string[]): void {
    namespace.start([
      ...DNSMASQ,
      "--no-ping",
      `--dhcp-leasefile=${join(program.folder, `${namespace.name}.leases`)}`,
      `--interface=${namespace.tap}`,
      ...options,
    ]);
  }

  /** Starts our stack, and tells what it got. */
  async function startPeer(
    namespace: Namespace,
    address: Ipv6Settings["address"],
    hostname: string,
    viaRelay = false,
  ): Promise<{ peer: Running; info: AddressInfo }> {
    const settings: Ipv6Settings = {
      ...{ tap: namespace.tap, viaRelay, address, port: OUR_PORT, bytes: BYTES },
      echo: { hostname, port: ECHO_PORT },
    };
    const peer = namespace.start(program.command(JSON.stringify(settings)), "pipe");
    void peer.ended.then(({ stderr }) => process.stderr.write(stderr));
    await until(() => peer.stdout().includes("listening"), "our stack has talked to the kernel");
    return { peer, info: JSON.parse(peer.stdout().split("\n")[0] ?? "") };
  }

  async function stopPeer(peer: Running): Promise<Ipv6Report> {
    peer.child.stdin?.write("\n");
    const { stdout, code } = await peer.ended;
    expect(code).toBe(0);
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
  }

  function expectTalk(report: Ipv6Report): void {
    expect(report).toMatchObject({ echoed: BYTES, refused: "ECONNREFUSED", datagram: 4_000 });
    expect(report.pinged).not.toBeNull();
  }

  it("IPv6 alone: advertisements give address, router, name server and MTU; TCP, UDP and ping both ways", async () => {
    await using namespace = await makeNetwork([`${KERNEL}/64`]);
    serve(namespace, RA);
    const { peer, info } = await startPeer(namespace, "auto", KERNEL);
    expect(info.address).toMatch(/^fd99::/);
    expect(info).toMatchObject({ prefixLength: 64, mtu: MTU, leaseSeconds: null });
    expect(info.gateway).toMatch(/^fe80::/);
    expect(info.dns.length).toBeGreaterThan(0);
    const visit = await namespace.run(node, "-e", VISITOR, info.address);
    expect(visit).toMatchObject({ stdout: `${BYTES}\n` });
    const ping = await namespace.run(
      "ping",
      "-6",
      "-c",
      "3",
      "-i",
      "0.05",
      "-s",
      "4000",
      info.address,
    );
    expect(ping.stdout).toContain(" 0% packet loss");
    const local = info.addresses.find(({ origin }) => origin === "link-local")?.address;
    const near = await namespace.run("ping", "-6", "-c", "1", `${local}%${namespace.tap}`);
    expect(near.stdout).toContain(" 0% packet loss");
    const neighbours = namespace.ip("-6", "neigh", "show", "dev", namespace.tap);
    expect(neighbours).toContain(info.address);
    const report = await stopPeer(peer);
    expectTalk(report);
    expect(report.visitors).toEqual([KERNEL]);
  });

  it("IPv4 alone: DHCP makes the same stack ready", async () => {
    await using namespace = await makeNetwork([`${KERNEL_V4}/24`]);
    serve(namespace, DHCP);
    const { peer, info } = await startPeer(namespace, "auto", KERNEL_V4);
    expect(info.address).toMatch(/^10\.99\.0\.[56]\d$/);
    expect(info.gateway).toBe(KERNEL_V4);
    expectTalk(await stopPeer(peer));
  });

  it("both: a listener serves both, and a name's family is waited for", async () => {
    await using namespace = await makeNetwork([`${KERNEL_V4}/24`, `${KERNEL}/64`]);
    serve(namespace, [...DHCP, ...RA]);
    const { peer, info } = await startPeer(namespace, "auto", KERNEL);
    expect(info.addresses.length).toBeGreaterThan(0);
    const visit = await namespace.run(node, "-e", VISITOR, info.address);
    expect(visit.stdout).toBe(`${BYTES}\n`);
    const report = await stopPeer(peer);
    expectTalk(report);
    expect(report.visitors).toEqual([info.address.includes(":") ? KERNEL : KERNEL_V4]);
    const origins = report.address.addresses.map(({ origin }) => origin).sort();
    expect(origins).toEqual(["dhcp", "link-local", "slaac"]);
  });

  it("IPv6 alone through a relay in TAP mode", async () => {
    await using namespace = await makeNetwork([`${KERNEL}/64`]);
    serve(namespace, RA);
    const { peer, info } = await startPeer(namespace, "auto", KERNEL, true);
    expect(info.address).toMatch(/^fd99::/);
    const visit = await namespace.run(node, "-e", VISITOR, info.address);
    expect(visit).toMatchObject({ stdout: `${BYTES}\n` });
    expectTalk(await stopPeer(peer));
  });

  it("by hand: an address that the kernel has is not taken", async () => {
    await using namespace = await makeNetwork([`${KERNEL}/64`, "fd99::7/64"]);
    const cidr = ["fd99::7/64", "fd99::8/64"];
    const { peer, info } = await startPeer(namespace, { cidr, dns: [KERNEL] }, KERNEL);
    expect(info).toMatchObject({ address: "fd99::8", dns: [KERNEL], gateways: [] });
    const report = await stopPeer(peer);
    expectTalk(report);
    expect(report.stats["host_nd_duplicate"]).toBe(1);
  });
});

if (missing !== null) {
  it("says why IPv6 is not tested here", () => {
    process.stdout.write(`IPv6 is not tested against the kernel: ${missing}\n`);
    expect(process.env["CI"], `with CI=true nothing may be left out: ${missing}`).toBeUndefined();
  });
}
