import { describe, expect, test } from "vitest";
import { coreModule } from "../../src/core/wasm_source.ts";
import { readCommand } from "../../src/packetdrill/commands.ts";
import { runText } from "../../src/packetdrill/run.ts";

const module = await coreModule();

/** A server whose client has sent its last ACK; 4 is the connection. */
const OPEN = `
0    socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0   setsockopt(3, SOL_SOCKET, SO_ZEROCOPY, [1], 4) = 0
+0   bind(3, ..., ...) = 0
+0   listen(3, 1) = 0
+0   < S 0:0(0) win 9000 <mss 700>
+0   > S. 0:0(0) ack 1 <mss 1460>
+.01 < . 1:1(0) ack 1 win 9000
+0   accept(3, ..., ...) = 4
`;

function result(text: string, ipVersion: 4 | 6 = 4): string {
  const { result: outcome, message } = runText(text, { module, ipVersion });
  return outcome === "pass" ? outcome : `${outcome}: ${message}`;
}

function copied(first: number, last: number, version: 4 | 6 = 4): string {
  const [level, type] = version === 4 ? ["SOL_IP", "IP_RECVERR"] : ["SOL_IPV6", "IPV6_RECVERR"];
  return `+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=MSG_ERRQUEUE,
    msg_control=[{cmsg_level=${level}, cmsg_type=${type}, cmsg_data={ee_errno=0,
    ee_origin=SO_EE_ORIGIN_ZEROCOPY, ee_type=0, ee_code=SO_EE_CODE_ZEROCOPY_COPIED,
    ee_info=${first}, ee_data=${last}}}]}, MSG_ERRQUEUE) = 0\n`;
}

const NOTHING =
  "+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=0}, MSG_ERRQUEUE)" +
  " = -1 EAGAIN (Resource temporarily unavailable)\n";

describe("sends without a copy", () => {
  const SENDS = `${OPEN}
+0   send(4, ..., 700, MSG_ZEROCOPY) = 700
+0   > P. 1:701(700) ack 1
+0   send(4, ..., 700, MSG_ZEROCOPY) = 700
`;

  test.each<4 | 6>([4, 6])(
    "are told once they are acknowledged, neighbours together (IPv%i)",
    (version) => {
      const acked = "+.01 < . 1:1(0) ack 1401 win 9000\n";
      expect(result(SENDS + NOTHING, version)).toBe("pass");
      expect(result(SENDS + acked + copied(0, 1, version) + NOTHING, version)).toBe("pass");
      expect(result(SENDS + acked + copied(0, 0, version), version)).toMatch(/control messages/);
    },
  );

  test("wake an edge-triggered epoll each time", () => {
    const wait = "+0 epoll_wait(5, {events=EPOLLERR|EPOLLOUT, fd=4}, 1, 0) = 1\n";
    const text = `${OPEN}
+0   epoll_create(1) = 5
+0   epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT|EPOLLET, fd=4}) = 0
+0   epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1
+0   send(4, ..., 500, MSG_ZEROCOPY) = 500
+.01 < . 1:1(0) ack 501 win 9000
${wait}+0 epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0
+0   send(4, ..., 500, MSG_ZEROCOPY) = 500
+.01 < . 1:1(0) ack 1001 win 9000
${wait}${copied(0, 1)}`;
    expect(result(text)).toBe("pass");
  });
});

describe("timestamps of sends", () => {
  const stamp = (ms: number, info: string): string =>
    `+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=MSG_ERRQUEUE|MSG_TRUNC,
    msg_control=[{cmsg_level=SOL_SOCKET, cmsg_type=SCM_TIMESTAMPING,
    cmsg_data={scm_sec=0, scm_nsec=${ms}000000}}, {cmsg_level=SOL_IP, cmsg_type=IP_RECVERR,
    cmsg_data={ee_errno=ENOMSG, ee_origin=SO_EE_ORIGIN_TIMESTAMPING, ee_type=0, ee_code=0,
    ee_info=${info}, ee_data=499}}]}, MSG_ERRQUEUE) = 0\n`;

  test("tell when the last byte of a write left, and when it was acknowledged", () => {
    const text = `${OPEN}
+0   setsockopt(4, SOL_SOCKET, SO_TIMESTAMPING, [SOF_TIMESTAMPING_TX_SOFTWARE |
       SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID], 4) = 0
+0   write(4, ..., 500) = 500
+.05 < . 1:1(0) ack 501 win 9000
`;
    const left = stamp(10, "SCM_TSTAMP_SND");
    expect(result(text + left + stamp(60, "SCM_TSTAMP_ACK") + NOTHING)).toBe("pass");
    expect(result(text + left + stamp(80, "SCM_TSTAMP_ACK"))).toMatch(/control messages/);
  });
});

test("TCP_INQ tells what is left, and the end as one byte", () => {
  const read = (bytes: number, left: number): string =>
    `+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., ${bytes}}], msg_flags=0,
    msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=${left}}]}, 0) = ${bytes}\n`;
  const text = `${OPEN}
+0   setsockopt(4, SOL_TCP, TCP_INQ, [1], 4) = 0
+0   < F. 1:601(600) ack 1 win 9000
`;
  expect(result(text + read(200, 400) + read(400, 1))).toBe("pass");
  expect(result(text + read(200, 399))).toMatch(/control messages/);
});

test("a file can be opened and sent", () => {
  const text = `${OPEN}
+0   open("zeros", O_RDONLY) = 5
+0   sendfile(4, 5, [0], 40) = 40
+0   > P. 1:41(40) ack 1
+0   close(5) = 0
`;
  expect(result(text)).toBe("pass");
});

test("a blocking sendto() with data on its SYN waits for the handshake, and has its error", () => {
  const text = `
0    socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0   fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0   sendto(3, ..., 0, MSG_FASTOPEN, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0   > S 0:0(0) <...>
+.01 < S. 0:0(0) ack 1 win 9000 <mss 900,FO 0011223344556677,nop,nop>
+0   > . 1:1(0) ack 1
+0   close(3) = 0
+0   > F. 1:1(0) ack 1
+.1  socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
+0...0.03 sendto(4, ..., 100, MSG_FASTOPEN, ..., ...) = -1 ECONNREFUSED (Connection refused)
+0   > S 0:100(100) <...>
+.03 < R. 0:0(0) ack 1 win 0
`;
  expect(result(text)).toBe("pass");
});

test("what only looks at the sockets of a kernel is passed over, with its filters", () => {
  expect(readCommand("sockstat -4 -P tcp -s | grep -c CLOSING | grep 1").unknown).toEqual([]);
  expect(readCommand("nstat | grep TcpExtTCPLoss; frobnicate").unknown).toHaveLength(1);
  expect(readCommand("cat secrets | grep 1").unknown).not.toEqual([]);
});
