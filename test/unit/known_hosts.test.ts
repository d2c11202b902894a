/** Host keys that the page's terminal trusts. */
import { describe, expect, test } from "vitest";
import { hostName, type HostStorage, KnownHosts } from "../../web/ssh/known_hosts.ts";

/** As a page's `localStorage`. */
function storage(): HostStorage & { readonly values: Map<string, string> } {
  const values = new Map<string, string>();
  return {
    values,
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
  };
}

const HOST = hostName("example.org", 22);

describe("known hosts", () => {
  test("a key is trusted once it was confirmed, and another one is not", () => {
    const known = new KnownHosts(storage());
    expect(known.check(HOST, "SHA256:one")).toBe("unknown");
    known.remember(HOST, "SHA256:one");
    expect(known.check(HOST, "SHA256:one")).toBe("same");
    expect(known.check(HOST, "SHA256:two")).toBe("changed");
    known.forget(HOST);
    expect(known.check(HOST, "SHA256:two")).toBe("unknown");
  });

  test("hosts are told apart by name and port, not by capitals", () => {
    const known = new KnownHosts(storage());
    known.remember(HOST, "SHA256:one");
    expect(known.check(hostName("EXAMPLE.org", 22), "SHA256:two")).toBe("changed");
    expect(known.check(hostName("example.org", 2222), "SHA256:two")).toBe("unknown");
    expect(known.check(hostName("__proto__", 22), "SHA256:two")).toBe("unknown");
  });

  test("another tab's keys are seen at once", () => {
    const shared = storage();
    const known = new KnownHosts(shared);
    expect(known.check(HOST, "SHA256:one")).toBe("unknown");
    new KnownHosts(shared).remember(HOST, "SHA256:one");
    expect(known.check(HOST, "SHA256:one")).toBe("same");
  });

  test.each(["{}", "[1]", "[[1, 2]]", "not JSON"])("a damaged table trusts nobody: %s", (text) => {
    const shared = storage();
    const known = new KnownHosts(shared);
    known.remember(HOST, "SHA256:one");
    for (const key of shared.values.keys()) shared.values.set(key, text);
    expect(() => known.check(HOST, "SHA256:two")).toThrow();
  });
});
