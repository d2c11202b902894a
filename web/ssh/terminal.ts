/** The terminal: xterm.js, as large as its place, and what goes between it and a shell. */
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import type { Channel } from "./session.ts";

/** Lines that can be scrolled back to. */
const SCROLLBACK_LINES = 5_000;

/** While so many bytes wait to be drawn, the server is made to wait: its window is not opened further. */
const HIGH_BYTES = 1 << 20;
const LOW_BYTES = 1 << 18;

/** A terminal in the page. */
export class TerminalView {
  readonly terminal: Terminal;
  readonly #fit = new FitAddon();
  #channel: Channel | null = null;

  /**
   * Puts a terminal into the page.
   *
   * @param place The element that it fills.
   * @param leave Called when the keyboard is to go elsewhere: a terminal takes the tabulator for itself, Shift+Escape leaves it.
   */
  constructor(place: HTMLElement, leave: () => void) {
    this.terminal = new Terminal({
      cursorBlink: true,
      fontFamily: "ui-monospace, monospace",
      scrollback: SCROLLBACK_LINES,
    });
    this.terminal.loadAddon(this.#fit);
    this.terminal.open(place);
    this.terminal.attachCustomKeyEventHandler((event) => {
      if (event.key !== "Escape" || !event.shiftKey) return true;
      if (event.type === "keydown") leave();
      return false;
    });
    this.terminal.onData((text) => this.#channel?.write(text));
    // Reports of the mouse in the old form: a byte for each character.
    this.terminal.onBinary((text) => {
      this.#channel?.write(Uint8Array.from(text, (character) => character.charCodeAt(0)));
    });
    this.terminal.onResize(({ cols, rows }) => this.#channel?.setWindow(rows, cols, 0, 0));
    new ResizeObserver(() => this.#fit.fit()).observe(place);
  }

  /** Shows what a shell writes, and gives it what is typed; the screen is a new one. */
  attach(channel: Channel): void {
    this.#channel = channel;
    this.terminal.reset();
    let waitingBytes = 0;
    const show = (chunk: Uint8Array): void => {
      waitingBytes += chunk.length;
      if (waitingBytes > HIGH_BYTES) channel.pause();
      this.terminal.write(chunk, () => {
        waitingBytes -= chunk.length;
        if (waitingBytes < LOW_BYTES) channel.resume();
      });
    };
    channel.on("data", show);
    channel.stderr.on("data", show);
    // The window may have been drawn larger or smaller since the shell was asked for.
    const { rows, cols } = this.terminal;
    channel.setWindow(rows, cols, 0, 0);
    this.terminal.focus();
  }

  /** What is typed goes nowhere any more; what was shown stays. */
  detach(): void {
    this.#channel = null;
    this.terminal.blur();
  }
}
