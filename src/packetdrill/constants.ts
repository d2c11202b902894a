/**
 * Names of system calls' arguments and results, and their numbers.
 *
 * The numbers are those of Linux on most machines (asm-generic), because nearly all scripts compare some of them: each
 * table names the header that its manual page points at. What only FreeBSD has stands above {@linkcode FREEBSD_BASE}, so
 * that it never means something else.
 */

/** Added to FreeBSD's numbers of options that Linux does not have. */
export const FREEBSD_BASE = 0x1_0000;

/** One table: where its numbers come from, and `NAME number` pairs. */
interface Table {
  readonly source: string;
  readonly text: string;
}

/** By header. */
const TABLES: readonly Table[] = [
  {
    source: "sys/socket.h: families and types; netinet/in.h: addresses; socket(2), ip(7)",
    text: `AF_UNSPEC 0 AF_UNIX 1 AF_LOCAL 1 AF_INET 2 AF_INET6 10 AF_NETLINK 16 AF_PACKET 17
      PF_UNSPEC 0 PF_UNIX 1 PF_LOCAL 1 PF_INET 2 PF_INET6 10 PF_NETLINK 16 PF_PACKET 17
      SOCK_STREAM 1 SOCK_DGRAM 2 SOCK_RAW 3 SOCK_RDM 4 SOCK_SEQPACKET 5
      SOCK_NONBLOCK 2048 SOCK_CLOEXEC 524288 SOMAXCONN 4096
      SHUT_RD 0 SHUT_WR 1 SHUT_RDWR 2
      INADDR_ANY 0 INADDR_LOOPBACK 0x7f000001 INADDR_BROADCAST 0xffffffff`,
  },
  {
    source: "netinet/in.h and IANA's protocol numbers: levels and protocols",
    text: `IPPROTO_IP 0 IPPROTO_ICMP 1 IPPROTO_TCP 6 IPPROTO_UDP 17 IPPROTO_IPV6 41 IPPROTO_GRE 47
      IPPROTO_ICMPV6 58 IPPROTO_SCTP 132 IPPROTO_UDPLITE 136 IPPROTO_RAW 255 IPPROTO_MPTCP 262
      SOL_IP 0 SOL_SOCKET 1 SOL_TCP 6 SOL_UDP 17 SOL_IPV6 41 SOL_ICMPV6 58 SOL_SCTP 132
      SOL_RAW 255 SOL_MPTCP 284`,
  },
  {
    source: "asm-generic/socket.h: options of SOL_SOCKET; socket(7)",
    text: `SO_DEBUG 1 SO_REUSEADDR 2 SO_TYPE 3 SO_ERROR 4 SO_DONTROUTE 5 SO_BROADCAST 6 SO_SNDBUF 7
      SO_RCVBUF 8 SO_KEEPALIVE 9 SO_OOBINLINE 10 SO_NO_CHECK 11 SO_PRIORITY 12 SO_LINGER 13
      SO_BSDCOMPAT 14 SO_REUSEPORT 15 SO_PASSCRED 16 SO_PEERCRED 17 SO_RCVLOWAT 18 SO_SNDLOWAT 19
      SO_RCVTIMEO 20 SO_SNDTIMEO 21 SO_BINDTODEVICE 25 SO_ATTACH_FILTER 26 SO_DETACH_FILTER 27
      SO_PEERNAME 28 SO_TIMESTAMP 29 SO_ACCEPTCONN 30 SO_SNDBUFFORCE 32 SO_RCVBUFFORCE 33
      SO_TIMESTAMPNS 35 SO_MARK 36 SO_TIMESTAMPING 37 SO_PROTOCOL 38 SO_DOMAIN 39 SO_RXQ_OVFL 40
      SO_PEEK_OFF 42 SO_LOCK_FILTER 44 SO_SELECT_ERR_QUEUE 45 SO_BUSY_POLL 46
      SO_MAX_PACING_RATE 47 SO_INCOMING_CPU 49 SO_CNX_ADVICE 53 SO_MEMINFO 55
      SO_INCOMING_NAPI_ID 56 SO_COOKIE 57 SO_ZEROCOPY 60 SO_TXTIME 61 SO_BINDTOIFINDEX 62
      SO_RESERVE_MEM 73 SO_TXREHASH 74
      SCM_RIGHTS 1 SCM_TIMESTAMP 29 SCM_TIMESTAMPNS 35 SCM_TIMESTAMPING 37`,
  },
  {
    source: "linux/tcp.h: options of SOL_TCP; tcp(7)",
    text: `TCP_NODELAY 1 TCP_MAXSEG 2 TCP_CORK 3 TCP_KEEPIDLE 4 TCP_KEEPINTVL 5 TCP_KEEPCNT 6
      TCP_SYNCNT 7 TCP_LINGER2 8 TCP_DEFER_ACCEPT 9 TCP_WINDOW_CLAMP 10 TCP_INFO 11 TCP_QUICKACK 12
      TCP_CONGESTION 13 TCP_MD5SIG 14 TCP_THIN_LINEAR_TIMEOUTS 16 TCP_THIN_DUPACK 17
      TCP_USER_TIMEOUT 18 TCP_REPAIR 19 TCP_REPAIR_QUEUE 20 TCP_QUEUE_SEQ 21 TCP_REPAIR_OPTIONS 22
      TCP_FASTOPEN 23 TCP_TIMESTAMP 24 TCP_NOTSENT_LOWAT 25 TCP_CC_INFO 26 TCP_SAVE_SYN 27
      TCP_SAVED_SYN 28 TCP_REPAIR_WINDOW 29 TCP_FASTOPEN_CONNECT 30 TCP_ULP 31 TCP_MD5SIG_EXT 32
      TCP_FASTOPEN_KEY 33 TCP_FASTOPEN_NO_COOKIE 34 TCP_ZEROCOPY_RECEIVE 35 TCP_INQ 36
      TCP_CM_INQ 36 TCP_TX_DELAY 37 TCP_RTO_MAX_MS 44 TCP_RTO_MIN_US 45 TCP_DELACK_MAX_US 46`,
  },
  {
    source:
      "netinet/tcp.h of FreeBSD: options that Linux does not have, above FREEBSD_BASE; tcp(4)",
    text: `TCP_NOPUSH 0x10004 TCP_NOOPT 0x10008 TCP_REMOTE_UDP_ENCAPS_PORT 0x10047
      TCP_DELACK 0x10048 TCP_FIN_IS_RST 0x10049 TCP_KEEPINIT 0x10080 TCP_FUNCTION_BLK 0x12000
      FIONWRITE 0x10077 FIONSPACE 0x10076`,
  },
  {
    source: "linux/in.h: options of SOL_IP; ip(7)",
    text: `IP_TOS 1 IP_TTL 2 IP_HDRINCL 3 IP_OPTIONS 4 IP_RECVOPTS 6 IP_RETOPTS 7 IP_PKTINFO 8
      IP_MTU_DISCOVER 10 IP_RECVERR 11 IP_RECVTTL 12 IP_RECVTOS 13 IP_MTU 14 IP_FREEBIND 15
      IP_TRANSPARENT 19 IP_ORIGDSTADDR 20 IP_MINTTL 21 IP_NODEFRAG 22 IP_BIND_ADDRESS_NO_PORT 24
      IP_LOCAL_PORT_RANGE 51 IP_PMTUDISC_DONT 0 IP_PMTUDISC_WANT 1 IP_PMTUDISC_DO 2
      IP_PMTUDISC_PROBE 3 IP_PMTUDISC_INTERFACE 4 IP_PMTUDISC_OMIT 5`,
  },
  {
    source: "linux/in6.h: options of SOL_IPV6; ipv6(7)",
    text: `IPV6_FLOWINFO 11 IPV6_UNICAST_HOPS 16 IPV6_MTU_DISCOVER 23 IPV6_MTU 24 IPV6_RECVERR 25
      IPV6_V6ONLY 26 IPV6_FLOWLABEL_MGR 32 IPV6_FLOWINFO_SEND 33 IPV6_RECVPKTINFO 49
      IPV6_PKTINFO 50 IPV6_RECVHOPLIMIT 51 IPV6_HOPLIMIT 52 IPV6_RECVPATHMTU 60 IPV6_PATHMTU 61
      IPV6_DONTFRAG 62 IPV6_RECVTCLASS 66 IPV6_TCLASS 67 IPV6_AUTOFLOWLABEL 70 IPV6_MINHOPCOUNT 73
      IPV6_TRANSPARENT 75 IPV6_FREEBIND 78 IPV6_PMTUDISC_DONT 0 IPV6_PMTUDISC_WANT 1
      IPV6_PMTUDISC_DO 2 IPV6_PMTUDISC_PROBE 3 IPV6_PMTUDISC_INTERFACE 4 IPV6_PMTUDISC_OMIT 5`,
  },
  {
    source: "linux/socket.h: flags of messages; send(2), recv(2). MSG_EOF, FreeBSD's, is MSG_FIN",
    text: `MSG_OOB 1 MSG_PEEK 2 MSG_DONTROUTE 4 MSG_CTRUNC 8 MSG_PROBE 0x10 MSG_TRUNC 0x20
      MSG_DONTWAIT 0x40 MSG_EOR 0x80 MSG_WAITALL 0x100 MSG_FIN 0x200 MSG_EOF 0x200 MSG_SYN 0x400
      MSG_CONFIRM 0x800 MSG_RST 0x1000 MSG_ERRQUEUE 0x2000 MSG_NOSIGNAL 0x4000 MSG_MORE 0x8000
      MSG_WAITFORONE 0x10000 MSG_ZEROCOPY 0x4000000 MSG_FASTOPEN 0x20000000
      MSG_CMSG_CLOEXEC 0x40000000`,
  },
  {
    source: "asm-generic/fcntl.h: flags of open(2), commands of fcntl(2); splice(2)",
    text: `O_RDONLY 0 O_WRONLY 1 O_RDWR 2 O_ACCMODE 3 O_CREAT 64 O_EXCL 128 O_NOCTTY 256 O_TRUNC 512
      O_APPEND 1024 O_NONBLOCK 2048 O_NDELAY 2048 O_DSYNC 4096 O_ASYNC 8192 O_DIRECT 16384
      O_LARGEFILE 32768 O_DIRECTORY 65536 O_NOFOLLOW 131072 O_CLOEXEC 524288 O_SYNC 1052672
      F_DUPFD 0 F_GETFD 1 F_SETFD 2 F_GETFL 3 F_SETFL 4 F_SETOWN 8 F_GETOWN 9
      F_SETPIPE_SZ 1031 F_GETPIPE_SZ 1032 FD_CLOEXEC 1
      SPLICE_F_MOVE 1 SPLICE_F_NONBLOCK 2 SPLICE_F_MORE 4 SPLICE_F_GIFT 8`,
  },
  {
    source: "asm-generic/ioctls.h and linux/sockios.h: requests of ioctl(2); tcp(7)",
    text: `FIONREAD 0x541b SIOCINQ 0x541b TIOCINQ 0x541b FIONBIO 0x5421 FIOASYNC 0x5452
      SIOCOUTQ 0x5411 TIOCOUTQ 0x5411 SIOCOUTQNSD 0x894b SIOCATMARK 0x8905 SIOCGSTAMP 0x8906`,
  },
  {
    source: "asm-generic/poll.h: events of poll(2)",
    text: `POLLIN 1 POLLPRI 2 POLLOUT 4 POLLERR 8 POLLHUP 0x10 POLLNVAL 0x20 POLLRDNORM 0x40
      POLLRDBAND 0x80 POLLWRNORM 0x100 POLLWRBAND 0x200 POLLMSG 0x400 POLLRDHUP 0x2000
      POLLINIGNEOF 0x2000`,
  },
  {
    source: "linux/eventpoll.h: events and operations of epoll_ctl(2)",
    text:
      `EPOLLIN 1 EPOLLPRI 2 EPOLLOUT 4 EPOLLERR 8 EPOLLHUP 0x10 EPOLLRDNORM 0x40 EPOLLRDBAND 0x80
      EPOLLWRNORM 0x100 EPOLLWRBAND 0x200 EPOLLMSG 0x400 EPOLLRDHUP 0x2000
      EPOLLEXCLUSIVE 0x10000000 EPOLLWAKEUP 0x20000000 EPOLLONESHOT 0x40000000 EPOLLET 0x80000000
      EPOLL_CTL_ADD 1 EPOLL_CTL_DEL 2 EPOLL_CTL_MOD 3 EPOLL_CLOEXEC 524288`,
  },
  {
    source: "linux/net_tstamp.h and linux/errqueue.h: timestamps and the error queue; ip(7)",
    text: `SOF_TIMESTAMPING_TX_HARDWARE 1 SOF_TIMESTAMPING_TX_SOFTWARE 2
      SOF_TIMESTAMPING_RX_HARDWARE 4 SOF_TIMESTAMPING_RX_SOFTWARE 8 SOF_TIMESTAMPING_SOFTWARE 16
      SOF_TIMESTAMPING_SYS_HARDWARE 32 SOF_TIMESTAMPING_RAW_HARDWARE 64 SOF_TIMESTAMPING_OPT_ID 128
      SOF_TIMESTAMPING_TX_SCHED 256 SOF_TIMESTAMPING_TX_ACK 512 SOF_TIMESTAMPING_OPT_CMSG 1024
      SOF_TIMESTAMPING_OPT_TSONLY 2048 SOF_TIMESTAMPING_OPT_STATS 4096
      SOF_TIMESTAMPING_OPT_ID_TCP 65536 SCM_TSTAMP_SND 0 SCM_TSTAMP_SCHED 1 SCM_TSTAMP_ACK 2
      SO_EE_ORIGIN_NONE 0 SO_EE_ORIGIN_LOCAL 1 SO_EE_ORIGIN_ICMP 2 SO_EE_ORIGIN_ICMP6 3
      SO_EE_ORIGIN_TXSTATUS 4 SO_EE_ORIGIN_TIMESTAMPING 4 SO_EE_ORIGIN_ZEROCOPY 5
      SO_EE_CODE_ZEROCOPY_COPIED 1`,
  },
  {
    source: "netinet/tcp.h: states, as tcpi_state tells them",
    text: `TCP_ESTABLISHED 1 TCP_SYN_SENT 2 TCP_SYN_RECV 3 TCP_FIN_WAIT1 4 TCP_FIN_WAIT2 5
      TCP_TIME_WAIT 6 TCP_CLOSE 7 TCP_CLOSE_WAIT 8 TCP_LAST_ACK 9 TCP_LISTEN 10 TCP_CLOSING 11
      TCP_NEW_SYN_RECV 12`,
  },
  {
    source:
      "linux/tcp.h: tcpi_ca_state, tcpi_options, tcpi_fastopen_client_fail; linux/sock_diag.h",
    text: `TCP_CA_Open 0 TCP_CA_Disorder 1 TCP_CA_CWR 2 TCP_CA_Recovery 3 TCP_CA_Loss 4
      TCPI_OPT_TIMESTAMPS 1 TCPI_OPT_SACK 2 TCPI_OPT_WSCALE 4 TCPI_OPT_ECN 8 TCPI_OPT_ECN_SEEN 16
      TCPI_OPT_SYN_DATA 32 TCPI_OPT_USEC_TS 64 TCPI_OPT_TFO_CHILD 128
      TFO_STATUS_UNSPEC 0 TFO_COOKIE_UNAVAILABLE 1 TFO_DATA_NOT_ACKED 2 TFO_SYN_RETRANSMITTED 3
      SK_MEMINFO_RMEM_ALLOC 0 SK_MEMINFO_RCVBUF 1 SK_MEMINFO_WMEM_ALLOC 2 SK_MEMINFO_SNDBUF 3
      SK_MEMINFO_FWD_ALLOC 4 SK_MEMINFO_WMEM_QUEUED 5 SK_MEMINFO_OPTMEM 6 SK_MEMINFO_BACKLOG 7
      SK_MEMINFO_DROPS 8`,
  },
];

