/** A connection in the shape of the public API. */
import { REASON_NAMES } from "../layout/layout.gen.ts";
import { CONGESTION_CONTROLS } from "./tcp_options.ts";
import { type Endpoint, type InfoView, stateName } from "../core/info_view.ts";
import { formatIp, isIpv4Number } from "../net/addresses.ts";
import type { ConnectionInfo, NetAddress } from "../options.ts";

/** Linux's names of tcpi_ca_state, in the order of their numbers. */
const CA_STATES = ["open", "disorder", "cwr", "recovery", "loss"] as const;

/**
 * Copies what the core shows.
 *
 * @param view What `core.info()` gave, before its next call.
 */
export function toConnectionInfo(view: InfoView): ConnectionInfo {
  return {
    state: stateName(view.state),
    localAddress: toNetAddress(view.local),
    remoteAddress: toNetAddress(view.remote),
    receiveQueuedBytes: view.receiveQueued,
    sendQueuedBytes: view.sendQueued,
    inFlightBytes: view.inFlight,
    sndWndBytes: view.sndWnd,
    rcvWndBytes: view.rcvWnd,
    cwndBytes: view.cwnd,
    ssthreshBytes: view.ssthresh,
    mssBytes: view.mss,
    srttMs: view.srttMs,
    rttvarMs: view.rttvarMs,
    rtoMs: view.rtoMs,
    retries: view.retries,
    congestionState: CA_STATES[view.caState] ?? "open",
    congestionControl: CONGESTION_CONTROLS[view.congestion] ?? "newreno",
    minRttMs: view.minRttMs,
    ackedBytes: view.bytesAcked,
    receivedBytes: view.bytesReceived,
    segmentsIn: view.segmentsIn,
    segmentsOut: view.segmentsOut,
    retransmits: view.retransmits,
    unackedSegments: view.unacked,
    sackedSegments: view.sacked,
    lostSegments: view.lost,
    resentSegments: view.retransOut,
    probes: view.probes,
    notSentBytes: view.notSent,
    advertisedMssBytes: view.advMss,
    receivedMssBytes: view.rcvMss,
    pathMtuBytes: view.pathMtu,
    pacingRate: view.pacingRate,
    lastDataSentMs: view.lastDataSentMs,
    lastHeardMs: view.lastHeardMs,
    urgentBytes: view.urgentBytes,
    softError: view.softReason === 0 ? null : REASON_NAMES[view.softReason] ?? null,
    timestamps: view.hasTimestamps,
    sack: view.hasSack,
    ecn: view.hasEcn,
    windowScale: view.windowScale,
  };
}

/** An endpoint with its address as text. */
export function toNetAddress(endpoint: Endpoint): NetAddress {
  return { hostname: formatIp(endpoint.address), port: endpoint.port };
}

/** An endpoint for messages: `10.0.0.2:80`, `[2001:db8::2]:80` (RFC 5952 section 6). */
export function endpointText({ address, port }: Endpoint): string {
  const text = formatIp(address);
  return isIpv4Number(address) ? `${text}:${port}` : `[${text}]:${port}`;
}
