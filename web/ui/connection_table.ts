/** The table of connections, as netstat and ss show it; refreshed four times a second while somebody can see it. */
import { stateDiagram } from "../../src/layout/state_diagram.ts";
import type { ConnectionRow, NetAddress, NetworkStack } from "../../src/options.ts";
import { byId, make, setText } from "./dom.ts";

/** From one look to the next, ms. */
const REFRESH_MS = 250;

/** Rows that are shown; the rest is counted. */
const ROWS_MAX = 100;

const COLUMNS = 7;

/** Begins to show the connections of a stack, in `#connections`. */
export function showConnections(stack: Pick<NetworkStack, "connections">): void {
  const table = new Table();
  const look = async (): Promise<void> => {
    try {
      if (!document.hidden) table.show(await stack.connections());
    } catch {
      // The stack is gone: the link's panel says so.
      table.show([]);
      return;
    }
    setTimeout(look, REFRESH_MS);
  };
  void look();
}

class Table {
  readonly #body: HTMLTableSectionElement;
  readonly #count: HTMLElement;
  readonly #rows = new Map<number, HTMLTableRowElement>();
  readonly #figure: HTMLElement;
  /** Of the row that was clicked last; null = the newest. */
  #chosen: number | null = null;
  /** What the picture shows now. */
  #shown: string | null = null;

  constructor() {
    this.#figure = byId("states", HTMLElement);
    const table = byId("connections", HTMLTableElement);
    this.#body = table.tBodies[0] ?? table.createTBody();
    this.#count = byId("connections-count", HTMLElement);
  }

  show(rows: readonly ConnectionRow[]): void {
    const shown = [...rows].sort((a, b) => a.handle - b.handle).slice(0, ROWS_MAX);
    const handles = new Set(shown.map(({ handle }) => handle));
    for (const [handle, element] of this.#rows) {
      if (handles.has(handle)) continue;
      element.remove();
      this.#rows.delete(handle);
    }
    for (const row of shown) this.#fill(this.#rows.get(row.handle) ?? this.#add(row.handle), row);
    const chosen = shown.find(({ handle }) => handle === this.#chosen) ?? shown.at(-1);
    this.#draw(chosen?.state ?? "CLOSED");
    const more = rows.length > ROWS_MAX ? `, the first ${ROWS_MAX} are shown` : "";
    setText(this.#count, rows.length === 0 ? "None open" : `${rows.length} open${more}`);
  }

  /** The machine's picture with the state in it; drawn anew only when that changes. */
  #draw(state: string): void {
    if (state === this.#shown) return;
    this.#shown = state;
    this.#figure.dataset["state"] = state;
    const picture = new DOMParser().parseFromString(stateDiagram(state), "image/svg+xml");
    this.#figure.replaceChildren(document.importNode(picture.documentElement, true));
  }

  #add(handle: number): HTMLTableRowElement {
    const element = make("tr", { "data-handle": String(handle) });
    for (let column = 0; column < COLUMNS; column++) element.append(make("td"));
    element.addEventListener("click", () => (this.#chosen = handle));
    this.#rows.set(handle, element);
    this.#body.append(element);
    return element;
  }

  #fill(element: HTMLTableRowElement, row: ConnectionRow): void {
    const texts = [
      endpoint(row.localAddress),
      endpoint(row.remoteAddress),
      row.state,
      row.receiveQueuedBytes.toLocaleString("en"),
      row.sendQueuedBytes.toLocaleString("en"),
      row.cwndBytes.toLocaleString("en"),
      row.srttMs === 0 ? "–" : `${row.srttMs.toFixed(1)} ms`,
    ];
    texts.forEach((text, column) => {
      const cell = element.cells[column];
      if (cell !== undefined) setText(cell, text);
    });
    element.dataset["state"] = row.state;
  }
}

function endpoint({ hostname, port }: NetAddress): string {
  return `${hostname}:${port}`;
}
