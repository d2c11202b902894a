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
import type { WorkerStack } from "../src/worker/client.ts";
import { serveCaptureButton } from "./ui/capture_panel.ts";
import { showConnections } from "./ui/connection_table.ts";
import { serveFetchForm } from "./ui/fetch_panel.ts";
import { beginAnewWithTokens, joinRelay } from "./ui/join.ts";
import { showFailure } from "./ui/link_panel.ts";
import { serveListenForm } from "./ui/listen_panel.ts";

/** What the console and tests get, together with `ready`. */
interface Lab {
  /** Null until the worker runs; use it after `ready`. */
  stack: WorkerStack | null;
}

async function run(lab: Lab): Promise<AddressInfo> {
  const stack = await joinRelay(new URL("worker.js", import.meta.url));
  lab.stack = stack;
  showConnections(stack);
  serveFetchForm(stack);
  serveListenForm(stack);
  serveCaptureButton(stack);
  return await stack.ready;
}

beginAnewWithTokens();

const lab: Lab = { stack: null };
// Fulfilled once the lease and the gateway are known.
const ready = run(lab);
Object.assign(globalThis, { tidewire, lab: Object.assign(lab, { ready }) });
ready.catch(showFailure);