/** Source: asm-generic/errno-base.h and errno.h; errno(3). The first of two names of a number is the one we print. */
const ERRNO_TEXT = `EPERM 1 ENOENT 2 ESRCH 3 EINTR 4 EIO 5 ENXIO 6 E2BIG 7 ENOEXEC 8 EBADF 9
  ECHILD 10 EAGAIN 11 EWOULDBLOCK 11 ENOMEM 12 EACCES 13 EFAULT 14 ENOTBLK 15 EBUSY 16 EEXIST 17
  EXDEV 18 ENODEV 19 ENOTDIR 20 EISDIR 21 EINVAL 22 ENFILE 23 EMFILE 24 ENOTTY 25 ETXTBSY 26
  EFBIG 27 ENOSPC 28 ESPIPE 29 EROFS 30 EMLINK 31 EPIPE 32 EDOM 33 ERANGE 34 EDEADLK 35
  ENAMETOOLONG 36 ENOLCK 37 ENOSYS 38 ENOTEMPTY 39 ELOOP 40 ENOMSG 42 EIDRM 43 ENODATA 61 ETIME 62
  EPROTO 71 EBADMSG 74 EOVERFLOW 75 EILSEQ 84 EUSERS 87 ENOTSOCK 88 EDESTADDRREQ 89 EMSGSIZE 90
  EPROTOTYPE 91 ENOPROTOOPT 92 EPROTONOSUPPORT 93 ESOCKTNOSUPPORT 94 EOPNOTSUPP 95 ENOTSUP 95
  EPFNOSUPPORT 96 EAFNOSUPPORT 97 EADDRINUSE 98 EADDRNOTAVAIL 99 ENETDOWN 100 ENETUNREACH 101
  ENETRESET 102 ECONNABORTED 103 ECONNRESET 104 ENOBUFS 105 EISCONN 106 ENOTCONN 107 ESHUTDOWN 108
  ETOOMANYREFS 109 ETIMEDOUT 110 ECONNREFUSED 111 EHOSTDOWN 112 EHOSTUNREACH 113 EALREADY 114
  EINPROGRESS 115 ESTALE 116 EDQUOT 122 ECANCELED 125`;

