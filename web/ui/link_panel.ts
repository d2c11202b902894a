/** The state of the link and the lease: `#link`, `#lease`, and the form for a token when there is none or a wrong one. */
import type { AddressInfo, LinkState } from "../../src/options.ts";
import type { WorkerStack } from "../../src/worker/client.ts";
import { byId, codeOf, formatSeconds, make, setText, showError } from "./dom.ts";

/** Shows link and lease of a stack, now and whenever they change. */
export function showLink(stack: WorkerStack): void {
  showState(stack.link);
  showLease(stack.lease);
  stack.onLink(showState);
  stack.onLease(showLease);
  stack.ready.catch((error: unknown) => {
    showFailure(error);
    if (codeOf(error) === "EACCES") askForToken("The relay does not know this token.");
  });
}

/** Shows that nothing works, and why. */
export function showFailure(error: unknown): void {
  const text = byId("link-text", HTMLElement);
  byId("link", HTMLElement).dataset["state"] = "down";
  showError(text, error);
}

/**
 * Shows the form for a token.
 *
 * @param reason Why it is asked for.
 */
export function askForToken(reason: string): void {
  const form = byId("token-form", HTMLFormElement);
  setText(byId("token-reason", HTMLElement), reason);
  form.hidden = false;
}

/** What happens with the token that was typed. */
export function onToken(use: (token: string) => void): void {
  const form = byId("token-form", HTMLFormElement);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const token = byId("token", HTMLInputElement).value.trim();
    if (token !== "") use(token);
  });
}

function showState({ up, reason }: LinkState): void {
  byId("link", HTMLElement).dataset["state"] = up ? "up" : "down";
  const text = byId("link-text", HTMLElement);
  delete text.dataset["code"];
  delete text.dataset["kind"];
  setText(text, up ? "Link up" : `Link down: ${reason}`);
}

function showLease(lease: AddressInfo | null): void {
  const list = byId("lease", HTMLElement);
  list.dataset["state"] = lease === null ? "none" : "bound";
  const entries = lease === null ? EMPTY : entriesOf(lease);
  list.replaceChildren(
    ...entries.map(([name, value]) =>
      make("div", {}, make("dt", {}, name), make("dd", { "data-field": name.toLowerCase() }, value))
    ),
  );
}

const EMPTY: readonly (readonly [string, string])[] = [
  ["Address", "–"],
  ["Gateway", "–"],
  ["DNS", "–"],
  ["MAC", "–"],
  ["MTU", "–"],
  ["Lease", "–"],
];

function entriesOf(lease: AddressInfo): (readonly [string, string])[] {
  return [
    ["Address", `${lease.address}/${lease.prefixLength}`],
    ["Gateway", lease.gateway ?? "none"],
    ["DNS", lease.dns.length === 0 ? "none" : lease.dns.join(", ")],
    ["MAC", lease.mac],
    ["MTU", `${lease.mtu} bytes`],
    ["Lease", lease.leaseSeconds === null ? "static" : formatSeconds(lease.leaseSeconds)],
  ];
}
