/** Joins the relay that the page came from: its token, and a stack in a worker. */
import { StackError } from "../../src/errors.ts";
import { createWorkerStack, type WorkerStack } from "../../src/worker/client.ts";
import { TUNNEL_PATH } from "../../src/worker/protocol.ts";
import { askForToken, onToken, showLink } from "./link_panel.ts";

/** Where the token is kept until the tab is closed. */
const TOKEN_KEY = "tidewire_token";

/** Takes the token out of the address, so that it is not shown, bookmarked or sent on. */
function takeToken(): string | null {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given !== null) {
    history.replaceState(history.state, "", `${location.pathname}${location.search}`);
    if (given !== "") sessionStorage.setItem(TOKEN_KEY, given);
  }
  return sessionStorage.getItem(TOKEN_KEY);
}

/**
 * Starts a stack on the relay's network and shows its link; asks for a token if there is none.
 *
 * @param worker Where the worker's script is.
 */
export async function joinRelay(worker: URL): Promise<WorkerStack> {
  const token = takeToken();
  if (token === null) {
    askForToken("The relay prints it when it starts.");
    throw new StackError("EACCES", "Cannot join the relay: there is no token");
  }
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const stack = await createWorkerStack({
    worker,
    link: { kind: "websocket", url: `${scheme}//${location.host}${TUNNEL_PATH}`, token },
    address: "dhcp",
  });
  // The worker is told at once: it resets its connections and closes the link while the page goes.
  addEventListener("pagehide", () => void stack.close());
  showLink(stack);
  return stack;
}

/** A token that is typed, a new one in the address of an open tab, a page that comes back after it was left: all begin anew. */
export function beginAnewWithTokens(): void {
  onToken((token) => {
    sessionStorage.setItem(TOKEN_KEY, token);
    location.reload();
  });
  addEventListener("hashchange", () => {
    if (location.hash.startsWith("#token=")) location.reload();
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
}
