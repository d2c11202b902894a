/** How fast pg and ssh2 are in a tab, beside the same clients in Node on Node's own sockets. Figures are said, sums and bytes asserted. */
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareByPairs, median } from "../../src/bench/statistics.ts";
import {
  addTap,
  addVeth,
  buildPage,
  type ClientName,
  openTabPlace,
  type Place,
  startNode,
  writeSocketsProgram,
  writeTapProgram,
} from "./client_places.ts";
import type { Rounds } from "./client_load.ts";
import { type Namespace, whatIsMissing } from "./namespace.ts";
import { keyOf, RecipePages } from "./recipe_pages.ts";
import { Postgres, type Service, Sshd, whatServicesMiss } from "./services.ts";
import { whatTabsMiss } from "./tab.ts";
import { rate, say } from "./tab_figures.ts";

const missing = whatIsMissing() ?? whatTabsMiss() ?? whatServicesMiss();

if (missing !== null && process.env["CI"] === "true") {
  throw new Error(`Clients can not be measured in a tab: ${missing}`);
}

/** Rounds that count, after one of a part of the work that does not. */
const ROUNDS = 3;

/** The divisor of that part. */
const WARM_UP_PART = 4;

/** A client, its server, and the work of a round: questions and bytes. */
interface Case {
  readonly client: ClientName;
  readonly Service: new (namespace: Namespace) => Service;
  readonly small: number;
  /** A tab may need a tenth of Node's rate, and is to take no minute. */
  readonly large: { readonly node: number; readonly tab: number };
}

const CASES: readonly Case[] = [
  { client: "pg", Service: Postgres, small: 1_000, large: { node: 16 << 20, tab: 16 << 20 } },
  { client: "ssh2", Service: Sshd, small: 100, large: { node: 64 << 20, tab: 8 << 20 } },
];

describe.skipIf(missing !== null)("clients in a tab and on Node's own sockets", () => {
  let pages: RecipePages;
  let veth: Namespace;

  beforeAll(async () => {
    pages = await RecipePages.make();
    for (const { client } of CASES) await buildPage(pages, client);
    addTap(pages.namespace);
    veth = addVeth(pages.namespace);
    await pages.start();
  });

  afterAll(async () => {
    await veth?.[Symbol.asyncDispose]();
    await pages?.[Symbol.asyncDispose]();
  });

  /** Node's own sockets first: the others are compared with them. */
  async function* placesOf(client: ClientName, service: Service): AsyncGenerator<Place> {
    const { namespace } = pages;
    const keyPath = service instanceof Sshd ? [service.keyPath] : [];
    const onSockets = [writeSocketsProgram(pages, client), ...keyPath];
    yield startNode("Node's own sockets over a veth", veth, onSockets);
    const onTap = [writeTapProgram(pages, client), ...keyPath];
    yield startNode("Node on a stack over a TAP", namespace, onTap);
    const key = keyOf(service);
    yield await openTabPlace("a tab, its stack in the page", pages, client, "page", key);
    yield await openTabPlace("a tab, its stack in a worker", pages, client, "worker", key);
  }

  test.each(CASES)("$client", async (case_) => {
    await using service = new case_.Service(pages.namespace);
    await service.start();
    const places: Place[] = [];
    try {
      for await (const place of placesOf(case_.client, service)) places.push(place);
      await measure(places, case_);
    } finally {
      for (const place of places) await place[Symbol.asyncDispose]();
    }
  });
});

/** Says what rounds take in each place. */
async function measure(places: readonly Place[], { client, small, large }: Case): Promise<void> {
  for (const kind of ["small", "large"] as const) {
    const amounts = places.map(({ isTab }) => {
      return kind === "small" ? small : isTab ? large.tab : large.node;
    });
    await takeTurns(places, kind, amounts.map((amount) => amount / WARM_UP_PART));
    const times = places.map((): number[] => []);
    for (let round = 0; round < ROUNDS; round++) {
      const taken = await takeTurns(places, kind, amounts);
      for (const [i, ms] of taken.entries()) times[i]?.push(ms / (amounts[i] ?? NaN));
    }
    for (const [i, { name }] of places.entries()) {
      say(`${client}, ${kind}, ${name}: ${figure(kind, times[i] ?? [], times[0] ?? [])}`);
    }
  }
}

/** Has each place do a round, one after the other. @returns What each took, ms. */
async function takeTurns(
  places: readonly Place[],
  kind: keyof Rounds,
  amounts: readonly number[],
): Promise<number[]> {
  const times: number[] = [];
  for (const [i, place] of places.entries()) {
    const amount = amounts[i] ?? 0;
    const { ms, ...told } = await place.round(kind, amount);
    const result = kind === "small" ? (amount * (amount + 1)) / 2 : amount;
    expect({ ...told, name: place.name }).toEqual({ result, isWhole: true, name: place.name });
    times.push(ms);
  }
  return times;
}

/** @param times ms for each question or byte. @param own Those on Node's own sockets. */
function figure(kind: keyof Rounds, times: readonly number[], own: readonly number[]): string {
  const ms = median(times);
  const { ratio } = compareByPairs(times, own);
  const what = kind === "small" ? `${ms.toFixed(3)} ms each` : rate(1, ms);
  return `${what}, ${ratio.toFixed(2)} times as long as on Node's own sockets`;
}
