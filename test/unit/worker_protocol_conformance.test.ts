import { describe } from "vitest";
import { stackConformance } from "../conformance/stack_conformance.ts";
import { edgePair, inProcessPair, workerPair } from "./stack_pairs.ts";

describe("the stack in process", () => stackConformance(inProcessPair));

describe("the stack with offload at the edge", () => stackConformance(edgePair));

describe("the stack in a worker", () => stackConformance(workerPair));
