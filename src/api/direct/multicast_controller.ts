/** `MulticastController` of an open `UDPSocket`. */
import { BadResource } from "../../errors.ts";
import { isIp } from "../../net/addresses.ts";
import type { UdpSocket } from "../../options.ts";
import { directError, toOpenError } from "./errors.ts";
import type { MulticastController } from "./types.ts";

/** The groups of one socket. */
export class FaceMulticastController implements MulticastController {
  readonly #socket: UdpSocket;
  #joined: readonly string[] = Object.freeze([]);

  /** @param socket Whose groups. */
  constructor(socket: UdpSocket) {
    this.#socket = socket;
  }

  get joinedGroups(): readonly string[] {
    return this.#joined;
  }

  async joinGroup(ipAddress: string): Promise<void> {
    const group = readGroup(ipAddress);
    try {
      await this.#socket.joinMulticast(group);
    } catch (error) {
      throw toGroupError(error);
    }
    this.#joined = Object.freeze([...this.#joined, group]);
  }

  async leaveGroup(ipAddress: string): Promise<void> {
    const group = readGroup(ipAddress);
    try {
      await this.#socket.leaveMulticast(group);
    } catch (error) {
      throw toGroupError(error);
    }
    this.#joined = Object.freeze(this.#joined.filter((joined) => joined !== group));
  }
}

/** A socket that is closed is in no state to join, whatever its network does. */
function toGroupError(error: unknown): unknown {
  return error instanceof BadResource
    ? directError("InvalidStateError", error.message, error)
    : toOpenError(error);
}

function readGroup(ipAddress: unknown): string {
  const text = String(ipAddress);
  if (isIp(text) !== 0) return text;
  throw new TypeError(`Cannot use the group "${text}": expected an IP address`);
}
