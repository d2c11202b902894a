/** Makes the stack that a page has described: what stands between the host of the protocol and the link. */
import { createStack, type InProcessStack } from "../api/network_stack.ts";
import type { Device } from "../link/device.ts";
import type { WebSocketConstructor } from "../link/websocket_ws.ts";
import { websocketLink } from "../link/websocket.ts";
import { readNameOptions } from "../net/name_settings.ts";
import type { AddressInfo, LinkState } from "../options.ts";
import { systemClock } from "../runtime/system_clock.ts";
import { readStatic } from "../net/static_config.ts";
import type { PublishedPort, StackDescription } from "./protocol.ts";
import { knockingWebSocket } from "./knocking_web_socket.ts";
import { RecordedLink } from "./recorder.ts";

/**
 * Pauses between attempts to join, ms. Short, because a page's relay is its owner's: connections that died with it are to be
 * told within a second of its return. Chromium slows down a page that fails often, so we knock first.
 */
const RECONNECT = { minMs: 100, maxMs: 500 } as const;

/** What happens to a served stack by itself. */
export interface StackNews {
  /** The link went up or down. */
  link(state: LinkState): void;
  /** A lease was given, renewed or changed, or lost: null. */
  lease(lease: AddressInfo | null): void;
}

/** A stack on its way, and what its link can do. */
export interface ServedStack {
  /** Rejected if the link can not be opened, or a number is out of range. */
  readonly stack: Promise<InProcessStack>;
  /** Makes a port reachable at the relay's host. */
  publish(options: { port: number; hostPort?: number }): Promise<PublishedPort>;
  /** Takes it back. */
  unpublish(options: { port: number }): Promise<void>;
  /** Records the frames of the link. */
  startCapture(): void;
  /** The recording as a pcapng file. */
  stopCapture(): Uint8Array<ArrayBuffer>;
  /** Closes the stack; the link too, if there is no stack yet. */
  close(): Promise<void>;
}

/** Makes a served stack of a description. @throws TypeError or RangeError if that is not usable. */
export type StackBuilder = (description: StackDescription, news: StackNews) => ServedStack;

/** A link with ports to publish. */
export interface PublishingLink extends Device {
  publish(options: { port: number; hostPort?: number }): Promise<PublishedPort>;
  unpublish(options: { port: number }): Promise<void>;
}

/**
 * Builds a stack over a tunnel to a relay.
 *
 * @throws TypeError or RangeError if the description is not usable.
 */
export function buildWebsocketStack(
  description: StackDescription,
  news: StackNews,
): ServedStack {
  const { link } = description;
  if (link.kind !== "websocket") {
    throw new TypeError(`Cannot open a link of kind "${String(link.kind)}": expected "websocket"`);
  }
  const { url, token } = link;
  const tunnel = websocketLink({
    url,
    token,
    clock: systemClock(),
    reconnect: RECONNECT,
    // Node, Deno and Bun hold nobody back, and there ws opens the connection.
    ...(Reflect.has(globalThis, "process")
      ? {}
      : { webSocket: knockingWebSocket(WebSocket as unknown as WebSocketConstructor) }),
  });
  return serveStack(description, news, tunnel);
}

/**
 * Builds a stack over any link that can publish; {@linkcode buildWebsocketStack} for a given link.
 *
 * @param description Address and tuning; its link is not looked at.
 * @param news Whom to tell.
 * @param link Owned from here on.
 */
export function serveStack(
  description: StackDescription,
  news: StackNews,
  link: PublishingLink,
): ServedStack {
  const { address = "auto", addressKey, tuning, names, wasm } = description;
  if (typeof address === "object") readStatic(address);
  readNameOptions(names);
  const clock = systemClock();
  const epochMs = Date.now() - clock.now();
  const recorded = new RecordedLink(link, { clock, epochMs, onLink: (state) => news.link(state) });
  const keyed = addressKey === undefined ? {} : { addressKey };
  const tuned = tuning === undefined ? {} : { tuning };
  const named = names === undefined ? {} : { names };
  const sourced = wasm === undefined ? {} : { wasm };
  let created: InProcessStack | null = null;
  let isClosed = false;
  const given = { ...keyed, ...tuned, ...named, ...sourced };
  const stack = createStack({ link: recorded, address, ...given }).then((made) => {
    created = made;
    if (isClosed) void made.close();
    else follow(made, news);
    return made;
  });
  stack.catch(() => {});
  return {
    stack,
    publish: (options) => link.publish(options),
    unpublish: (options) => link.unpublish(options),
    startCapture: () => recorded.start(),
    stopCapture: () => recorded.stop(),
    // Within the call: a page that is left does not wait.
    close: () => {
      isClosed = true;
      if (created !== null) return created.close();
      // A tunnel that never opened keeps createStack() waiting; this ends that.
      recorded.close();
      return Promise.resolve();
    },
  };
}

/** Tells every change of the address, and the end of a core; the stack's own listeners are told first. */
function follow(created: InProcessStack, news: StackNews): void {
  const { stack } = created;
  const { onAddress, onEnd } = stack;
  stack.onAddress = () => {
    onAddress?.();
    news.lease(stack.address);
  };
  stack.onEnd = (error) => {
    onEnd?.(error);
    news.link({ up: false, reason: error.message });
  };
  if (stack.address !== null) news.lease(stack.address);
}
