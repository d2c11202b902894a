/**
 * Who may import whom, as data. A folder that is not here may be imported by nobody and import nothing: the test says so,
 * and the table is the place where its rank is decided.
 */

/** All that stands below the faces: what a stack is made of. */
const STACK_PARTS: readonly string[] = [
  "src/trace",
  "src/tcp",
  "src/net",
  "src/wire",
  "src/link",
  "src/runtime",
  "src/core",
  "src/layout",
  "src/options.ts",
  "src/udp_options.ts",
  "src/net_address.ts",
  "src/address_options.ts",
  "src/name_options.ts",
  "src/probe_options.ts",
  "src/errors.ts",
];

const FACES: readonly string[] = ["src/api", "src/relay", "src/worker"];

/**
 * The host: `web → src/{api, relay, cli, worker} → src/stack → src/{tcp, net, link} → src/core → src/layout`.
 *
 * Folders of one rank may use each other, because cycles between *files* are refused by their own test.
 */
export const HOST_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  "src/layout": [],
  "src/errors.ts": ["src/layout"],
  "src/core": ["src/layout", "src/errors.ts"],
  "src/wire": ["src/layout", "src/core", "src/errors.ts"],
  // The loop drives devices, and devices take the clock and the randomness that stand beside the loop.
  "src/runtime": ["src/link", "src/core", "src/layout", "src/errors.ts", "src/options.ts"],
  "src/link": ["src/runtime", "src/wire", "src/core", "src/layout", "src/errors.ts"],
  "src/net_address.ts": [],
  "src/address_options.ts": [],
  "src/udp_options.ts": ["src/net_address.ts"],
  "src/probe_options.ts": [],
  "src/name_options.ts": ["src/wire"],
  "src/options.ts": [
    "src/tcp",
    "src/net",
    "src/link",
    "src/runtime",
    "src/core",
    "src/layout",
    "src/udp_options.ts",
    "src/net_address.ts",
    "src/address_options.ts",
    "src/name_options.ts",
    "src/probe_options.ts",
  ],
  "src/net": STACK_PARTS,
  "src/tcp": STACK_PARTS,
  "src/trace": ["src/wire", "src/link", "src/runtime", "src/core", "src/layout", "src/errors.ts"],
  "src/stack.ts": STACK_PARTS,
  "src/api": [...FACES, "src/stack.ts", ...STACK_PARTS],
  "src/relay": [...FACES, "src/stack.ts", ...STACK_PARTS],
  "src/worker": [...FACES, "src/stack.ts", ...STACK_PARTS],
  "src/mod.ts": ["src/api", "src/worker", "src/stack.ts", ...STACK_PARTS],
  // Scripts drive the stack from above, through sockets and through the frames of its link.
  "src/packetdrill": ["src/api", "src/stack.ts", ...STACK_PARTS],
  // Simulations draw stacks from above, and look into them.
  "src/sim": ["src/stack.ts", ...STACK_PARTS],
  "src/cli": [...FACES, "src/packetdrill", "src/sim", "src/mod.ts", "src/stack.ts", ...STACK_PARTS],
  "src/bench": [...FACES, "src/mod.ts", "src/stack.ts", ...STACK_PARTS],
  // Scripts run on a bare clone, before there is anything else.
  "src/dev": [],
  "web": [...FACES, "src/bench", "src/mod.ts", "src/stack.ts", ...STACK_PARTS],
};

/**
 * The core, from the outside in: a file imports its own rank and those below it.
 *
 * A name stands for `as/<name>.ts` or for the folder `as/<name>/`; a file's own name goes before its folder's.
 */
export const CORE_RANKS: readonly (readonly string[])[] = [
  ["index", "kernels", "edge"],
  ["state_hash", "user"],
  ["rx", "expire"],
  ["tx"],
  ["loss"],
  ["conn"],
  ["deadline", "owed", "events", "pool"],
  ["wire"],
  // Reassembly and acceptance know no TCP: they compare sequence numbers and move bytes, and tx/ reads the ranges for SACK.
  ["rx/reassembly", "rx/acceptance"],
  ["stats", "seq", "checksum", "bytes", "hash", "clock"],
  ["layout.gen", "assert", "config", "ring_pool"],
];
