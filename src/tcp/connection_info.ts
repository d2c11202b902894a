/** A connection in the shape of the public API. */
import { type Endpoint, type InfoView, ipv4Endpoint, stateName } from "../core/info_view.ts";
import { formatIpv4 } from "../net/addresses.ts";
import type { ConnectionInfo, NetAddress } from "../options.ts";

/**
 * Copies what the core shows.
 *
 * @param view What `core.info()` gave, before its next call.
 */
export function toConnectionInfo(view: InfoView): ConnectionInfo {
  return {
    state: stateName(view.state),
    localAddress: toNetAddress(ipv4Endpoint(view.local)),
    remoteAddress: toNetAddress(ipv4Endpoint(view.remote)),
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
    timestamps: view.hasTimestamps,
    sack: view.hasSack,
    windowScale: view.windowScale,
  };
}

/** An endpoint with its address as text. */
export function toNetAddress(endpoint: Endpoint): NetAddress {
  return { hostname: formatIpv4(endpoint.address), port: endpoint.port };
}

/** An endpoint for messages: `10.0.0.2:80`. */
export function endpointText(endpoint: Endpoint): string {
  return `${formatIpv4(endpoint.address)}:${endpoint.port}`;
}