function pairsOf(text: string): [name: string, value: number][] {
  const words = text.trim().split(/\s+/);
  const pairs: [string, number][] = [];
  for (let at = 0; at + 1 < words.length; at += 2) {
    pairs.push([words[at] ?? "", Number(words[at + 1])]);
  }
  return pairs;
}

/** Error numbers by name. */
export const ERRNO: ReadonlyMap<string, number> = new Map(pairsOf(ERRNO_TEXT));

const ERRNO_NAMES: ReadonlyMap<number, string> = new Map(
  [...ERRNO].reverse().map(([name, value]) => [value, name]),
);

/** All names but those of errors, with their numbers. Code in scripts sees them too. */
export const CONSTANTS: ReadonlyMap<string, number> = new Map(
  TABLES.flatMap(({ text }) => pairsOf(text)),
);

/** @param name As a script writes it. @returns Its number, of an error too; undefined if there is none. */
export function constantOf(name: string): number | undefined {
  return CONSTANTS.get(name) ?? ERRNO.get(name);
}

/** @param errno Positive number. @returns Its name, or the number as text. */
export function errnoName(errno: number): string {
  return ERRNO_NAMES.get(errno) ?? String(errno);
}

// ---- ICMP ----------------------------------------------------------------------------------------------------------

/** A type, and the names of its codes in the order of their numbers. */
type IcmpType = readonly [name: string, type: number, codes: string];

