/**
 * What programs see of `node:net`, told as lists of lines: the same cases run over the platform's own module and over ours,
 * and the lists have to be equal, word for word and in order.
 */
import { DATA_CASES } from "./net_cases_of_data.ts";
import { EDGE_CASES } from "./net_cases_of_edges.ts";
import {
  answer,
  clientCase,
  echo,
  ignore,
  named,
  type NetCase,
  once,
  quiet,
  QUIET_MS,
  serve,
  serverCase,
  spy,
  text,
  thrown,
  until,
} from "./net_world.ts";

const CLOSING: readonly NetCase[] = [
  clientCase("the server says a word and ends; the client reads it", answer, (socket) => {
    socket.resume();
  }),
  clientCase("the client ends first and reads the answer", answer, (socket) => {
    socket.on("data", ignore);
    socket.end("x");
  }),
  clientCase("the client echoes through the server", echo, (socket) => {
    socket.on("data", () => socket.end());
    socket.write("x");
  }),
  clientCase("a socket that nobody reads does not end", answer, async (socket, lines) => {
    await until(() => socket.readableLength > 0);
    await quiet();
    lines.push(`ended ${socket.readableEnded}, ${socket.readableLength} bytes wait`);
    socket.destroy();
  }),
  clientCase(
    "a socket that nobody reads ends, if the peer said nothing",
    (socket) => socket.end(),
    ignore,
  ),
  clientCase("with allowHalfOpen the client goes on after the server's end", (socket) => {
    socket.end("bye");
    socket.resume();
  }, (socket, lines) => {
    socket.resume();
    socket.on("end", () => {
      lines.push(`${socket.readyState} ${socket.writable}`);
      setTimeout(() => socket.end("more"), QUIET_MS);
    });
  }, { client: { allowHalfOpen: true } }),
  clientCase("without allowHalfOpen a write after the end fails", (socket) => {
    socket.end();
  }, (socket, lines) => {
    socket.resume();
    // Its own end has been written by then, without being asked for.
    socket.on("close", () => {
      const took = socket.write("late", (error) => lines.push(`written: ${String(error)}`));
      lines.push(`took ${took}`);
    });
  }),
  clientCase("a write after end() fails", echo, (socket, lines, world) => {
    socket.resume();
    socket.end("x");
    socket.write("y", (error) => lines.push(`written: ${text(error, world, 0)}`));
  }),
  clientCase("destroy() tells no error", echo, async (socket) => {
    await once(socket, "connect");
    socket.destroy();
  }),
  clientCase("destroy(error) tells it, then closes with an error", echo, async (socket) => {
    await once(socket, "connect");
    socket.destroy(new Error("enough"));
  }),
  clientCase("destroy() while connecting", echo, (socket) => {
    socket.destroy();
  }),
  clientCase("destroy(error) while connecting", echo, (socket) => {
    socket.destroy(new Error("enough"));
  }),
  clientCase("destroySoon() writes what waits", echo, async (socket) => {
    await once(socket, "connect");
    socket.write("x");
    socket.destroySoon();
  }),
  clientCase("end() before the connection is open", answer, (socket, lines) => {
    socket.on("data", ignore);
    socket.write("a", () => lines.push("a is written"));
    socket.end("b", () => lines.push("ended"));
  }),
];

