/** The state diagram as a picture, drawn from the table that the core obeys; for `docs/states.svg` and for pages. */
import { FIGURE, type Transition, TRANSITIONS } from "./schema_transitions.ts";

/** Where a state stands, the middle of its box, px. */
const PLACES: Readonly<Record<string, readonly [x: number, y: number]>> = {
  CLOSED: [480, 45],
  LISTEN: [170, 165],
  SYN_SENT: [800, 165],
  SYN_RECEIVED: [170, 305],
  ESTABLISHED: [560, 305],
  FIN_WAIT_1: [170, 455],
  CLOSE_WAIT: [800, 455],
  FIN_WAIT_2: [170, 605],
  CLOSING: [480, 605],
  LAST_ACK: [800, 605],
  TIME_WAIT: [480, 755],
};

const WIDTH = 970;
const HEIGHT = 810;
const BOX_WIDTH = 236;
const BOX_HEIGHT = 52;
/** Where the second box of CLOSED stands: arrows back to the first would cross all others. */
const END: readonly [number, number] = [800, 755];
/** Colour of boxes and arrows. */
const INK = "#1b3a57";
/** How far a label stands from the middle of its arrow, px. */
const LABEL_ASIDE = 8;
/** Characters that XML wants escaped. */
const ESCAPES: Readonly<Record<string, string>> = { "<": "&lt;", ">": "&gt;", "&": "&amp;" };

/** What is written beside an arrow: cause, and what is sent. RFC 9293 figure 5. */
const LABELS: Readonly<Record<string, string>> = {
  "CLOSED ACTIVE_OPEN": "active OPEN / send SYN",
  "CLOSED PASSIVE_OPEN": "passive OPEN",
  "LISTEN SYN": "receive SYN / send SYN,ACK",
  "SYN_SENT SYN": "receive SYN / send SYN,ACK",
  "SYN_SENT SYN_ACK": "receive SYN,ACK / send ACK",
  "SYN_RECEIVED SYN_ACK": "receive ACK of SYN",
  "SYN_RECEIVED CLOSE": "CLOSE / send FIN",
  "ESTABLISHED CLOSE": "CLOSE / send FIN",
  "ESTABLISHED FIN": "receive FIN / send ACK",
  "FIN_WAIT_1 ACK_OF_FIN": "receive ACK of FIN",
  "FIN_WAIT_1 FIN": "receive FIN / send ACK",
  "FIN_WAIT_2 FIN": "receive FIN / send ACK",
  "CLOSE_WAIT CLOSE": "CLOSE / send FIN",
  "CLOSING ACK_OF_FIN": "receive ACK of FIN",
  "LAST_ACK ACK_OF_FIN": "receive ACK of FIN",
  "TIME_WAIT TIMEOUT": "2 MSL have passed",
};

/** A state's name as RFC 9293 writes it. */
function rfcName(state: string): string {
  return state.replaceAll("_", "-");
}

function escapeXml(text: string): string {
  return text.replace(/[<>&]/g, (character) => ESCAPES[character] ?? character);
}

function place(state: string): readonly [number, number] {
  const found = PLACES[state];
  if (found === undefined) throw new Error(`The state ${state} has no place in the diagram`);
  return found;
}

/** Where a line from the middle of a box leaves it. */
function edgeOf(from: readonly [number, number], to: readonly [number, number]): [number, number] {
  const dx = to[0] - from[0];
  const dy = to[1] - from[1];
  const scale = Math.min(
    dx === 0 ? Infinity : BOX_WIDTH / 2 / Math.abs(dx),
    dy === 0 ? Infinity : BOX_HEIGHT / 2 / Math.abs(dy),
  );
  return [Math.round(from[0] + dx * scale), Math.round(from[1] + dy * scale)];
}

function drawArrow([from, cause, to]: Transition): string[] {
  const start = place(from);
  const target = to === "CLOSED" ? END : place(to);
  const [x1, y1] = edgeOf(start, target);
  const [x2, y2] = edgeOf(target, start);
  const label = escapeXml(LABELS[`${from} ${cause}`] ?? cause);
  const isLevel = y1 === y2;
  const anchor = isLevel ? "middle" : "start";
  const x = Math.round((x1 + x2) / 2) + (isLevel ? 0 : LABEL_ASIDE);
  const y = Math.round((y1 + y2) / 2) + (isLevel ? -LABEL_ASIDE : 4);
  return [
    `<line class="arrow" stroke="${INK}" stroke-width="1.5" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" marker-end="url(#head)"/>`,
    `<text class="cause" font-size="12" fill="#333" text-anchor="${anchor}" stroke="#fff" stroke-width="4" ` +
    `paint-order="stroke" x="${x}" y="${y}">${label}</text>`,
  ];
}

/** What ends a state besides the figure's arrows: a line in its box. */
function drawEndings(state: string): string[] {
  const causes = TRANSITIONS.filter((one) =>
    one[0] === state && one[2] === "CLOSED" && !isDrawn(one)
  ).map(([, cause]) => cause);
  if (causes.length === 0) return [];
  const [x, y] = place(state);
  return [drawEnding(x, y + 17, causes.join(", "))];
}

function drawEnding(x: number, y: number, text: string): string {
  return `<text font-size="10" fill="#a33" text-anchor="middle" x="${x}" y="${y}">✕ ${text}</text>`;
}

function isDrawn([from, cause, to]: Transition): boolean {
  return drawn().some((one) => one[0] === from && one[1] === cause && one[2] === to);
}

/** The arrows: those of the figure, and the one that ends TIME-WAIT. */
function drawn(): readonly Transition[] {
  return [...FIGURE, ["TIME_WAIT", "TIMEOUT", "CLOSED"]];
}

function drawBox(name: string, [x, y]: readonly [number, number], isCurrent: boolean): string[] {
  const kind = isCurrent ? "state current" : "state";
  return [
    `<rect class="${kind}" fill="${
      isCurrent ? "#ffd54a" : "#fff"
    }" stroke="${INK}" stroke-width="2" x="${x - BOX_WIDTH / 2}" y="${y - BOX_HEIGHT / 2}" ` +
    `width="${BOX_WIDTH}" height="${BOX_HEIGHT}" rx="8"/>`,
    `<text font-size="14" font-weight="bold" text-anchor="middle" x="${x}" y="${y}">${name}</text>`,
  ];
}

/**
 * Draws the eleven states and every arrow with its cause.
 *
 * @param current State that is shown as the present one, as RFC 9293 writes it; absent = none.
 * @returns An SVG document.
 * @example
 * ```ts
 * stateDiagram("ESTABLISHED").startsWith("<svg");
 * ```
 */
export function stateDiagram(current?: string): string {
  const states = Object.keys(PLACES);
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-family="sans-serif">`,
    "<title>States of a TCP connection, RFC 9293 section 3.3.2</title>",
    '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">' +
    '<path d="M0 0L8 4L0 8z" fill="#1b3a57"/></marker></defs>',
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    ...drawn().flatMap(drawArrow),
    ...states.flatMap((state) => drawBox(rfcName(state), place(state), rfcName(state) === current)),
    ...states.flatMap(drawEndings),
    ...drawBox("CLOSED", END, false),
    drawEnding(170, 45, "ends at once: CLOSED"),
    "</svg>",
  ];
  return `${lines.join("\n")}\n`;
}