/** RFC 792, RFC 1122 section 3.2.2.1 and RFC 1812 section 5.2.7.1. */
const ICMP_V4: readonly IcmpType[] = [
  ["echo_reply", 0, ""],
  [
    "unreachable",
    3,
    "net_unreachable host_unreachable protocol_unreachable port_unreachable frag_needed source_route_failed " +
    "net_unknown host_unknown source_host_isolated net_prohibited host_prohibited tos_net_unreachable " +
    "tos_host_unreachable packet_filtered precedence_violation precedence_cutoff",
  ],
  ["source_quench", 4, ""],
  ["redirect", 5, "net host tos_net tos_host"],
  ["echo_request", 8, ""],
  ["time_exceeded", 11, "exceeded_in_transit exceeded_fragment_reassembly"],
  ["parameter_problem", 12, "pointer missing_option bad_length"],
  ["timestamp_request", 13, ""],
  ["timestamp_reply", 14, ""],
];

/** RFC 4443 sections 3 and 4. */
const ICMP_V6: readonly IcmpType[] = [
  [
    "unreachable",
    1,
    "no_route admin_prohibited beyond_scope address_unreachable port_unreachable source_policy_failed reject_route",
  ],
  ["packet_too_big", 2, ""],
  ["time_exceeded", 3, "exceeded_in_transit exceeded_fragment_reassembly"],
  ["parameter_problem", 4, "header_field next_header option"],
  ["echo_request", 128, ""],
  ["echo_reply", 129, ""],
];

