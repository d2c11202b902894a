/**
 * Turns the schema into the layouts of both sides and the memory map people read.
 * Run by `npm run gen`; `npm run gen:check` fails when a committed file is not what this makes.
 */
import { ENUMS, LIMITS, STRUCTS } from "./schema.ts";
import { TRANSITIONS } from "./schema_transitions.ts";
import { stateDiagram } from "./state_diagram.ts";
import type { EnumSchema, ScalarType, StructSchema } from "./schema_types.ts";

/** A generated file, path relative to the repository's root. */
export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
}

/** No arrow leads from a state by a cause. */
const NO_ARROW = 0xff;

const SIZES: Record<ScalarType, number> = { u8: 1, u16: 2, u32: 4, u64: 8, f64: 8 };

interface PlacedField {
  readonly name: string;
  readonly constant: string;
  readonly type: ScalarType;
  readonly offset: number;
  readonly doc: string;
}

function screaming(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();
}

/** Places a struct's fields; refuses one that would be misaligned, repeated or beyond the end. */
function place(struct: StructSchema): PlacedField[] {
  const placed: PlacedField[] = [];
  const names = new Set<string>();
  let offset = 0;
  for (const [name, type, doc] of struct.fields) {
    const size = SIZES[type];
    if (offset % size !== 0) {
      throw new Error(
        `Cannot place ${struct.name}.${name}: offset ${offset} is not a multiple of ${size}`,
      );
    }
    if (names.has(name)) throw new Error(`Cannot place ${struct.name}.${name}: it is there twice`);
    names.add(name);
    placed.push({
      name,
      constant: `${screaming(struct.name)}_${screaming(name)}`,
      type,
      offset,
      doc,
    });
    offset += size;
  }
  if (offset > struct.size) {
    throw new Error(
      `Cannot place ${struct.name}: its fields take ${offset} bytes, its size is ${struct.size}`,
    );
  }
  return placed;
}

/** FNV-1a over the map without its prose: equal on both sides exactly if the maps are equal. */
function layoutHash(): number {
  const shape = JSON.stringify([
    LIMITS.map(([name, value]) => [name, value]),
    ENUMS.map((e) => [e.name, e.kind, e.members.map(([name]) => name)]),
    STRUCTS.map((s) => [s.name, s.size, s.fields.map(([name, type]) => [name, type])]),
    TRANSITIONS,
  ]);
  let hash = 0x811c9dc5;
  for (let i = 0; i < shape.length; i++) {
    hash = Math.imul(hash ^ shape.charCodeAt(i), 0x01000193) >>> 0;
  }
  return hash;
}

function memberValue(schema: EnumSchema, index: number): number {
  return schema.kind === "bits" ? 2 ** index : index;
}

/**
 * The constants of one side.
 *
 * @param type `": u32"` for the core, where an untyped literal would be signed; empty for the host.
 */
function constants(type: string): string[] {
  const lines: string[] = [];
  lines.push(
    `/** Equal on both sides, or createStack() refuses. */`,
    `export const LAYOUT_HASH${type} = ${layoutHash()};`,
  );
  for (const [name, value, doc] of LIMITS) {
    lines.push(`/** ${doc} */`, `export const ${name}${type} = ${value};`);
  }
  for (const schema of ENUMS) {
    lines.push("", `// ${schema.name}: ${schema.doc}`);
    schema.members.forEach(([name, doc], index) => {
      lines.push(
        `/** ${doc} */`,
        `export const ${schema.name}_${name}${type} = ${memberValue(schema, index)};`,
      );
    });
    lines.push(
      `/** How many ${schema.name} there are. */`,
      `export const ${schema.name}_COUNT${type} = ${schema.members.length};`,
    );
  }
  for (const struct of STRUCTS) {
    lines.push("", `// ${struct.name}: ${struct.doc}`);
    lines.push(
      `/** Size of ${struct.name}, bytes. */`,
      `export const ${screaming(struct.name)}_SIZE${type} = ${struct.size};`,
    );
    for (const field of place(struct)) {
      lines.push(
        `/** ${field.type}. ${field.doc} */`,
        `export const ${field.constant}${type} = ${field.offset};`,
      );
    }
  }
  const flight = STRUCTS.find((s) => s.name === "Flight");
  // Runs and ranges take the end of the block, whatever its fields are.
  const limit = (name: string): number => LIMITS.find((l) => l[0] === name)?.[1] ?? 0;
  const size = (name: string): number => STRUCTS.find((s) => s.name === name)?.size ?? 0;
  const runs = size("Flight") - limit("RUNS_MAX") * size("Run") -
    limit("RANGES_MAX") * size("Range");
  lines.push("", "/** Where Flight's runs begin. */", `export const FLIGHT_RUNS${type} = ${runs};`);
  const ranges = runs + limit("RUNS_MAX") * size("Run");
  const fields = flight === undefined ? [] : place(flight);
  const last = fields[fields.length - 1];
  if (last !== undefined && last.offset + SIZES[last.type] > runs) {
    throw new Error(`Cannot place Flight: its fields reach into its runs at ${runs}`);
  }
  lines.push(
    "/** Where Flight's ranges begin. */",
    `export const FLIGHT_RANGES${type} = ${ranges};`,
  );
  return lines;
}

