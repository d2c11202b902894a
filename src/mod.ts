/**
 * tidewire: a TCP/IP stack in WebAssembly. Frames in, frames out; connections, listeners and names in between.
 *
 * @example
 * ```ts
 * import { createStack, websocketLink } from "@tidewire/tidewire";
 *
 * const stack = await createStack({ link: websocketLink({ url, token }), address: "dhcp" });
 * await using connection = await stack.connect({ hostname: "example.com", port: 80 });
 * ```
 * @module
 */
export { createStack, InProcessStack } from "./api/network_stack.ts";
export type { DatagramSocket } from "./api/udp_socket.ts";
export { openStack, type OpenStackOptions, Stack } from "./stack.ts";
export type {
  AddressChoice,
  AddressInfo,
  CaaRecord,
  CongestionControl,
  ConnectionInfo,
  ConnectionRow,
  ConnectOptions,
  InterfaceAddress,
  LinkState,
  Listening,
  ListenOptions,
  MxRecord,
  NameAnswer,
  NameLookup,
  NameOptions,
  NameRecords,
  NameServerAddress,
  NaptrRecord,
  NetAddress,
  NetworkStack,
  RecordType,
  ResolveOptions,
  ResolveRecordsOptions,
  SoaRecord,
  SrvRecord,
  StackOptions,
  StaticAddress,
  TcpConnection,
  TcpListener,
  TcpOptions,
  Trouble,
  Tuning,
  UdpBindOptions,
  UdpDatagram,
  UdpInfo,
  UdpOptions,
  UdpSocket,
  UdpTrouble,
  WasmSource,
} from "./options.ts";
export type {
  Hop,
  PingOptions,
  PingReply,
  PingResult,
  TracerouteOptions,
  TracerouteResult,
} from "./probe_options.ts";
export {
  AddressInUse,
  AddressNotAvailable,
  BadResource,
  BrokenPipe,
  ConnectionAborted,
  ConnectionRefused,
  ConnectionReset,
  CoreFault,
  errorOf,
  HostUnreachable,
  MessageTooLong,
  NameNotFound,
  NetworkDown,
  NetworkUnreachable,
  NoBuffers,
  NoSuchRecord,
  StackError,
  type StackErrorCode,
  TimedOut,
} from "./errors.ts";
export type { Device, DeviceSink } from "./link/device.ts";
export { impair, type ImpairedDevice, type ImpairOptions } from "./link/impair.ts";
export { offload, type OffloadDevice, type OffloadOptions } from "./link/offload.ts";
export { pcapng, type PcapngDevice, type PcapngOptions } from "./link/pcapng.ts";
export { pipe, type PipeDevice, type PipeOptions } from "./link/pipe.ts";
export { type WebsocketDevice, websocketLink, type WebsocketOptions } from "./link/websocket.ts";
export type { InterfaceConfig, StaticRoute } from "./net/interface.ts";
export type { Deferral } from "./runtime/deferral.ts";
export type { Clock, Timer } from "./runtime/clock.ts";
export type { Random } from "./runtime/random.ts";
export { type SeededRandom, seededRandom } from "./runtime/seeded_random.ts";
export { systemClock, type SystemClockOptions } from "./runtime/system_clock.ts";
export { systemRandom } from "./runtime/system_random.ts";
export { VirtualClock, type VirtualClockOptions } from "./runtime/virtual_clock.ts";
export { createWorkerStack, type WorkerStack, type WorkerStackOptions } from "./worker/client.ts";
export type { WorkerConnection } from "./worker/client_connection.ts";
export type { ServedStack, StackBuilder, StackNews } from "./worker/build_stack.ts";
export { type ServeOptions, serveWorker } from "./worker/host.ts";
export type {
  MessageEnd,
  PublishedPort,
  StackDescription,
  WebsocketDescription,
} from "./worker/protocol.ts";