const FAILING: readonly NetCase[] = [
  {
    name: "a port where nobody listens refuses",
    run: async (world) => {
      const lines: string[] = [];
      const socket = spy(world.client.connect(world.closedPort, world.host), lines, world);
      socket.on("error", ignore);
      socket.write("x", (error) => lines.push(`written: ${error === null}`));
      await once(socket, "close");
      await quiet();
      lines.push(`${socket.destroyed} ${socket.readyState} ${socket.connecting} ${socket.pending}`);
      return lines;
    },
  },
  clientCase("a reset is an error of reading", (socket) => {
    socket.once("data", () => socket.resetAndDestroy());
  }, async (socket) => {
    socket.resume();
    await once(socket, "connect");
    socket.write("go on");
  }),
  clientCase("resetAndDestroy() tells no error to who calls it", echo, async (socket) => {
    await once(socket, "connect");
    socket.resetAndDestroy();
  }),
  {
    name: "resetAndDestroy() resets the peer",
    run: async (world) => {
      const lines: string[] = [];
      let end = (): void => {};
      const ended = new Promise<void>((resolve) => (end = resolve));
      const { port, close } = await serve(world, (socket) => {
        spy(socket, lines, world).resume();
        socket.on("close", end);
        socket.write("hello");
      });
      const socket = world.client.connect(port, world.host);
      await once(socket, "data");
      socket.resetAndDestroy();
      await ended;
      await close();
      return lines;
    },
  },
  clientCase("an aborted signal destroys", echo, async (socket) => {
    await once(socket, "connect");
    aborting.abort();
  }, {
    get client(): object {
      aborting = new AbortController();
      return { signal: aborting.signal };
    },
  }),
  {
    name: "a socket that was never connected can not write",
    run: async (world) => {
      const lines: string[] = [];
      const socket = spy(new world.client.Socket(), lines, world);
      socket.on("error", ignore);
      lines.push(`${socket.pending} ${socket.connecting} ${socket.readyState}`);
      socket.write("x", (error) => lines.push(`written: ${text(error, world, 0)}`));
      await quiet();
      return lines;
    },
  },
  {
    name: "a socket that was never connected closes",
    run: async (world) => {
      const lines: string[] = [];
      spy(new world.client.Socket(), lines, world).destroy();
      const failing = spy(new world.client.Socket(), lines, world).on("error", ignore);
      failing.destroy(new Error("enough"));
      const resetting = spy(new world.client.Socket(), lines, world).on("error", ignore);
      resetting.resetAndDestroy();
      await quiet();
      return lines;
    },
  },
  {
    name: "a custom lookup is asked, and its error is told",
    run: async (world) => {
      const lines: string[] = [];
      const lookup = (name: string, options: unknown, callback: (error: Error) => void): void => {
        lines.push(`asked for ${name} ${JSON.stringify(options)}`);
        callback(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }));
      };
      const port = world.closedPort;
      const connected = world.client.connect({ port, host: "a.example", lookup });
      const socket = spy(connected, lines, world).on("error", ignore);
      await once(socket, "close");
      return lines;
    },
  },
];

let aborting = new AbortController();

const LOOKUPS: readonly NetCase[] = [
  ["family 4", { family: 4 }],
  ["autoSelectFamily off", { autoSelectFamily: false }],
  ["both families", { autoSelectFamily: true }],
].map(([name, extra]) =>
  serverCase(`a custom lookup gives the address: ${String(name)}`, answer, async (served) => {
    const { world, port, lines } = served;
    // deno-lint-ignore no-explicit-any -- the module's own types differ between versions
    const lookup = (_: string, options: any, callback: any): void => {
      lines.push(`asked ${JSON.stringify(options)}`);
      if (options.all) callback(null, [{ address: world.host, family: 4 }]);
      else callback(null, world.host, 4);
    };
    const options = { port, host: "a.example", lookup, ...Object(extra) };
    const socket = spy(world.client.connect(options), lines, world, port);
    socket.resume();
    await once(socket, "close");
  })
);

const SERVING: readonly NetCase[] = [
  {
    name: "a server counts, closes last, and says so",
    run: async (world) => {
      const lines: string[] = [];
      const { server, port } = await serve(world, echo);
      for (const event of ["connection", "close", "error"]) {
        server.on(event, () => lines.push(event));
      }
      const socket = world.client.connect(port, world.host);
      await Promise.all([once(socket, "connect"), once(server, "connection")]);
      const counted = await new Promise((resolve) =>
        server.getConnections((error, count) => resolve(`${String(error)} ${count}`))
      );
      lines.push(`counted ${counted} listening ${server.listening}`);
      server.close((error) => lines.push(`closed ${String(error)}`));
      lines.push(`listening ${server.listening} ${String(server.address())}`);
      await quiet();
      lines.push("the client ends");
      socket.end();
      socket.resume();
      await once(server, "close");
      await quiet();
      return lines;
    },
  },
  serverCase("a port that is taken is an error of listening", echo, async (served) => {
    const { world, port, lines } = served;
    const second = world.server.createServer();
    second.on("close", () => lines.push("close"));
    second.listen(port, world.host);
    lines.push(text(await once(second, "error"), world, port), String(second.listening));
    await quiet();
  }),
  {
    name: "a server that does not listen is closed with an error",
    run: async (world) => {
      const lines: string[] = [];
      const server = world.server.createServer();
      server.on("close", () => lines.push("close"));
      server.close((error) => lines.push(text(error, world, 0)));
      await quiet();
      return lines;
    },
  },
  {
    name: "a server may be listened with again",
    run: async (world) => {
      const lines: string[] = [];
      const { server, close } = await serve(world, echo);
      lines.push(thrown(() => server.listen(0)));
      await close();
      server.listen({ port: 0, host: world.host }, () => lines.push("listens again"));
      await once(server, "listening");
      await new Promise((resolve) => server.close(resolve));
      return lines;
    },
  },
  serverCase("beyond maxConnections they are dropped", echo, async (served) => {
    const { world, server, port, lines, connect } = served;
    server.maxConnections = 1;
    const dropped = new Promise<void>((resolve) =>
      server.on("drop", (told) => {
        lines.push(named(`drop ${Object.keys(told).sort()} ${told.localAddress}`, world, port));
        resolve();
      })
    );
    const first = connect();
    await Promise.all([once(first, "connect"), once(server, "connection")]);
    const second = connect();
    second.resume().on("error", ignore);
    await Promise.all([once(second, "close"), dropped]);
    lines.push(first.readyState);
    first.destroy();
  }),
  serverCase("pauseOnConnect keeps what comes", async (socket, lines) => {
    await quiet();
    lines.push(`${socket.isPaused()} ${socket.bytesRead} ${socket.readableLength}`);
    socket.on("data", (chunk) => lines.push(`got ${chunk}`));
    socket.resume();
    socket.on("end", () => socket.end());
  }, async ({ connect }) => {
    const socket = connect();
    socket.end("x");
    socket.resume();
    await once(socket, "close");
  }, { pauseOnConnect: true }),
  {
    name: "a signal closes a server",
    run: async (world) => {
      const lines: string[] = [];
      const signal = new AbortController();
      const server = world.server.createServer();
      server.listen({ port: 0, host: world.host, signal: signal.signal });
      await once(server, "listening");
      signal.abort();
      await once(server, "close");
      lines.push(`closed ${server.listening}`);
      return lines;
    },
  },
];

