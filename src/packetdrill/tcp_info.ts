/** `struct tcp_info` as Linux fills it, by the names that code in scripts uses. */
import type { InfoView } from "../core/info_view.ts";
import {
  EXTRA_FLAG_SYN_DATA_ACKED,
  FLAG_ECN,
  INFO_ADV_MSS,
  INFO_BACKOFF,
  INFO_BYTES_ACKED,
  INFO_BYTES_RECEIVED,
  INFO_CA_STATE,
  INFO_DELIVERED,
  INFO_EXTRA_FLAGS,
  INFO_LAST_DATA_SENT_MS,
  INFO_LAST_HEARD_MS,
  INFO_LOST,
  INFO_MIN_RTT_US,
  INFO_NOT_SENT,
  INFO_PACING_RATE,
  INFO_PATH_MTU,
  INFO_PROBES,
  INFO_RCV_MSS,
  INFO_REORDERING,
  INFO_RETRANS_OUT,
  INFO_RETRANSMITS,
  INFO_SACKED,
  INFO_SEGMENTS_IN,
  INFO_SEGMENTS_OUT,
  INFO_UNACKED,
  STATE_CLOSE_WAIT,
  STATE_CLOSED,
  STATE_CLOSING,
  STATE_ESTABLISHED,
  STATE_FIN_WAIT_1,
  STATE_FIN_WAIT_2,
  STATE_LAST_ACK,
  STATE_LISTEN,
  STATE_SYN_RECEIVED,
  STATE_SYN_SENT,
  STATE_TIME_WAIT,
} from "../layout/layout.gen.ts";

const US_PER_MS = 1000;
const TCP_CLOSE = 7;

/** TCP_ESTABLISHED and so on by STATE. Source: include/net/tcp_states.h, as its manual page lists them. */
const STATE_OF_LINUX: Readonly<Record<number, number>> = {
  [STATE_ESTABLISHED]: 1,
  [STATE_SYN_SENT]: 2,
  [STATE_SYN_RECEIVED]: 3,
  [STATE_FIN_WAIT_1]: 4,
  [STATE_FIN_WAIT_2]: 5,
  [STATE_TIME_WAIT]: 6,
  [STATE_CLOSED]: TCP_CLOSE,
  [STATE_CLOSE_WAIT]: 8,
  [STATE_LAST_ACK]: 9,
  [STATE_LISTEN]: 10,
  [STATE_CLOSING]: 11,
};

/** TCPI_OPT_…, tcp(7). */
const OPT_TIMESTAMPS = 1;
const OPT_SACK = 2;
const OPT_WSCALE = 4;
const OPT_ECN = 8;
const OPT_SYN_DATA = 32;

/** Numbers by name. */
export type Names = ReadonlyMap<string, number>;

function optionsOf(view: InfoView): number {
  let bits = 0;
  if (view.hasTimestamps) bits |= OPT_TIMESTAMPS;
  if (view.hasSack) bits |= OPT_SACK;
  if (view.windowScale !== null) bits |= OPT_WSCALE;
  if ((view.flags & FLAG_ECN) !== 0) bits |= OPT_ECN;
  if ((view.readU32(INFO_EXTRA_FLAGS) & EXTRA_FLAG_SYN_DATA_ACKED) !== 0) bits |= OPT_SYN_DATA;
  return bits;
}

/** Windows and thresholds are counted in segments. */
function segments(bytes: number, mss: number): number {
  return mss === 0 ? 0 : Math.floor(bytes / mss);
}

/** ssthresh of Linux before the first loss. */
const SSTHRESH_INFINITE = 0x7fff_ffff;

/**
 * The fields of `struct tcp_info`.
 *
 * @param view The connection, or null if there is none.
 */
export function tcpInfo(view: InfoView | null): Names {
  if (view === null) return new Map([["tcpi_state", TCP_CLOSE]]);
  const scale = view.windowScale;
  const { mss, ssthresh } = view;
  const isInfinite = ssthresh >= SSTHRESH_INFINITE || ssthresh === 0;
  return new Map([
    ["tcpi_state", STATE_OF_LINUX[view.state] ?? TCP_CLOSE],
    ["tcpi_ca_state", view.readU32(INFO_CA_STATE)],
    ["tcpi_retransmits", view.retries],
    ["tcpi_probes", view.readU32(INFO_PROBES)],
    ["tcpi_backoff", view.readU32(INFO_BACKOFF)],
    ["tcpi_options", optionsOf(view)],
    ["tcpi_snd_wscale", scale?.snd ?? 0],
    ["tcpi_rcv_wscale", scale?.rcv ?? 0],
    ["tcpi_rto", view.rtoMs * US_PER_MS],
    ["tcpi_snd_mss", mss],
    ["tcpi_rcv_mss", view.readU32(INFO_RCV_MSS)],
    ["tcpi_unacked", view.readU32(INFO_UNACKED)],
    ["tcpi_sacked", view.readU32(INFO_SACKED)],
    ["tcpi_lost", view.readU32(INFO_LOST)],
    ["tcpi_retrans", view.readU32(INFO_RETRANS_OUT)],
    ["tcpi_fackets", 0],
    ["tcpi_last_data_sent", view.readU32(INFO_LAST_DATA_SENT_MS)],
    ["tcpi_last_ack_sent", 0],
    ["tcpi_last_data_recv", view.readU32(INFO_LAST_HEARD_MS)],
    ["tcpi_last_ack_recv", view.readU32(INFO_LAST_HEARD_MS)],
    ["tcpi_pmtu", view.readU32(INFO_PATH_MTU)],
    ["tcpi_rcv_ssthresh", view.rcvWnd],
    ["tcpi_rtt", Math.round(view.srttMs * US_PER_MS)],
    ["tcpi_rttvar", Math.round(view.rttvarMs * US_PER_MS)],
    ["tcpi_snd_ssthresh", isInfinite ? SSTHRESH_INFINITE : segments(ssthresh, mss)],
    ["tcpi_snd_cwnd", segments(view.cwnd, mss)],
    ["tcpi_advmss", view.readU32(INFO_ADV_MSS)],
    ["tcpi_reordering", view.readU32(INFO_REORDERING)],
    ["tcpi_rcv_rtt", 0],
    ["tcpi_rcv_space", view.rcvWnd],
    ["tcpi_total_retrans", view.readU32(INFO_RETRANSMITS)],
    ["tcpi_pacing_rate", view.readU32(INFO_PACING_RATE)],
    ["tcpi_max_pacing_rate", 0],
    ["tcpi_bytes_acked", view.readU64(INFO_BYTES_ACKED)],
    ["tcpi_bytes_received", view.readU64(INFO_BYTES_RECEIVED)],
    ["tcpi_segs_out", view.readU32(INFO_SEGMENTS_OUT)],
    ["tcpi_segs_in", view.readU32(INFO_SEGMENTS_IN)],
    ["tcpi_notsent_bytes", view.readU32(INFO_NOT_SENT)],
    ["tcpi_min_rtt", view.readU32(INFO_MIN_RTT_US)],
    ["tcpi_delivered", view.readU32(INFO_DELIVERED)],
    ["tcpi_snd_wnd", view.sndWnd],
    ["tcpi_rcv_wnd", view.rcvWnd],
  ]);
}
