/** All cases that run there are; some need a network beside them. */
import type { BenchCase } from "./bench_case.ts";
import { BULK, BULK_SUPER } from "./bulk_case.ts";
import { CHURN } from "./churn_case.ts";
import { IDLE } from "./idle_case.ts";
import { KERNELS } from "./kernels_case.ts";
import { LATENCY } from "./latency_case.ts";
import { MANY } from "./many_case.ts";
import { PIPELINE, PIPELINE_SUPER } from "./pipeline_case.ts";
import { STREAMS } from "./streams_case.ts";
import { UDP } from "./udp_case.ts";
import { LOOPBACK } from "./loopback_case.ts";
import { TAP } from "./tap_case.ts";
import { TUNNEL } from "./tunnel_case.ts";

/** In the order in which they run. */
export const SUITE: readonly BenchCase[] = [
  KERNELS,
  PIPELINE,
  PIPELINE_SUPER,
  BULK,
  BULK_SUPER,
  STREAMS,
  CHURN,
  IDLE,
  LATENCY,
  MANY,
  UDP,
  TAP,
  TUNNEL,
  LOOPBACK,
];
