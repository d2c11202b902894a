import { describe, expect, test } from "vitest";
import { coreModule } from "../../src/core/wasm_source.ts";
import { runText } from "../../src/packetdrill/run.ts";

const module = await coreModule();

const SERVER = `
0    socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0   bind(3, ..., ...) = 0
+0   listen(3, 1) = 0
`;

function result(text: string, options: { ipVersion?: 4 | 6 } = {}): string {
  const { result: outcome, message } = runText(text, { module, ...options });
  return outcome === "pass" ? outcome : `${outcome}: ${message}`;
}

describe("a script is run as on the host that it was written for", () => {
  test("Linux: its scale, its SYN options, its doubled buffers", () => {
    const text = `\`./defaults.sh\`
${SERVER}
+0   getsockopt(3, SOL_TCP, TCP_MAXSEG, ..., ...) = 0
+0   < S 0:0(0) win 9000 <mss 700,nop,nop,sackOK,nop,wscale 2>
+0   > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
+.01 < . 1:1(0) ack 1 win 9000
+0   accept(3, ..., ...) = 4
+0   setsockopt(4, SOL_SOCKET, SO_RCVBUF, [6000], 4) = 0
+0   getsockopt(4, SOL_SOCKET, SO_RCVBUF, [12000], [4]) = 0
+0   setsockopt(4, SOL_SOCKET, SO_SNDBUF, [3000], 4) = 0
+0   fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0   write(4, ..., 9000) = 6000
`;
    expect(result(text)).toBe("pass");
    expect(result(text, { ipVersion: 6 })).toBe("pass");
  });

  test("FreeBSD: its scale and order, and buffers that are told as they were set, then in whole segments", () => {
    const text = `--ip_version=ipv6
0 \`sysctl -w net.inet.tcp.recvspace=65536\`
+0   socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0   fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0   getsockopt(3, SOL_SOCKET, SO_RCVBUF, [65536], [4]) = 0
+0   connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0   > S 0:0(0) win 65535 <mss 1440,nop,wscale 6,sackOK,TS val 7 ecr 0>
+.02 < S. 0:0(0) ack 1 win 8000 <mss 1440>
+0   > . 1:1(0) ack 1
+0   getsockopt(3, SOL_SOCKET, SO_RCVBUF, [66240], [4]) = 0
\`sysctl -w net.inet.tcp.recvspace=1000\`
`;
    expect(result(text)).toBe("pass");
  });

  test("a script for the one version keeps its segments over the other", () => {
    const text = `--mtu=1300
0    socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0   fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0   connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0   > S 0:0(0) <mss 1260,sackOK,TS val 7 ecr 0,nop,wscale 5>
`;
    expect(result(text)).toBe("pass");
    expect(result(text, { ipVersion: 6 })).toBe("pass");
  });

  test("listeners serve Fast Open without being asked where the knob says so", () => {
    const body = `${SERVER}
+0   < S 0:60(60) win 9000 <mss 700,FO TFO_COOKIE,nop,nop>
`;
    const implied =
      `\`sysctl -q net.ipv4.tcp_fastopen=0x402\`\n${body}+0 > S. 0:0(0) ack 61 <mss 1460>\n`;
    const asked = `\`sysctl -q net.ipv4.tcp_fastopen=2\`\n${body}+0 > S. 0:0(0) ack 1 <mss 1460>\n`;
    expect(result(implied)).toBe("pass");
    expect(result(asked)).toBe("pass");
  });

  test("PSH is compared where text is new, and not where it goes again", () => {
    const head = `${SERVER}
+0   < S 0:0(0) win 9000 <mss 700>
+0   > S. 0:0(0) ack 1 <mss 1460>
+.01 < . 1:1(0) ack 1 win 9000
+0   accept(3, ..., ...) = 4
+0   write(4, ..., 300) = 300
`;
    expect(result(`${head}+0 > . 1:301(300) ack 1\n`)).toMatch(/^fail/);
    const again = "+0 > P. 1:301(300) ack 1\n+.1~+2 > . 1:301(300) ack 1\n";
    expect(result(head + again)).toBe("pass");
  });
});
