import { describe, expect, test } from "vitest";
import { SyntaxFault } from "../../src/packetdrill/fault.ts";
import { AssertFailure, type GivenNames, PythonScope } from "../../src/packetdrill/python.ts";

const PLACE = { file: "a.pkt", line: 10 };
const NAMES: GivenNames = new Map<string, number | string>([
  ["tcpi_snd_cwnd", 10],
  ["tcpi_rtt", 20_500],
  ["TCP_CA_Open", 0],
]);

function scope(names: GivenNames = NAMES): { python: PythonScope; printed: string[] } {
  const printed: string[] = [];
  return { python: new PythonScope(names, (text) => printed.push(text)), printed };
}

/** What a snippet prints. */
function printed(code: string): string[] {
  const { python, printed } = scope();
  python.run(code, PLACE);
  return printed;
}

describe("expressions", () => {
  test.each<[string, string]>([
    ["1 + 2 * 3 - 4", "3"],
    ["2 ** 3 ** 2", "512"],
    ["-2 ** 2", "-4"],
    ["2 ** -1", "0.5"],
    ["7 // 2, -7 // 2, 7 // -2, 7.5 // 2", "[3, -4, -4, 3.0]"],
    ["7 % 3, -7 % 3, 7 % -3, -7.5 % 2", "[1, 2, -2, 0.5]"],
    ["6 / 3", "2.0"],
    ["1 << 4 | 3 & 6 ^ 1, 256 >> 4, ~5", "[19, 16, -6]"],
    ["0x10 + 0b11 + 0o7 + 1_000 + 5L", "1031"],
    ["1e3, .5, 2.", "[1000.0, 0.5, 2.0]"],
    ["2 ** 64", "18446744073709551616"],
    ["1 < 2 <= 2 != 3", "True"],
    ["1 < 3 < 2", "False"],
    ["1 == 1.0, True == 1, 'a' == 'a', None == 0", "[True, True, True, False]"],
    ["not 1 == 2 and 0 or 'x'", "x"],
    ["3 in [1, 3], 3 not in (1, 2), 'b' in 'abc'", "[True, True, True]"],
    [
      "9 in range(10), 10 in range(10), 4 in range(0, 10, 3), 5 in range(9, 1, -2)",
      [
        "[True, False, False, True]",
      ].join(""),
    ],
    ["5 in range(0, 10 ** 12)", "True"],
    ["None is None, 1 is not 2", "[True, True]"],
    ["1 if 0 else 2 if 0 else 3", "3"],
    ["(1, 2) == [1, 2], [1, 2] < [1, 3], (1,) < (1, 2)", "[True, True, True]"],
    ["[4, 5, 6][-1], (7, 8)[0]", "[6, 7]"],
    ["abs(-3), abs(-0.5), min(3, 1, 2), max([3, 9])", "[3, 0.5, 1, 9]"],
    ["int(2.9), int(-2.9), int('42'), float(1), float('1.5')", "[2, -2, 42, 1.0, 1.5]"],
    ["round(2.5), round(3.5), round(2.4), round(1.256, 2)", "[2, 4, 2, 1.26]"],
    ["len('abc'), len([1]), len(range(1, 10, 4)), sum(range(4))", "[3, 1, 3, 6]"],
    ["any([0, 1]), all([0, 1]), bool(''), str(5) + hex(255)", "[True, False, False, 50xff]"],
    ["'cwnd=%d rtt=%.1f %s %x%%' % (tcpi_snd_cwnd, 2.25, 'a', 255)", "cwnd=10 rtt=2.3 a ff%"],
    ["'%s' % tcpi_rtt", "20500"],
    [
      "f'{tcpi_snd_cwnd} {tcpi_rtt / 1000:.1f} {{}} {tcpi_snd_cwnd=}'",
      "10 20.5 {} tcpi_snd_cwnd=10",
    ],
    ["'a' \"b\" '\\n' 'c'", "ab\nc"],
    ["(1 +\n 2)", "3"],
    ["1 + \\\n 2", "3"],
  ])("%s", (code, text) => {
    const [line = ""] = printed(`value = ${code}\nprint(value)`);
    expect(line.replaceAll("'", "")).toBe(text);
  });
});

