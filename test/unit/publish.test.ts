import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { noLog } from "../../src/relay/log.ts";
import type { ControlMessage } from "../../src/relay/protocol.ts";
import { PUBLISHED_MAX, Publisher, type PublishPolicy } from "../../src/relay/publish.ts";

interface Rig {
  readonly publisher: Publisher;
  /** Ports of the client that somebody connected to. */
  readonly asked: number[];
  /** Sends a request and waits for its answer. */
  request(message: ControlMessage): Promise<ControlMessage>;
}

const rigs: Rig[] = [];
const servers: Server[] = [];

afterEach(() => {
  for (const { publisher } of rigs.splice(0)) publisher.close();
  for (const server of servers.splice(0)) server.close();
});

function rig(policy: PublishPolicy = "any"): Rig {
  const answers = new Map<unknown, (message: ControlMessage) => void>();
  const asked: number[] = [];
  const publisher = new Publisher({
    policy,
    log: noLog,
    client: 1,
    reply: (message) => answers.get(message["id"])?.(message),
    connect: (port) => {
      asked.push(port);
      return null;
    },
    adopt: () => {},
    drop: () => {},
  });
  let nextId = 1;
  const made: Rig = {
    publisher,
    asked,
    request: (message) =>
      new Promise((resolve) => {
        const id = nextId++;
        answers.set(id, resolve);
        publisher.control({ ...message, id });
      }),
  };
  rigs.push(made);
  return made;
}

async function takenPort(): Promise<number> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Connects, and tells how it ended: "connected" only if it stays open for a moment. */
function attempt(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, "127.0.0.1");
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    socket.on("close", () => resolve("closed"));
  });
}

describe("publish", () => {
  test("opens a port of the host's loopback, and tells which", async () => {
    const { request, asked } = rig();
    const answer = await request({ type: "publish", protocol: "tcp", port: 80 });
    expect(answer).toMatchObject({ type: "published", protocol: "tcp", port: 80 });
    expect(answer["hostPort"]).toBeGreaterThan(0);
    // The client does not answer here: whoever connects is reset.
    expect(await attempt(Number(answer["hostPort"]))).toBe("ECONNRESET");
    expect(asked).toEqual([80]);
  });

  test("is refused, when the relay was not told to", async () => {
    const answer = await rig("off").request({ type: "publish", port: 80 });
    expect(answer).toMatchObject({ type: "error", code: "EACCES" });
  });

  test("is refused with EADDRINUSE, when the host's port is taken", async () => {
    const { request, publisher } = rig();
    const hostPort = await takenPort();
    const answer = await request({ type: "publish", port: 80, hostPort });
    expect(answer).toMatchObject({ type: "error", code: "EADDRINUSE" });
    expect(answer["message"]).toContain(String(hostPort));
    expect(publisher.size).toBe(0);
    expect(await request({ type: "publish", port: 80 })).toMatchObject({ type: "published" });
  });

  test("gives the ports that are permitted alone", async () => {
    const [taken, free] = [await takenPort(), await takenPort()];
    servers.pop()?.close();
    const { request } = rig(new Set([taken, free]));
    expect(await request({ type: "publish", port: 80, hostPort: 1 })).toMatchObject({
      code: "EACCES",
    });
    // The first one is taken.
    expect(await request({ type: "publish", port: 80 })).toMatchObject({ hostPort: free });
    expect(await request({ type: "publish", port: 81 })).toMatchObject({ code: "EADDRINUSE" });
  });

  test("is answered again, when a client that came back asks for what it has", async () => {
    const { request, publisher } = rig();
    const first = await request({ type: "publish", port: 80 });
    const hostPort = first["hostPort"];
    expect(await request({ type: "publish", port: 80, hostPort })).toMatchObject({ hostPort });
    expect(await request({ type: "publish", port: 80, hostPort: 1 })).toMatchObject({
      code: "EADDRINUSE",
    });
    expect(publisher.size).toBe(1);
  });

  test("is bounded", async () => {
    const { request } = rig();
    const answers = await Promise.all(
      Array.from(
        { length: PUBLISHED_MAX + 1 },
        (_, index) => request({ type: "publish", port: index + 1 }),
      ),
    );
    const types = answers.map((answer) => answer["type"]);
    expect(types.filter((type) => type === "published")).toHaveLength(PUBLISHED_MAX);
    expect(answers.at(-1)).toMatchObject({ type: "error", code: "ENOBUFS" });
  });

  test.each([
    { port: 0 },
    { port: 65_536 },
    { port: "80" },
    {},
    { port: 80, hostPort: -1 },
    { port: 80, protocol: "udp" },
  ])("is refused with EPROTO, when it says %j", async (fields) => {
    const answer = await rig().request({ type: "publish", ...fields });
    expect(answer).toMatchObject({ type: "error", code: "EPROTO" });
  });
});

describe("unpublish", () => {
  test("closes the port", async () => {
    const { request } = rig();
    const { hostPort } = await request({ type: "publish", port: 80 });
    expect(await request({ type: "unpublish", port: 80 })).toMatchObject({ type: "unpublished" });
    expect(await attempt(Number(hostPort))).toBe("ECONNREFUSED");
  });

  test("of a port that is not published is no error", async () => {
    expect(await rig().request({ type: "unpublish", port: 80 })).toMatchObject({
      type: "unpublished",
    });
  });
});

test("all ports are closed, when the session ends", async () => {
  const { request, publisher } = rig();
  const { hostPort } = await request({ type: "publish", port: 80 });
  publisher.close();
  expect(await attempt(Number(hostPort))).toBe("ECONNREFUSED");
});
