/** Runs in a network namespace: a stack on its TAP asks the name server behind it, and connects by name. Prints one line of JSON. */
import process from "node:process";
import { createStack, type RecordType, StackError } from "../../src/mod.ts";
import { openTap } from "../../src/link/tap.ts";
import { HTTP_PORT, KERNEL_ADDRESS, OUR_ADDRESS, PREFIX_LENGTH } from "./ports.ts";

/** What is asked: `NAME TYPE`; and hosts. */
export interface Questions {
  readonly tap: string;
  readonly records: readonly string[];
  readonly hosts: readonly string[];
  readonly search: readonly string[];
  /** A name to connect to. */
  readonly connect: string;
}

/** What came; an error by its code. */
export interface Answers {
  readonly records: Readonly<Record<string, unknown>>;
  readonly hosts: Readonly<Record<string, unknown>>;
  /** Connections to the server, by the question that made them: answers that did not fit in a datagram. */
  readonly overTcp: readonly string[];
  /** Whom the connection by name reached, and its first bytes. */
  readonly connected: { readonly hostname: string; readonly text: string };
}

async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof StackError) return error.code;
    throw error;
  }
}

async function main(): Promise<void> {
  const questions: Questions = JSON.parse(process.argv[2] ?? "{}");
  await using stack = await createStack({
    link: await openTap({ name: questions.tap }),
    address: { cidr: `${OUR_ADDRESS}/${PREFIX_LENGTH}`, dns: [KERNEL_ADDRESS] },
    names: { search: questions.search },
  });
  const records: Record<string, unknown> = {};
  const overTcp: string[] = [];
  for (const question of questions.records) {
    const [name = "", type = ""] = question.split(" ");
    const before = (await stack.stats())["segments_in"];
    records[question] = await outcome(stack.resolveRecords(name, type as RecordType));
    if ((await stack.stats())["segments_in"] !== before) overTcp.push(question);
  }
  const hosts: Record<string, unknown> = {};
  for (const host of questions.hosts) hosts[host] = await outcome(stack.resolve(host));
  const connection = await stack.connect({ hostname: questions.connect, port: HTTP_PORT });
  const { value } = await connection.readable.getReader().read();
  const { hostname } = connection.remoteAddress;
  connection.abort();
  const connected = { hostname, text: new TextDecoder().decode(value) };
  const answers: Answers = { records, hosts, overTcp, connected };
  process.stdout.write(`${JSON.stringify(answers)}\n`);
}

await main();