/** Names that some scripts use for codes of {@linkcode ICMP_V4} and {@linkcode ICMP_V6}. */
const ICMP_ALIASES: ReadonlyMap<string, string> = new Map([
  ["admin_prohibited", "packet_filtered"],
  ["no_route", "net_unreachable"],
  ["address_unreachable", "host_unreachable"],
  ["addr_unreachable", "address_unreachable"],
  ["host_unreachable", "address_unreachable"],
  ["net_unreachable", "no_route"],
  ["not_neighbour", "beyond_scope"],
]);

/**
 * Numbers an ICMP message.
 *
 * @param version Of IP.
 * @param type As a script writes it: a name or a number.
 * @param code The same; null = 0.
 * @returns Type and code; null if this version has no such type or code.
 */
export function icmpNumbers(
  version: 4 | 6,
  type: string,
  code: string | null,
): { readonly type: number; readonly code: number } | null {
  const entry = (version === 4 ? ICMP_V4 : ICMP_V6)
    .find(([name, number]) => name === type || String(number) === type);
  const typeNumber = entry?.[1] ?? (isNumber(type) ? Number(type) : null);
  if (typeNumber === null) return null;
  if (code === null || isNumber(code)) return { type: typeNumber, code: Number(code ?? 0) };
  const codes = entry?.[2].split(" ") ?? [];
  const at = codes.indexOf(code);
  const found = at >= 0 ? at : codes.indexOf(ICMP_ALIASES.get(code) ?? code);
  return found < 0 ? null : { type: typeNumber, code: found };
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text);
}
