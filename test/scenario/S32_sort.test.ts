/** S32: the documents' `rsh bsdi sort < datafile`: the end of the input is a half-close, and the answer comes after it. */
import { expect, test } from "vitest";
import { accepted, Hosts, readText, writeText } from "./hosts.ts";

const DATAFILE = "pear\napple\nquince\nbanana\n";

test("S32 sort sees the end of its input, answers, and closes", () => {
  const hosts = new Hosts();
  const listener = hosts.listen("B", 514);
  const rsh = hosts.connect("A", "B", 514, 1023);
  const sort = accepted(listener);
  let input = "";
  sort.onEvent = () => {
    const { text, isEnd } = readText(sort);
    input += text;
    // It can not say anything before it has read everything.
    if (!isEnd) return;
    sort.onEvent = null;
    writeText(sort, `${input.trimEnd().split("\n").sort().join("\n")}\n`);
    sort.close();
  };
  for (const line of DATAFILE.trimEnd().split("\n")) {
    writeText(rsh, `${line}\n`);
    hosts.pass(100);
  }
  expect(readText(rsh)).toEqual({ text: "", isEnd: false });
  hosts.segments();
  rsh.shutdown("write");
  hosts.pass(100);
  expect(readText(rsh)).toEqual({ text: "apple\nbanana\npear\nquince\n", isEnd: true });
  // Figure 18.10: FIN, its ACK with data and the other FIN (three segments there), and the last ACK.
  expect(hosts.segments()).toEqual([
    "A.1023 > B.514: F 26:26(0) ack 1",
    "B.514 > A.1023: FP 1:26(25) ack 27",
    "A.1023 > B.514: . ack 27",
  ]);
});
