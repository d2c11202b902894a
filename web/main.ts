/**
 * The page: this tab's own TCP, and what can be done with it.
 *
 * Ids, for tests and styles:
 *
 * | id | what |
 * |---|---|
 * | `#link` | `data-state` is `up` or `down`; its text is in `#link-text` (an error's code in its `data-code`) |
 * | `#lease` | `data-state` is `bound` or `none`; values are `dd[data-field=address]`, gateway, dns, mac, mtu, lease |
 * | `#token-form` `#token` `#token-reason` | asks for a token; hidden unless there is none or it is wrong |
 * | `#fetch-form` `#fetch-url` `#fetch-save` `#fetch-start` `#fetch-cancel` | fetches |
 * | `#fetch-status` | `data-kind` is plain, good or bad; `data-code`, `data-bytes` |
 * | `#fetch-progress` `#fetch-rate` `#fetch-preview` | while it runs |
 * | `#listen-form` `#listen-port` `#listen-publish` `#listen-host-port` `#listen-start` | serves |
 * | `#listen-status` | `data-kind`, `data-code` |
 * | `#listeners` | a line for each: `li[data-port][data-host-port]` with a link and a button |
 * | `#connections` `#connections-count` | the table; rows are `tr[data-handle][data-state]` |
 * | `#capture` `#capture-status` | `data-state` is `running` or `stopped`; `data-bytes` of the file |
 *
 * For the console: `tidewire` is the public module, `lab.stack` the stack, `lab.ready` its lease.
 */
import * as tidewire from "../src/mod.ts";
import type { AddressInfo } from "../src/options.ts";
import { createWorkerStack, type WorkerStack } from "../src/worker/client.ts";
import { TUNNEL_PATH } from "../src/worker/protocol.ts";
import { serveCaptureButton } from "./ui/capture_panel.ts";
import { showConnections } from "./ui/connection_table.ts";
import { serveFetchForm } from "./ui/fetch_panel.ts";
import { askForToken, onToken, showFailure, showLink } from "./ui/link_panel.ts";
import { serveListenForm } from "./ui/listen_panel.ts";

/** Where the token is kept until the tab is closed. */
const TOKEN_KEY = "tidewire_token";

/** What the console and tests get, together with `ready`. */
interface Lab {
  /** Null until the worker runs; use it after `ready`. */
  stack: WorkerStack | null;
}

/** Takes the token out of the address, so that it is not shown, bookmarked or sent on. */
function takeToken(): string | null {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given !== null) {
    history.replaceState(history.state, "", `${location.pathname}${location.search}`);
    if (given !== "") sessionStorage.setItem(TOKEN_KEY, given);
  }
  return sessionStorage.getItem(TOKEN_KEY);
}

async function start(token: string): Promise<WorkerStack> {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const stack = await createWorkerStack({
    worker: new URL("worker.js", import.meta.url),
    link: { kind: "websocket", url: `${scheme}//${location.host}${TUNNEL_PATH}`, token },
    address: "dhcp",
  });
  // The worker is told at once: it resets its connections and closes the link while the page goes.
  addEventListener("pagehide", () => void stack.close());
  showLink(stack);
  showConnections(stack);
  serveFetchForm(stack);
  serveListenForm(stack);
  serveCaptureButton(stack);
  return stack;
}

async function run(lab: Lab): Promise<AddressInfo> {
  const token = takeToken();
  if (token === null) {
    askForToken("The relay prints it when it starts.");
    throw new tidewire.StackError("EACCES", "Cannot join the relay: there is no token");
  }
  lab.stack = await start(token);
  return await lab.stack.ready;
}

onToken((token) => {
  sessionStorage.setItem(TOKEN_KEY, token);
  location.reload();
});
// A new token in the address of an open tab, and a page that comes back after it was left: both begin anew.
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) location.reload();
});
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

const lab: Lab = { stack: null };
// Fulfilled once the lease and the gateway are known.
const ready = run(lab);
Object.assign(globalThis, { tidewire, lab: Object.assign(lab, { ready }) });
ready.catch(showFailure);
