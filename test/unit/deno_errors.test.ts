/** Every error of the stack has its place among those of Deno. */
import { describe, expect, test } from "vitest";
import { DENO_ERRORS, type DenoErrorClass, toDenoError } from "../../src/api/deno/errors.ts";
import { denoNamespace } from "../../src/api/deno/mod.ts";
import { errorOf, type StackErrorCode } from "../../src/errors.ts";
import { inProcessPair } from "./stack_pairs.ts";

/** Code of the stack, name of the class, code of the error. */
const ROWS: readonly (readonly [StackErrorCode, string, string | undefined])[] = [
  ["ECONNREFUSED", "ConnectionRefused", "ECONNREFUSED"],
  ["ECONNRESET", "ConnectionReset", "ECONNRESET"],
  ["ECONNABORTED", "ConnectionAborted", "ECONNABORTED"],
  ["ETIMEDOUT", "TimedOut", "ETIMEDOUT"],
  ["ENETUNREACH", "NetworkUnreachable", "ENETUNREACH"],
  ["EHOSTUNREACH", "Error", "EHOSTUNREACH"],
  ["EADDRINUSE", "AddrInUse", "EADDRINUSE"],
  ["EADDRNOTAVAIL", "AddrNotAvailable", "EADDRNOTAVAIL"],
  ["EPIPE", "BrokenPipe", "EPIPE"],
  ["EBADF", "BadResource", undefined],
  ["EACCES", "PermissionDenied", "EACCES"],
  ["ENETDOWN", "Error", "ENETDOWN"],
  ["ENOBUFS", "Error", "ENOBUFS"],
  ["ENOTFOUND", "Error", undefined],
  ["EPROTO", "Error", "EPROTO"],
  ["CORE_FAULT", "Error", undefined],
];

describe("errors of tidewire/deno", () => {
  test.each(ROWS)("%s is %s", (code, name, denoCode) => {
    const cause = errorOf(code, "Cannot do it: because");
    const error = toDenoError(cause) as Error & { code?: string };
    expect(error.name).toBe(name);
    expect(error.constructor.name).toBe(name);
    expect(error.code).toBe(denoCode);
    expect(error.message).toBe("Cannot do it: because");
    expect(error.cause).toBe(cause);
    const classes: Readonly<Record<string, DenoErrorClass>> = DENO_ERRORS;
    expect(error).toBeInstanceOf(classes[name] ?? Error);
  });

  test("what is no error of the stack stays what it is", () => {
    for (const error of [new TypeError("a"), new DOMException("b", "AbortError"), 7, undefined]) {
      expect(toDenoError(error)).toBe(error);
    }
  });
});

test("what needs TLS says that it is not there yet, and touches no connection", async () => {
  const { left, right, rightAddress } = await inProcessPair();
  try {
    const [client, server] = [denoNamespace(left), denoNamespace(right)];
    using listener = server.listen({ port: 0 });
    const accepting = listener.accept();
    using near = await client.connect({ hostname: rightAddress, port: listener.addr.port });
    using far = await accepting;
    const message = expect.stringMatching(/TLS is not there yet/);
    const told = { name: "NotSupported", message };
    await expect(client.startTls(near, { hostname: "a.example" })).rejects.toMatchObject(told);
    await expect(client.connectTls({ hostname: "a.example", port: 443 })).rejects
      .toMatchObject(told);
    expect(() => server.listenTls({ port: 443 })).toThrow(client.errors.NotSupported);
    await near.write(new Uint8Array([7]));
    expect(await far.read(new Uint8Array(2))).toBe(1);
  } finally {
    await left.close();
    await right.close();
  }
});
