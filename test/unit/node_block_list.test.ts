/** `net.BlockList` and `net.SocketAddress` say what the platform's say, at the edges of what they take too. */
import * as platform from "node:net";
import { describe, expect, test } from "vitest";
import { BlockList, SocketAddress } from "../../src/api/node/block_list.ts";

/** What both have, as far as it is compared. */
type Lists = Pick<typeof platform, "BlockList" | "SocketAddress">;

const OURS = { BlockList, SocketAddress } as unknown as Lists;

/** What a call gives, or the code and the class of what it throws. */
function outcome(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return `${String(Reflect.get(Object(error), "name"))} ${
      String(Reflect.get(Object(error), "code"))
    }`;
  }
}

const FIRST = "10.0.0.10";
const LAST = "10.0.0.20";

describe("BlockList", () => {
  const checks = ["10.0.0.9", FIRST, LAST, "10.0.0.21", "0.0.0.1", "::ffff:10.0.0.10", "x"];
  const v6Checks = ["::ffff:10.0.0.10", "::ffff:10.0.0.21", "2001:db8::1", "2001:db8:1::", "::"];
  const fillings: readonly (readonly [string, (list: platform.BlockList) => unknown])[] = [
    ["a range", (list) => list.addRange(FIRST, LAST)],
    ["a range of one", (list) => list.addRange(FIRST, FIRST)],
    ["a range that ends before it begins", (list) => list.addRange(LAST, FIRST)],
    ["an address", (list) => list.addAddress(LAST)],
    ["a network whose host part is not 0", (list) => list.addSubnet("10.0.0.12", 29)],
    ["a network of one", (list) => list.addSubnet(FIRST, 32)],
    ["a network of all", (list) => list.addSubnet("10.0.0.0", 0)],
    ["a network of too many bits", (list) => list.addSubnet("10.0.0.0", 33)],
    ["a network of less than none", (list) => list.addSubnet("10.0.0.0", -1)],
    ["a network of IPv6", (list) => list.addSubnet("2001:db8::7", 48, "ipv6")],
    ["all of IPv6", (list) => list.addSubnet("::", 0, "ipv6")],
    ["IPv6 of too many bits", (list) => list.addSubnet("::", 129, "ipv6")],
    ["a mapped address", (list) => list.addAddress("::ffff:10.0.0.10", "ipv6")],
    ["IPv4 as IPv6", (list) => list.addAddress(FIRST, "ipv6")],
    ["IPv6 as IPv4", (list) => list.addAddress("2001:db8::1")],
  ];

  test.each(fillings)("with %s", (_, fill) => {
    const tell = (net: Lists): unknown[] => {
      const list = new net.BlockList();
      return [
        outcome(() => fill(list)),
        list.rules,
        ...checks.map((address) => outcome(() => list.check(address))),
        ...v6Checks.map((address) => outcome(() => list.check(address, "ipv6"))),
      ];
    };
    expect(tell(OURS)).toEqual(tell(platform));
  });
});

describe("SocketAddress", () => {
  test.each([
    [{ address: FIRST, port: 65_535 }],
    [{ address: FIRST, port: 65_536 }],
    [{ address: FIRST, port: -1 }],
    [{ address: "::1", family: "ipv6" as const, flowlabel: 0xfffff }],
    [{ address: "::1" }],
    [{ address: FIRST, family: "ipv6" as const }],
    [{ family: "ipv6" as const }],
    [{}],
  ])("of %j", (options) => {
    const tell = (net: Lists): unknown =>
      outcome(() => {
        const { address, port, family, flowlabel } = new net.SocketAddress(options);
        return { address, port, family, flowlabel };
      });
    expect(tell(OURS)).toEqual(tell(platform));
  });

  // Node 20 ends the process of who asks it.
  test.each([-1, 0x100000])("refuses the flow label %d", (flowlabel) => {
    expect(() => new SocketAddress({ family: "ipv6", flowlabel })).toThrow(RangeError);
  });

  test.each([
    ["10.0.0.1:65535", "10.0.0.1", 65_535],
    ["[2001:db8::1]:80", "2001:db8::1", 80],
    ["10.0.0.1", "10.0.0.1", 0],
  ])("parse(%j)", (input, address, port) => {
    expect(SocketAddress.parse(input)).toMatchObject({ address, port });
  });

  test.each(["10.0.0.1:65536", "10.0.0:1", "[10.0.0.1", "x", ""])(
    "parse(%j) finds none",
    (input) => {
      expect(SocketAddress.parse(input)).toBe(undefined);
    },
  );
});
