/** The little that the page needs of a UI library. Text is always set as text, never as markup. */
import { StackError } from "../../src/errors.ts";

/** What can stand within an element. */
export type Child = Node | string;

/** Units of bytes, each 1,000 of the one before it. */
const BYTE_UNITS: readonly string[] = ["B", "kB", "MB", "GB", "TB"];

/**
 * Finds an element of the page.
 *
 * @param id Its id.
 * @param Class The class that it must have.
 */
export function byId<T extends Element>(id: string, Class: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof Class)) throw new TypeError(`Cannot find #${id} in the page`);
  return found;
}

/**
 * Makes an element.
 *
 * @param tag Its name.
 * @param attributes Its attributes.
 * @param children What stands in it.
 */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Sets a text if it differs: an unchanged live region stays silent, and nothing is laid out anew. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows news in a status line. @param kind Its colour: nothing special, well, or badly. */
export function setStatus(
  element: HTMLElement,
  text: string,
  kind: "plain" | "good" | "bad",
): void {
  element.dataset["kind"] = kind;
  delete element.dataset["code"];
  delete element.dataset["bytes"];
  setText(element, text);
}

/** Shows an error in a status line, with its code in words and in `data-code`. */
export function showError(element: HTMLElement, error: unknown): void {
  const code = codeOf(error);
  setStatus(element, code === "" ? messageOf(error) : `${code}: ${messageOf(error)}`, "bad");
  if (code !== "") element.dataset["code"] = code;
}

/** The code of a StackError, else an empty string. */
export function codeOf(error: unknown): string {
  return error instanceof StackError ? error.code : "";
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether somebody ended it on purpose. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Bytes for people: three digits and a unit. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

/** A count for people: `1 request`, `2 requests`. */
export function formatCount(count: number, what: string): string {
  return `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
}

/** A duration for people. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3_600).toFixed(1).replace(/\.0$/, "")} h`;
}