/** The core's side: constants, `@unmanaged` mirrors, and checks that fail the compilation on drift. */
function coreLayout(): string {
  const lines = [
    "// GENERATED by `npm run gen` from src/layout/schema.ts. Do not edit.",
    ...constants(": u32"),
  ];
  lines.push(...transitionTable());
  for (const struct of STRUCTS) {
    lines.push("", `/** ${struct.doc} */`, "@unmanaged", `export class ${struct.name} {`);
    for (const field of place(struct)) lines.push(`  ${field.name}: ${field.type};`);
    lines.push("}");
    for (const field of place(struct)) {
      lines.push(
        `if (offsetof<${struct.name}>("${field.name}") != ${field.constant}) ERROR("${struct.name}.${field.name} drifted");`,
      );
    }
  }
  return lines.join("\n") + "\n";
}

/** The state machine as bytes: rows are states, columns causes, 255 means that there is no such arrow. */
function transitionTable(): string[] {
  const names = (name: string): string[] =>
    (ENUMS.find((schema) => schema.name === name)?.members ?? []).map(([member]) => member);
  const states = names("STATE");
  const causes = names("CAUSE");
  const rows = states.map((from) => {
    const cells = causes.map((cause) => {
      const arrow = TRANSITIONS.find((one) => one[0] === from && one[1] === cause);
      if (arrow !== undefined && !states.includes(arrow[2])) {
        throw new Error(`Cannot draw ${arrow.join(" ")}: there is no such state`);
      }
      return arrow === undefined ? NO_ARROW : states.indexOf(arrow[2]);
    });
    return `  ${cells.join(", ")}, // ${from}`;
  });
  return [
    "",
    `/** Where causes lead: rows are states, columns are causes (${
      causes.join(" ")
    }); 255 = nowhere. RFC 9293 section 3.3.2. */`,
    "// deno-fmt-ignore",
    "export const TRANSITIONS: usize = memory.data<u8>([",
    ...rows,
    "]);",
  ];
}

function enumNames(schema: EnumSchema): string[] {
  const names = schema.members.map(([name]) => JSON.stringify(name)).join(", ");
  return [
    `/** Names of ${schema.name}, in order. */`,
    `export const ${schema.name}_NAMES: readonly string[] = [${names}];`,
  ];
}

/** The host's side: the same constants and, for messages and counters, the names. */
function hostLayout(): string {
  const lines = [
    "// GENERATED by `npm run gen` from src/layout/schema.ts. Do not edit.",
    ...constants(""),
  ];
  // JSR wants explicit types on exports; literals are inferred, which its checker accepts.
  for (const schema of ENUMS) lines.push("", ...enumNames(schema));
  return lines.join("\n") + "\n";
}

/** The memory map as people read it. */
function memoryMap(): string {
  const lines = [
    "# Memory map",
    "",
    "Generated by `npm run gen` from `src/layout/schema.ts`.",
    "",
    "## Limits",
    "",
  ];
  lines.push("| name | value | what |", "|---|---|---|");
  for (const [name, value, doc] of LIMITS) lines.push(`| ${name} | ${value} | ${doc} |`);
  for (const struct of STRUCTS) {
    lines.push(
      "",
      `## ${struct.name} (${struct.size} bytes)`,
      "",
      struct.doc,
      "",
      "| offset | type | field | what |",
    );
    lines.push("|---|---|---|---|");
    for (const f of place(struct)) lines.push(`| ${f.offset} | ${f.type} | ${f.name} | ${f.doc} |`);
  }
  for (const schema of ENUMS) {
    lines.push(
      "",
      `## ${schema.name}`,
      "",
      schema.doc,
      "",
      "| value | name | what |",
      "|---|---|---|",
    );
    schema.members.forEach(([name, doc], i) =>
      lines.push(`| ${memberValue(schema, i)} | ${name} | ${doc} |`)
    );
  }
  return lines.join("\n") + "\n";
}

/**
 * Makes every generated file.
 *
 * @returns The files, not yet formatted.
 * @throws Error if the schema can not be laid out.
 */
export function generate(): GeneratedFile[] {
  return [
    { path: "as/layout.gen.ts", text: coreLayout() },
    { path: "src/layout/layout.gen.ts", text: hostLayout() },
    { path: "docs/memory.md", text: memoryMap() },
    { path: "docs/states.svg", text: stateDiagram() },
  ];
}
