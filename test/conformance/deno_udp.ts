/** What `Deno.listenDatagram()` does; see `deno_tcp.ts`. */
import type { DatagramConn, NetAddr } from "../../src/api/deno/mod.ts";
import { failure, pause, same } from "./checks.ts";
import type { DenoCase, DenoSetting } from "./deno_tcp.ts";

/** Two sockets, one at each stack. */
async function withSockets(
  { client, server, hostname, clientHostname }: DenoSetting,
  run: (near: DatagramConn, far: DatagramConn) => Promise<void>,
): Promise<void> {
  const near = client.listenDatagram({ hostname: clientHostname, port: 0, transport: "udp" });
  const far = server.listenDatagram({ hostname, port: 0, transport: "udp" });
  try {
    await run(near, far);
  } finally {
    for (const socket of [near, far]) await failure(() => socket.close()).catch(() => {});
  }
}

async function failsAs(call: () => unknown): Promise<string> {
  const error = await failure(call);
  return `${error.name} ${error.code ?? "-"}`;
}

function bytes(...values: number[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(values);
}

/** What an address says, in one order. */
function shown({ hostname, port, transport }: NetAddr): string {
  return `${transport} ${hostname} ${port}`;
}

/** All cases by name. */
export const DENO_UDP_CASES: Readonly<Record<string, DenoCase>> = {
  "a datagram arrives, with who sent it": (setting) =>
    withSockets(setting, async (near, far) => {
      same(await near.send(bytes(1, 2, 3), far.addr), 3);
      const [data, from] = await far.receive();
      same(data, [1, 2, 3]);
      same(shown(from), shown(near.addr));
    }),
  "datagrams keep their boundaries, empty ones too": (setting) =>
    withSockets(setting, async (near, far) => {
      same(await near.send(bytes(1), far.addr), 1);
      same(await near.send(bytes(), far.addr), 0);
      same(await near.send(bytes(2, 3), far.addr), 2);
      const lengths = [];
      for (let i = 0; i < 3; i++) lengths.push((await far.receive())[0].length);
      same(lengths, [1, 0, 2]);
    }),
  "receive() fills the caller's buffer, and cuts what does not fit": (setting) =>
    withSockets(setting, async (near, far) => {
      await near.send(bytes(1, 2, 3), far.addr);
      await near.send(bytes(4), far.addr);
      const buffer = new Uint8Array(2);
      const [data] = await far.receive(buffer);
      same([data.buffer === buffer.buffer, [...data]], [true, [1, 2]]);
      same((await far.receive(buffer))[0], [4]);
    }),
  "large datagrams arrive whole, too large ones are refused": (setting) =>
    withSockets(setting, async (near, far) => {
      same(await near.send(new Uint8Array(20_000), far.addr), 20_000);
      same((await far.receive())[0].length, 20_000);
      same(await failsAs(() => near.send(new Uint8Array(65_508), far.addr)), "Error EMSGSIZE");
    }),
  "an address is bound, and bound once": (setting) =>
    withSockets(setting, async (near, far) => {
      same([far.addr.hostname, far.addr.port > 0], [setting.hostname, true]);
      same(near.addr.transport, "udp");
      const again = { ...far.addr, transport: "udp" } as const;
      same(await failsAs(() => setting.server.listenDatagram(again)), "AddrInUse EADDRINUSE");
      const wrong = { hostname: "9.9.9.9", port: 0, transport: "udp" } as const;
      const bind = () => setting.server.listenDatagram(wrong);
      same(await failsAs(bind), "AddrNotAvailable EADDRNOTAVAIL");
    }),
  "a port that was closed is free": (setting) =>
    withSockets(setting, async (_near, far) => {
      const again = { ...far.addr, transport: "udp" } as const;
      far.close();
      await pause();
      setting.server.listenDatagram(again).close();
    }),
  "receive() that waits is interrupted by close()": (setting) =>
    withSockets(setting, async (near) => {
      const waiting = [failsAs(() => near.receive()), failsAs(() => near.receive())];
      await pause();
      near.close();
      same(await Promise.all(waiting), ["Interrupted EINTR", "Interrupted EINTR"]);
    }),
  "everything fails after close()": (setting) =>
    withSockets(setting, async (near, far) => {
      near.close();
      const gone = "BadResource -";
      same(await failsAs(() => near.receive()), gone);
      same(await failsAs(() => near.send(bytes(1), far.addr)), gone);
      same(await failsAs(() => near.close()), gone);
      near.ref();
      near.unref();
      for await (const _ of near) throw new Error("nothing comes of a closed socket");
    }),
  "for await gives datagrams until close(), and leaving it closes nothing": (setting) =>
    withSockets(setting, async (near, far) => {
      await near.send(bytes(1), far.addr);
      for await (const [data] of far) {
        same(data, [1]);
        break;
      }
      await near.send(bytes(2), far.addr);
      same((await far.receive())[0], [2]);
      const loop = (async () => {
        for await (const _ of far) throw new Error("nothing was sent");
      })();
      await pause();
      far.close();
      await loop;
    }),
  "send() refuses what it can not send": (setting) =>
    withSockets(setting, async (near, far) => {
      const text: unknown = "text";
      same(await failsAs(() => near.send(text as Uint8Array, far.addr)), "TypeError -");
      const none: unknown = undefined;
      same(await failsAs(() => near.send(bytes(1), none as NetAddr)), "TypeError -");
      same((await failure(() => near.send(bytes(1), { ...far.addr, port: 0 }))).name, "TypeError");
    }),
  "listenDatagram() refuses ports that are none": async ({ client, hostname }) => {
    const bind = (port: unknown) =>
      failsAs(() => client.listenDatagram({ hostname, port: port as number, transport: "udp" }));
    for (const port of [65_536, -1]) same(await bind(port), "RangeError -");
    for (const port of [NaN, 1.5, "a", {}]) same(await bind(port), "TypeError -");
  },
  "hosts that can be none are refused": async (setting) => {
    const { client } = setting;
    await withSockets(setting, async (near) => {
      for (const hostname of ["a b", "::g", "a..b", "[10.0.0.1]", "[::1", "a:1", "ä", ""]) {
        const udp = { hostname, port: 9, transport: "udp" } as const;
        const calls = [
          () => client.listenDatagram(udp),
          () => near.send(bytes(1), udp),
          () => client.listen({ hostname, port: 0 }),
          () => client.connect({ hostname, port: 9 }),
        ];
        for (const call of calls) same([hostname, await failsAs(call)], [hostname, "URIError -"]);
      }
    });
  },
  "no host is any, and a number is true": ({ client, clientHostname }) => {
    const none: unknown = null;
    const truth: unknown = 5;
    const anywhere = { hostname: none as string, port: 0, transport: "udp" } as const;
    const socket = client.listenDatagram(anywhere);
    same(socket.addr.hostname, "0.0.0.0");
    socket.close();
    const flags = { reuseAddress: truth as boolean, loopback: none as boolean };
    client.listenDatagram({ ...anywhere, hostname: clientHostname, ...flags }).close();
    return Promise.resolve();
  },
  "send() takes ports that are numbers, and addresses of the socket's family": (setting) =>
    withSockets(setting, async (near, far) => {
      const send = (parts: object) => failsAs(() => near.send(bytes(1), { ...far.addr, ...parts }));
      for (const port of ["9", "x", "", null, undefined, true, {}]) {
        same(await send({ port }), "TypeError -");
      }
      for (const port of [0, -1, NaN]) same(await send({ port }), "TypeError EINVAL");
      const other = far.addr.hostname.includes(":") ? "10.0.0.9" : "::1";
      same(await send({ hostname: other }), "Error EAFNOSUPPORT");
    }),
  "what is no buffer is refused, by what is closed too": (setting) =>
    withSockets(setting, async (near, far) => {
      const text: unknown = "text";
      const none: unknown = null;
      same(await failsAs(() => near.receive(text as Uint8Array)), "TypeError -");
      await near.send(bytes(1), far.addr);
      same((await far.receive(none as Uint8Array))[0], [1]);
      near.close();
      same(await failsAs(() => near.receive(text as Uint8Array)), "TypeError -");
      same(await failsAs(() => near.send(text as Uint8Array, far.addr)), "TypeError -");
    }),
  "groups are joined once and left once, in words of the system": async ({ client }) => {
    const group = "239.1.1.1";
    // Of the platform's interfaces that which is everywhere.
    const place = "127.0.0.1";
    const socket = client.listenDatagram({ hostname: "0.0.0.0", port: 0, transport: "udp" });
    const join = (address: unknown, at: unknown) =>
      failsAs(() => socket.joinMulticastV4(address as string, at as string));
    for (const address of ["x", "", "ff02::1", undefined, null, 5]) {
      same(await join(address, place), "Error -");
    }
    for (const at of ["x", "", undefined, 5]) same(await join(group, at), "Error -");
    same(await join(place, place), "TypeError EINVAL");
    for (const address of ["x", group, "ff02::1"]) {
      same(await failsAs(() => socket.joinMulticastV6(address, 0)), "Error -");
    }
    const membership = await socket.joinMulticastV4(group, place);
    same(await join(group, place), "AddrInUse EADDRINUSE");
    const text: unknown = "x";
    same(await failsAs(() => membership.setTTL(text as number)), "TypeError -");
    same(await failsAs(() => membership.setTTL(300)), "TypeError EINVAL");
    for (const ttl of [-1, 0, 1.5, NaN, 255]) await membership.setTTL(ttl);
    await membership.setLoopback(text as boolean);
    await membership.leave();
    same(await failsAs(() => membership.leave()), "AddrNotAvailable EADDRNOTAVAIL");
    socket.close();
    same(await failsAs(() => membership.leave()), "BadResource -");
    same(await failsAs(() => membership.setTTL(3)), "BadResource -");
    same(await join(group, place), "BadResource -");
  },
};