describe("statements", () => {
  test("an assertion that holds says nothing", () => {
    expect(printed("assert tcpi_snd_cwnd == 10, 'cwnd %d' % tcpi_snd_cwnd")).toEqual([]);
  });

  test("an assertion that does not hold names line, text, values and message", () => {
    const { python } = scope();
    const run = () =>
      python.run("x = 1\nassert x < tcpi_snd_cwnd <= 9, f'was {tcpi_snd_cwnd}'", PLACE);
    expect(run).toThrow(AssertFailure);
    expect(run).toThrow(
      "assert x < tcpi_snd_cwnd <= 9, with x = 1, tcpi_snd_cwnd = 10: was 10",
    );
    expect(run).toThrow(expect.objectContaining({ line: 11, test: "x < tcpi_snd_cwnd <= 9" }));
  });

  test("several stand on a line, and comments and blank lines mean nothing", () => {
    expect(printed("a = 1; b = a + 1  # two\n\n  # none\nprint(a, b); pass")).toEqual(["1 2"]);
  });

  test("values are assigned to several names and changed in place", () => {
    expect(printed("a = b = 2\nc, d = 3, 4\na += c * d\nb **= 3\nprint(a, b)")).toEqual(["14 8"]);
  });

  test("blocks stand behind the colon or are indented", () => {
    const code = (rtt: number) =>
      `rtt = ${rtt}\nif rtt > 5: print("large")\nelif rtt == 5:\n  print("five")\n\n  print("!")\n` +
      `else:\n\tfor i in range(rtt): print(i)\nprint("end")`;
    expect(printed(code(6))).toEqual(["large", "end"]);
    expect(printed(code(5))).toEqual(["five", "!", "end"]);
    expect(printed(code(2))).toEqual(["0", "1", "end"]);
  });

  test("print needs no parentheses, and imports bring nothing", () => {
    expect(printed("import sys\nprint tcpi_snd_cwnd\nprint 'a', 1")).toEqual(["10", "['a', 1]"]);
  });

  test("all snippets share one scope, and given names replace what stood there", () => {
    const { python, printed } = scope();
    python.run("before = tcpi_snd_cwnd", PLACE);
    python.give(new Map([["tcpi_snd_cwnd", 5]]));
    python.run("print(before - tcpi_snd_cwnd)", PLACE);
    expect(printed).toEqual(["5"]);
    expect(python.get("before")).toBe(10n);
  });
});

describe("what is refused", () => {
  test.each([
    ["assert tcpi_foo == 1", "a.pkt:10: Cannot run the code: the name tcpi_foo holds nothing"],
    ["x = 1\ny = (x", "a.pkt:11: Cannot run the code: expected"],
    ["\nx = 1 +", "a.pkt:11: Cannot run the code: expected a value, got the end of the line"],
    ["x = 1 2", 'expected the end of the statement, got "2"'],
    ["1 = x", "expected a name before it"],
    ["def f(): pass", 'expected a value, got "def"'],
    ["x = os.system('ls')", "expected no attribute of os"],
    ["x = open('f')", "there is no function open()"],
    ["x = 1 / 0", "division by zero"],
    ["x = 1 + 'a'", '"+" needs a number, got str'],
    ["x = 1.5 << 2", '"<<" needs an integer, got float'],
    ["x = 1 << 5000", "a shift by 5000 is out of range"],
    ["x = 10 ** 10 ** 10", "is out of range"],
    ["x = [1][1]", "index 1 is out of range"],
    ["a, b = 1, 2, 3", "expected 2 values, got 3"],
    ["for i in range(10 ** 9): pass", "is too long"],
    ["for i in range(1000):\n for j in range(1000): x = 1", "more than 100000 statements"],
    ["if 1:\nx = 1", "expected an indented block"],
    ["if 1:\n    x = 1\n  y = 2", "the indentation fits no block above"],
    ["x = $", '"$" begins nothing'],
  ])("%j", (code, message) => {
    const { python } = scope();
    expect(() => python.run(code, PLACE)).toThrow(SyntaxFault);
    expect(() => python.run(code, PLACE)).toThrow(message);
  });
});
