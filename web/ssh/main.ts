/**
 * The page with a terminal: SSH over this tab's own TCP, by ssh2 and xterm.js.
 *
 * Ids, for tests and styles, beside `#link`, `#lease` and `#token-form`, which are as in the first page:
 *
 * | id | what |
 * |---|---|
 * | `#ssh-form` `#ssh-host` `#ssh-port` `#ssh-user` `#ssh-password` `#ssh-key` | whom to log in, and where |
 * | `#ssh-connect` `#ssh-disconnect` | begin and end |
 * | `#ssh-status` | `data-kind` is plain, good or bad; `data-code` |
 * | `#host-key` `#host-key-text` `#host-key-fingerprint` `#host-key-accept` `#host-key-refuse` | a new host's key, while asked about |
 * | `#ssh-forget` | shown after a changed key was refused |
 * | `#terminal` | `data-state` is `open` or `closed` |
 *
 * For the console: `lab.stack` is the stack, `lab.ready` its lease, `lab.terminal` xterm.js's terminal.
 */
import type { WorkerStack } from "../../src/worker/client.ts";
import { byId, setStatus, setText, showError } from "../ui/dom.ts";
import { beginAnewWithTokens, joinRelay } from "../ui/join.ts";
import { showFailure } from "../ui/link_panel.ts";
import { hostName, KnownHosts } from "./known_hosts.ts";
import { type HostKey, HostKeyChanged, type Login, SshSession } from "./session.ts";
import { TerminalView } from "./terminal.ts";

class SshPanel {
  readonly #stack: WorkerStack;
  readonly #view: TerminalView;
  readonly #known = new KnownHosts(localStorage);
  readonly #connect = byId("ssh-connect", HTMLButtonElement);
  readonly #disconnect = byId("ssh-disconnect", HTMLButtonElement);
  readonly #forget = byId("ssh-forget", HTMLButtonElement);
  readonly #status = byId("ssh-status", HTMLElement);
  readonly #place = byId("terminal", HTMLElement);
  /** Ends what is under way, or is open. */
  #end: () => void = () => {};

  constructor(stack: WorkerStack) {
    this.#stack = stack;
    this.#view = new TerminalView(this.#place, () => this.#disconnect.focus());
    byId("ssh-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.#connect.disabled) void this.#run(loginOf());
    });
    this.#disconnect.addEventListener("click", () => this.#end());
    this.#forget.addEventListener("click", () => {
      const { hostname, port } = loginOf();
      this.#known.forget(hostName(hostname, port));
      this.#forget.hidden = true;
      setStatus(this.#status, `The key of ${hostname} is forgotten`, "plain");
      this.#connect.focus();
    });
  }

  get view(): TerminalView {
    return this.#view;
  }

  async #run(login: Login): Promise<void> {
    const { hostname, username } = login;
    const controller = new AbortController();
    this.#end = () => controller.abort();
    this.#connect.disabled = true;
    this.#disconnect.disabled = false;
    this.#forget.hidden = true;
    setStatus(this.#status, `Connecting to ${hostname}`, "plain");
    try {
      const session = await SshSession.open(this.#stack, login, {
        known: this.#known,
        confirm: (key) => confirmKey(hostname, key, controller.signal),
        signal: controller.signal,
      });
      const outcome = await this.#talk(session, `${username} at ${hostname}`);
      setStatus(this.#status, outcome, "plain");
    } catch (error) {
      if (controller.signal.aborted) setStatus(this.#status, "Not connected", "plain");
      else showError(this.#status, error);
      this.#forget.hidden = !(error instanceof HostKeyChanged);
    } finally {
      // Questions that nobody needs to answer any more.
      controller.abort();
      this.#connect.disabled = false;
      this.#disconnect.disabled = true;
      this.#connect.focus();
    }
  }

  /** A shell from its beginning to its end. @returns How it ended. */
  async #talk(session: SshSession, who: string): Promise<string> {
    try {
      let outcome = "";
      this.#end = () => {
        outcome ||= "Disconnected";
        session.end();
      };
      const channel = await session.shell(this.#view.terminal);
      channel.on("exit", (code, signal) => {
        outcome = code === null
          ? `The shell was ended by ${signal}`
          : `The shell ended with ${code}`;
      });
      channel.on("close", () => session.end());
      this.#view.attach(channel);
      this.#place.dataset["state"] = "open";
      setStatus(this.#status, `Logged in: ${who}`, "good");
      const failure = await session.ended;
      // What comes after the shell's end, or after ours, is no loss.
      if (outcome !== "") return outcome;
      throw failure ?? new Error("The server closed the connection");
    } finally {
      session.end();
      this.#view.detach();
      this.#place.dataset["state"] = "closed";
    }
  }
}

function loginOf(): Login {
  const valueOf = (id: string): string => byId(id, HTMLInputElement).value;
  const key = byId("ssh-key", HTMLTextAreaElement).value.trim();
  return {
    hostname: valueOf("ssh-host").trim(),
    port: byId("ssh-port", HTMLInputElement).valueAsNumber,
    username: valueOf("ssh-user").trim(),
    password: valueOf("ssh-password"),
    // The last line of a key ends too.
    privateKey: key === "" ? "" : `${key}\n`,
  };
}

/** Asks whether a key is that of its host; an end of the attempt is a no. */
function confirmKey(
  hostname: string,
  { type, fingerprint }: HostKey,
  signal: AbortSignal,
): Promise<boolean> {
  const box = byId("host-key", HTMLElement);
  const text = `${hostname} is not known yet. Is this the fingerprint of its key (${type})?`;
  setText(byId("host-key-text", HTMLElement), text);
  setText(byId("host-key-fingerprint", HTMLElement), fingerprint);
  box.hidden = false;
  const refuse = byId("host-key-refuse", HTMLButtonElement);
  refuse.focus();
  return new Promise((resolve) => {
    const decide = (isRight: boolean): void => {
      box.hidden = true;
      resolve(isRight);
    };
    const accept = byId("host-key-accept", HTMLButtonElement);
    accept.onclick = () => decide(true);
    refuse.onclick = () => decide(false);
    signal.addEventListener("abort", () => decide(false), { once: true });
  });
}

beginAnewWithTokens();
const ready = joinRelay(new URL("../worker.js", import.meta.url)).then(async (stack) => {
  const panel = new SshPanel(stack);
  Object.assign(lab, { stack, terminal: panel.view.terminal });
  return await stack.ready;
});
const lab: Record<string, unknown> = { ready };
Object.assign(globalThis, { lab });
ready.catch(showFailure);
