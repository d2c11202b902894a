/** The HTTP side of the relay: who may ask for what, before any WebSocket. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { networkInterfaces } from "node:os";
import { TUNNEL_PROTOCOL } from "../link/websocket_control.ts";

/** Bounds of HTTP: time for a header, bytes of it, connections (WebSockets included; more are closed at once). */
const HEADER_TIMEOUT_MS = 5_000;
const HEADER_MAX_BYTES = 8_192;
const CONNECTIONS_MAX = 1_024;

/** Paths on which a WebSocket is accepted. */
const TUNNEL_PATHS: readonly string[] = ["/", "/tunnel"];

/** Answers a GET or HEAD request for a path; false = not found. */
export type Serve = (path: string, request: IncomingMessage, response: ServerResponse) => boolean;

/** Where the relay was asked to listen, and where it does. */
export interface Place {
  /** As asked for; may be a name. */
  readonly asked: string;
  readonly hostname: string;
  readonly port: number;
}

/**
 * Listens.
 *
 * @param hostname Address or name.
 * @param port 0 = any.
 * @returns The server, once it listens. Rejects with the error of node:net.
 */
export async function listenHttp(hostname: string, port: number): Promise<Server> {
  const http = createServer({
    maxHeaderSize: HEADER_MAX_BYTES,
    connectionsCheckingInterval: 1_000,
  });
  http.headersTimeout = HEADER_TIMEOUT_MS;
  http.requestTimeout = HEADER_TIMEOUT_MS;
  http.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    http.once("error", reject);
    http.listen({ host: hostname, port }, () => {
      http.off("error", reject);
      resolve();
    });
  });
  return http;
}

/** Answers a request. */
export function answerHttp(
  request: IncomingMessage,
  response: ServerResponse,
  serve: Serve | undefined,
): void {
  const path = pathOf(request);
  response.setHeader("X-Content-Type-Options", "nosniff");
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    return answer(response, 405, "Method not allowed.\n");
  }
  if (path === "/healthz") return answer(response, 200, "ok\n");
  if (serve?.(path, request, response) === true) return;
  if (path === "/") {
    return answer(response, 200, "This is a tidewire relay; clients reach it by WebSocket.\n");
  }
  answer(response, 404, "Not found.\n");
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.setHeader("Content-Length", text.length);
  response.end(text);
}

/**
 * Decides over an upgrade.
 *
 * @param origins Origins that are allowed beside the relay's own.
 * @returns Status line of the refusal, or null.
 */
export function upgradeRefusal(
  request: IncomingMessage,
  place: Place,
  origins: readonly string[],
): string | null {
  if (!TUNNEL_PATHS.includes(pathOf(request))) return "404 Not Found";
  if (!isAllowedOrigin(request.headers.origin, place, origins)) return "403 Forbidden";
  const offered = request.headers["sec-websocket-protocol"] ?? "";
  const protocols = offered.split(",").map((name) => name.trim());
  return protocols.includes(TUNNEL_PROTOCOL) ? null : "400 Bad Request";
}

/**
 * Programs that are no browsers send no Origin; the token is theirs to have. The request's own Host proves nothing: a page
 * can have its name point at us.
 */
export function isAllowedOrigin(
  origin: string | undefined,
  place: Place,
  origins: readonly string[],
): boolean {
  if (origin === undefined) return true;
  return origins.includes(origin) || ownOrigins(place).includes(origin);
}

function ownOrigins({ asked, hostname, port }: Place): string[] {
  const names = ["127.0.0.1", "localhost", "[::1]"];
  if (isAnyAddress(hostname)) {
    for (const list of Object.values(networkInterfaces())) {
      for (const { address, family } of list ?? []) if (family === "IPv4") names.push(address);
    }
  } else {
    names.push(bracketed(hostname), bracketed(asked));
  }
  return names.map((name) => new URL(`http://${name}:${port}`).origin);
}

/** Host and port as they stand in an address that this host can use. */
export function authorityOf({ hostname, port }: Place): string {
  return `${isAnyAddress(hostname) ? "127.0.0.1" : bracketed(hostname)}:${port}`;
}

function bracketed(hostname: string): string {
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}

function isAnyAddress(hostname: string): boolean {
  return hostname === "0.0.0.0" || hostname === "::";
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").split("?")[0] ?? "";
}
