import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseCommand, type RelayCommand, UsageError } from "../../src/cli/args.ts";
import { VERSION } from "../../src/cli/version.ts";

function parse(line: string): RelayCommand {
  const command = parseCommand(line.split(" ").filter((word) => word !== ""));
  if (command.command !== "relay" && command.command !== "start") throw new Error("no relay");
  return command;
}

function errorOf(line: string): UsageError {
  try {
    parse(line);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error(`"${line}" was accepted`);
}

describe("parseCommand()", () => {
  test("relay is closed by default", () => {
    expect(parse("relay")).toEqual({
      command: "relay",
      hostname: "127.0.0.1",
      port: 8787,
      token: null,
      origins: [],
      tap: null,
      dhcp: null,
      rules: [],
      hostPorts: new Set(),
      publish: "off",
      mssClamp: null,
      capture: null,
      json: false,
    });
  });

  test("start takes any port and lets clients publish", () => {
    expect(parse("start")).toMatchObject({ command: "start", port: 0, publish: "any" });
    expect(parse("start --port 8000 --publish off")).toMatchObject({ port: 8000, publish: "off" });
    expect(parse("start --listen 0.0.0.0:80")).toMatchObject({ hostname: "0.0.0.0", port: 80 });
  });

  test("flags that may repeat add up", () => {
    const command = parse(
      "relay --allow 10.0.0.0/8 --allow 192.168.1.7:80 --allow-host 80,81 --allow-host 82 " +
        "--publish 8080,9000 --publish 9001 --origin http://a.example --origin https://b.example:8443",
    );
    expect(command.rules.map(({ port }) => port)).toEqual([0, 80]);
    expect([...command.hostPorts]).toEqual([80, 81, 82]);
    expect([...(command.publish as ReadonlySet<number>)]).toEqual([8080, 9000, 9001]);
    expect(command.origins).toEqual(["http://a.example", "https://b.example:8443"]);
  });

  test("an address of IPv6 is read, when it stands in brackets", () => {
    expect(parse("relay --listen [::1]:90")).toMatchObject({ hostname: "::1", port: 90 });
  });

  test("TAP mode takes a name and a network", () => {
    const command = parse("relay --tap tap0 --dhcp 10.9.0.2/24");
    expect(command).toMatchObject({ tap: "tap0", dhcp: { prefixLength: 24 } });
  });

  test("help and version are told from commands", () => {
    expect(parseCommand([])).toEqual({ command: "help" });
    expect(parseCommand(["relay", "--help"])).toEqual({ command: "help" });
    expect(parseCommand(["--version"])).toEqual({ command: "version" });
  });

  test("an unknown command ends with 2, a mistake with 1", () => {
    expect(errorOf("bench").exitCode).toBe(2);
    expect(errorOf("bench").message).toContain('There is no command "bench"');
    expect(errorOf("relay --nonsense").exitCode).toBe(1);
  });

  test.each([
    "relay extra",
    "relay --listen 127.0.0.1",
    "relay --listen :80",
    "relay --listen 127.0.0.1:65536",
    "relay --port x",
    "relay --port 1 --listen 127.0.0.1:1",
    "relay --token short",
    "relay --origin a.example",
    "relay --origin http://a.example/path",
    "relay --tap a/b",
    "relay --tap sixteen_letters_",
    "relay --dhcp 10.0.0.2/24",
    "relay --tap tap0 --dhcp 10.0.0.0/24",
    "relay --tap tap0 --dhcp 10.0.0.2/31",
    "relay --tap tap0 --allow 10.0.0.0/8",
    "relay --tap tap0 --publish any",
    "start --tap tap0",
    "relay --allow 10.0.0.0/99",
    "relay --allow-host 0",
    "relay --allow-host 80,",
    "relay --publish off --publish 80",
    "relay --publish 70000",
  ])("a sentence and exit code 1 follow, when the line is %j", (line) => {
    const error = errorOf(line);
    expect(error.exitCode).toBe(1);
    expect(error.message).toMatch(/^[A-Z].*[^.]$/);
    expect(error.message).not.toContain("\n");
  });

  test("a token that is refused is not printed", () => {
    expect(errorOf("relay --token sEcReT").message).not.toContain("sEcReT");
  });
});

test("the version is that of the package", () => {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  expect(VERSION).toBe(JSON.parse(text).version);
});

describe("--mss-clamp", () => {
  test("S60: is for a TAP, and in range", () => {
    expect(parseCommand(["relay", "--tap", "tap0", "--mss-clamp", "1360"])).toMatchObject({
      mssClamp: 1360,
    });
    expect(errorOf("relay --mss-clamp 1360").message).toContain("without --tap");
    expect(errorOf("relay --tap tap0 --mss-clamp 100").message).toBe(
      'Cannot use "100" for --mss-clamp: expected a number of 536 to 65495',
    );
  });
});
