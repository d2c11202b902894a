/** One connection of a server: requests in, responses out, one after the other. RFC 9112. */
import type { TcpConnection } from "../../options.ts";
import { Channel } from "../faces/channel.ts";
import { handledPromise } from "../faces/settling.ts";
import { toDenoError } from "./errors.ts";
import { RequestBody } from "./http_body.ts";
import { type HttpParser, type HttpParsers, HttpRefusal, type RequestHead } from "./http_parser.ts";
import { makeRequest } from "./http_request.ts";
import { CONTINUE, refusalHead } from "./http_response.ts";
import { ResponseWriter } from "./http_writer.ts";

/** What of a body that the handler left unread is read and dropped for the next request's sake, bytes. */
const DROPPED_MAX_BYTES = 262_144;

/** How long a client that was refused may take to notice, ms: reset at once it might never read why. */
const LINGER_MS = 1_000;

/** Limits of a connection. */
export interface HttpLimits {
  /** Largest head of a request, bytes. */
  readonly headBytesMax: number;
  /** Largest body of a request, bytes. */
  readonly bodyBytesMax: number;
  /** How long a head may take once it has begun, ms. */
  readonly headTimeoutMs: number;
  /** How long a connection may rest between requests, ms. */
  readonly idleTimeoutMs: number;
}

/** What a connection serves for. */
export interface HttpService {
  readonly parsers: HttpParsers;
  readonly limits: HttpLimits;
  /** Whether no further request is wanted. */
  readonly isStopping: boolean;
  /** Answers a request; never rejects. @param completed Settles when the response was written. */
  answer(request: Request, completed: Promise<void>): Promise<Response>;
}

