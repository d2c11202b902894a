/** `docs/sockets.md` of what came out. */
import type { Outcomes } from "./program.ts";
import { ROWS, SECTIONS } from "./rows.ts";
import type { Row } from "./trial.ts";
import { inWords } from "./words.ts";

/** Faces of ours, which have to be right in every runtime; and what they are compared with. */
export const OUR_COLUMNS: readonly string[] = ["tidewire", "deno", "sockets", "direct", "node"];
export const REAL_COLUMNS: readonly string[] = ["Deno", "Node", "Bun"];

/** What came out, by runtime. */
export type Runs = ReadonlyMap<string, Outcomes>;

const HEAD = `# The socket matrix

Written by \`test/matrix/\`, which runs every row in every column: faces of ours over two stacks and a cable, in Node, Deno, Bun,
Chromium and Firefox; the sockets of Deno, Node and Bun over the kernel's loopback, each in its own runtime, for comparison.

| column | what |
|---|---|
| tidewire | the stack's own API, \`tidewire\` |
| deno | \`tidewire/deno\` |
| sockets | \`tidewire/sockets\`, WinterTC's \`connect()\`; it has no \`listen()\` and no signal |
| direct | \`tidewire/direct\`, Direct Sockets; it has no signal |
| node | \`tidewire/node\`, \`node:net\` |
| Deno, Node, Bun | the real ones |

✓ = what the row expects came out, in every runtime; a number = something else is right here, and the note says why; – = the
column has no such thing, or (real sockets) the row cuts a cable. Where real sockets do otherwise, the cell says what they do.
In the rows \`{refused}\` and its like stand for a face's own word; the last table says which.
`;

/** What is expected of a row in a column. */
export function expectedOf(row: Row, column: string): string {
  return inWords(column, row.differs?.[column]?.out ?? row.expects);
}

/** All outcomes of a cell by runtime. */
function cellOf(
  runs: Runs,
  column: string,
  row: Row,
): readonly (readonly [string, string | null])[] {
  return [...runs].flatMap(([runtime, outcomes]) => {
    const outcome = outcomes[column]?.[row.name];
    return outcome === undefined ? [] : [[runtime, outcome] as const];
  });
}

/** Cells of our faces that are not as expected, as sentences; none = all is green. */
export function problems(runs: Runs): string[] {
  return ROWS.flatMap((row) =>
    OUR_COLUMNS.flatMap((column) =>
      cellOf(runs, column, row)
        .filter(([, outcome]) => outcome !== null && outcome !== expectedOf(row, column))
        .map(([runtime, outcome]) =>
          `${column} in ${runtime}, ${row.name}: ${outcome}, expected ${expectedOf(row, column)}`
        )
    )
  );
}

/** The page. */
export function pageOf(runs: Runs): string {
  const notes: string[] = [];
  const columns = [...OUR_COLUMNS, ...REAL_COLUMNS];
  const cell = (row: Row, column: string): string => {
    const [first] = cellOf(runs, column, row);
    if (first === undefined || first[1] === null) return "–";
    const isRight = first[1] === expectedOf(row, column);
    if (REAL_COLUMNS.includes(column)) return isRight ? "✓" : `\`${first[1]}\``;
    const difference = row.differs?.[column];
    if (difference === undefined) return "✓";
    notes.push(
      `${column}, ${row.name}: \`${expectedOf(row, column)}\`, because ${difference.why}.`,
    );
    return `${notes.length}`;
  };
  const sections = SECTIONS.map(({ title, rows }) => {
    const head = `| ${["behaviour", "expected", ...columns].join(" | ")} |`;
    const rule = `|${"---|".repeat(columns.length + 2)}`;
    const lines = rows.map((row) =>
      `| ${[row.name, row.expects, ...columns.map((column) => cell(row, column))].join(" | ")} |`
    );
    return [`## ${title}`, "", head, rule, ...lines, ""].join("\n");
  });
  const list = notes.map((note, index) => `${index + 1}. ${note}`);
  return [HEAD, ...sections, "## Notes", "", ...list, "", ...wordsTable(), ""].join("\n");
}

function wordsTable(): string[] {
  const used = new Set(ROWS.flatMap(({ expects }) => expects.match(/\{\w+\}/g) ?? []));
  const head = `| ${["word", ...OUR_COLUMNS].join(" | ")} |`;
  const rows = [...used].map((word) =>
    `| ${[word, ...OUR_COLUMNS.map((column) => `\`${inWords(column, word)}\``)].join(" | ")} |`
  );
  return ["## Words", "", head, `|${"---|".repeat(OUR_COLUMNS.length + 1)}`, ...rows];
}