const ARGUMENTS: readonly NetCase[] = [{
  name: "arguments that can not be meant are refused",
  run: ({ client: net }) => {
    const any = <T>(value: unknown): T => value as T;
    const calls: readonly (() => unknown)[] = [
      () => net.connect(),
      () => net.connect({}),
      () => net.connect({ port: 70_000 }),
      () => net.connect({ port: -1 }),
      () => net.connect({ port: 1.5 }),
      () => net.connect({ port: "http" }),
      () => net.connect({ port: {} }),
      () => net.connect({ port: 1, localAddress: "x" }),
      () => net.connect({ port: 1, localPort: "a" }),
      () => net.connect({ port: 1, lookup: 1 }),
      () => net.connect({ port: 1, host: "x", hints: 99_999 }),
      () => new net.Socket(any({ objectMode: true })),
      () => new net.Socket().setTimeout(any("x")),
      () => new net.Socket().setTimeout(-1),
      () => new net.Socket().setTimeout(Infinity),
      () => new net.Socket().setTimeout(1, any(2)),
      () => new net.Socket().write(5),
      () => new net.Socket().write(null),
      () => net.createServer(any(5)),
      () => net.createServer().listen({}),
      () => net.createServer().listen({ host: "x" }),
      () => net.createServer().listen({ port: -1 }),
      () => net.createServer().listen(70_000),
      () => net.createServer().listen(true),
      () => net.setDefaultAutoSelectFamily(any(3)),
      () => net.setDefaultAutoSelectFamilyAttemptTimeout(0),
      () => new net.BlockList().addAddress("x"),
      () => new net.BlockList().addSubnet("1.2.3.4", 99),
      () => new net.BlockList().addAddress("1.2.3.4", any("x")),
      () => new net.SocketAddress({ address: "x" }),
    ];
    // By number: a bundler changes how a call is written.
    return Promise.resolve(calls.map((call, index) => `call ${index}: ${thrown(call)}`));
  },
}];

const ADDRESSES: readonly NetCase[] = [{
  name: "addresses are told apart",
  run: ({ client: net }) => {
    const texts = [
      "10.0.0.1",
      "01.2.3.4",
      "1.2.3",
      "::",
      "fe80::1%eth0",
      "::ffff:1.2.3.4",
      "1::2::3",
    ];
    const values: unknown[] = [...texts, "", "x", undefined, null, 5];
    const list = new net.BlockList();
    list.addAddress("1.2.3.4");
    list.addRange("10.0.0.1", "10.0.0.9");
    list.addSubnet("fe80::", 64, "ipv6");
    const checks = ["1.2.3.4", "10.0.0.5", "10.0.0.10", "x"].map((text) => list.check(text));
    const mapped = [list.check("::ffff:1.2.3.4", "ipv6"), list.check("fe80::7", "ipv6")];
    const address = new net.SocketAddress({ address: "10.0.0.3", port: 5 });
    return Promise.resolve([
      ...values.map((value) =>
        `${String(value)}: ${net.isIP(value)} ${net.isIPv4(value)} ${net.isIPv6(value)}`
      ),
      list.rules.join(", "),
      [...checks, ...mapped, list.check(address)].join(" "),
      `${address.address} ${address.port} ${address.family} ${address.flowlabel}`,
      `${net.getDefaultAutoSelectFamily()} ${new net.SocketAddress().address}`,
    ]);
  },
}];

/** All cases. */
export const NET_CASES: readonly NetCase[] = [
  ...CLOSING,
  ...FAILING,
  ...LOOKUPS,
  ...DATA_CASES,
  ...EDGE_CASES,
  ...SERVING,
  ...ARGUMENTS,
  ...ADDRESSES,
];