/** A connection that is served. */
export class HttpConnection {
  readonly #service: HttpService;
  readonly #channel: Channel;
  readonly #parser: HttpParser;
  readonly #writer: ResponseWriter;
  /** Tells the handler that the client went away. */
  #gone = new AbortController();
  readonly #host: string;
  readonly #aborted = handledPromise<void>();
  #head: RequestHead | null = null;
  #body: RequestBody | null = null;
  #bodyBytes = 0;
  /** Bytes that came and belong to what follows. */
  #rest: Uint8Array = new Uint8Array(0);
  #reading: Promise<boolean> | null = null;
  #waitsForContinue = false;
  /** Nothing of a next request has come. */
  #isIdle = true;
  #refusal: HttpRefusal | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param connection An open connection; it belongs to this object from here on.
   * @param service Who answers.
   */
  constructor(connection: TcpConnection, service: HttpService) {
    this.#service = service;
    this.#channel = new Channel(connection, toDenoError);
    const { hostname, port } = connection.localAddress;
    this.#host = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
    this.#writer = new ResponseWriter((bytes) => this.#channel.write(bytes));
    this.#parser = service.parsers.make({
      onHead: (head) => this.#onHead(head),
      onBody: (bytes) => this.#onBody(bytes),
      onComplete: () => this.#body?.end(),
    }, service.limits.headBytesMax);
    connection.closed.catch((error) => {
      this.#gone.abort(toDenoError(error));
      this.#writer.cancel(error);
    });
  }

  /** Serves until it is over; never rejects. Aborted, it is over at once, whatever the handler still does. */
  async run(): Promise<void> {
    await Promise.race([this.#run(), this.#aborted.promise]);
  }

  async #run(): Promise<void> {
    try {
      while (!this.#service.isStopping && await this.#nextHead()) {
        if (!await this.#serve()) break;
      }
      this.#channel.close();
    } catch (error) {
      if (error instanceof HttpRefusal) await this.#refuse(error.status);
      else this.abort(error);
    } finally {
      clearTimeout(this.#timer);
      this.#parser.free();
    }
  }

  /** No further request is wanted: closes it if none is under way. */
  stop(): void {
    if (this.#isIdle) this.#channel.close();
  }

  /** Ends it at once. @param resets A response was cut short, and the client has to know that. */
  abort(reason: unknown, resets = true): void {
    this.#body?.fail("The connection was closed before the request was complete");
    this.#gone.abort(reason);
    this.#writer.cancel(reason);
    if (resets) this.#channel.connection.abort();
    else this.#channel.close();
    this.#aborted.resolve();
  }

  /** @returns False if none will come. */
  async #nextHead(): Promise<boolean> {
    const { limits } = this.#service;
    this.#head = null;
    this.#body = null;
    this.#isIdle = this.#rest.length === 0;
    this.#parser.resume();
    this.#limitTime(this.#isIdle ? limits.idleTimeoutMs : limits.headTimeoutMs);
    this.#parse();
    while (this.#head === null) {
      if (!await this.#more()) return false;
      if (this.#isIdle) this.#limitTime(limits.headTimeoutMs);
      this.#isIdle = false;
    }
    clearTimeout(this.#timer);
    return true;
  }

  /** Answers the request whose head has come. @returns Whether there may be another. */
  async #serve(): Promise<boolean> {
    const head = this.#head;
    const body = this.#body;
    if (head === null || body === null) return false;
    this.#assertTaken();
    this.#gone = new AbortController();
    const request = makeRequest({
      head,
      body: body.isOver && this.#bodyBytes === 0 ? null : body.stream,
      signal: this.#gone.signal,
      host: this.#host,
    });
    const completed = handledPromise<void>();
    try {
      const response = await this.#service.answer(request, completed.promise);
      this.#assertTaken();
      const isKept = await this.#writer.send(response, {
        ...head,
        keepsAlive: this.#keepsAlive(head, response),
      });
      completed.resolve();
      if (isKept) return await this.#dropBody(body);
    } catch (error) {
      completed.reject(error);
      throw error;
    }
    // A client that is still sending would not read the response if it were reset.
    if (!body.isOver) {
      body.drop();
      await this.#linger();
    }
    return false;
  }

  /** Throws what the request is refused with, whatever the handler says. */
  #assertTaken(): void {
    if (this.#refusal !== null) throw this.#refusal;
  }

  #keepsAlive(head: RequestHead, response: Response): boolean {
    // The client that waits to be asked for its body was not asked: whether it comes, nobody knows.
    return head.keepsAlive && !this.#service.isStopping && !this.#waitsForContinue &&
      response.headers.get("connection")?.toLowerCase() !== "close";
  }

  #onHead(head: RequestHead): void {
    this.#head = head;
    this.#bodyBytes = 0;
    this.#waitsForContinue = head.minor === 1 &&
      head.headers.some(([name, value]) =>
        name.toLowerCase() === "expect" && value.toLowerCase() === "100-continue"
      );
    this.#body = new RequestBody({ more: () => this.#moreBody() });
    const length = head.headers.find(([name]) => name.toLowerCase() === "content-length")?.[1];
    if (Number(length) > this.#service.limits.bodyBytesMax) this.#refuseBody();
  }

  #onBody(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bodyBytes += bytes.length;
    if (this.#bodyBytes > this.#service.limits.bodyBytesMax) this.#refuseBody();
    else this.#body?.push(bytes);
  }

  #refuseBody(): void {
    this.#refusal ??= new HttpRefusal(413, "the body is too large");
    this.#body?.fail("The body of the request is too large");
  }

  /** For the handler, which reads the body. */
  async #moreBody(): Promise<void> {
    if (this.#waitsForContinue) {
      this.#waitsForContinue = false;
      await this.#channel.write(CONTINUE);
    }
    try {
      if (await this.#more()) return;
      this.#body?.fail("The connection ended before the request was complete");
    } catch (error) {
      if (error instanceof HttpRefusal) this.#refusal ??= error;
      this.#body?.fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** Reads and parses a chunk; who comes while one does waits for the same. @returns False at the end. */
  #more(): Promise<boolean> {
    return this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
  }

  async #read(): Promise<boolean> {
    const chunk = await this.#channel.readChunk();
    if (chunk === null) return false;
    this.#rest = chunk;
    this.#parse();
    return true;
  }

  #parse(): void {
    if (this.#rest.length === 0) return;
    this.#rest = this.#rest.subarray(this.#parser.execute(this.#rest));
  }

  /** Reads what the handler left of the body, within limits. @returns Whether the next request can begin. */
  async #dropBody(body: RequestBody): Promise<boolean> {
    body.drop();
    const upTo = this.#bodyBytes + DROPPED_MAX_BYTES;
    this.#limitTime(LINGER_MS);
    while (!body.isOver && this.#bodyBytes < upTo) {
      if (!await this.#more()) return false;
    }
    return body.isOver && this.#refusal === null;
  }

  async #refuse(status: number): Promise<void> {
    try {
      await this.#channel.write(refusalHead(status));
      await this.#linger();
      this.#channel.close();
    } catch (error) {
      this.abort(error);
    }
  }

  /** Unread bytes would reset the connection, and take the answer with them. RFC 9112 section 9.6. */
  async #linger(): Promise<void> {
    await this.#channel.closeWrite();
    this.#limitTime(LINGER_MS);
    for (let bytes = 0; bytes < DROPPED_MAX_BYTES;) {
      const chunk = await this.#channel.readChunk();
      if (chunk === null) return;
      bytes += chunk.length;
    }
  }

  #limitTime(ms: number): void {
    clearTimeout(this.#timer);
    if (ms === Infinity) return;
    this.#timer = setTimeout(() => this.#channel.close(), ms);
  }
}
