/** The transfers against the kernel: what varies, all combinations of it, and few that hold every pair of values. */

/** What varies, and its values. */
export const FACTORS = {
  /** The kernel's `tcp_sack`; we always offer it. */
  sack: [true, false],
  /** The kernel's `tcp_timestamps`. */
  timestamps: [true, false],
  /** The kernel's `tcp_window_scaling`. */
  windowScale: [true, false],
  /** Both ask for ECN, or neither does. */
  ecn: [true, false],
  /** Who sends: `up` is us. */
  direction: ["down", "up"],
  /** Chance that a frame is lost, each way. */
  loss: [0, 0.01, 0.03],
  /** Of the link, bytes. */
  mtu: [576, 1280, 1500, 9000],
  /** The kernel's GSO, TSO and GRO. */
  offload: [true, false],
} as const;

/** A name of what varies. */
export type Factor = keyof typeof FACTORS;

/** One transfer. */
export type CoverCase = { readonly [name in Factor]: (typeof FACTORS)[name][number] };

const NAMES = Object.keys(FACTORS) as Factor[];

/** All combinations, the last factor turning fastest. */
export function fullProduct(): CoverCase[] {
  let cases: Record<string, unknown>[] = [{}];
  for (const name of NAMES) {
    cases = cases.flatMap((one) => FACTORS[name].map((value) => ({ ...one, [name]: value })));
  }
  return cases as unknown as CoverCase[];
}

/** Every pair of values that a case holds. */
export function pairsOf(one: CoverCase): string[] {
  const values = NAMES.map((name) => `${name}=${one[name]}`);
  return values.flatMap((value, i) => values.slice(i + 1).map((other) => `${value} ${other}`));
}

/**
 * Few cases that together hold every pair of values: of all combinations, again and again the first that holds the most
 * pairs not held yet. Deterministic.
 */
export function pairwiseCover(): CoverCase[] {
  const all = fullProduct().map((one) => ({ one, pairs: pairsOf(one) }));
  const open = new Set(all.flatMap(({ pairs }) => pairs));
  const cover: CoverCase[] = [];
  while (open.size > 0) {
    let best = all[0];
    let most = -1;
    for (const candidate of all) {
      const held = candidate.pairs.filter((pair) => open.has(pair)).length;
      if (held > most) {
        most = held;
        best = candidate;
      }
    }
    if (best === undefined) break;
    cover.push(best.one);
    for (const pair of best.pairs) open.delete(pair);
  }
  return cover;
}

/** A case as a test's name has it. */
export function caseName(one: CoverCase): string {
  const on = (["sack", "timestamps", "windowScale", "ecn", "offload"] as const)
    .map((name) => `${one[name] ? "" : "no "}${name}`);
  return `${one.direction}, MTU ${one.mtu}, loss ${one.loss * 100} %, ${on.join(", ")}`;
}
