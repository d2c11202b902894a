/**
 * Starts a worker of our own script, however the page was built.
 *
 * Vite, webpack, Deno, Bun and pages without bundler find the file: they know `new Worker(new URL(…, import.meta.url))`. esbuild
 * copies the address without the file, a development server may move us away from it, and a page may not start workers from
 * another origin, such as a CDN's. Then the script is started from its text, which is in the package too and is loaded only
 * then.
 */
import { CoreFault } from "../errors.ts";
import { isRunning } from "./protocol.ts";

/** How a worker is started. */
export interface StartOptions {
  /** It is sent a core, so its text does without. */
  readonly isCoreSent: boolean;
}

/**
 * Starts a worker.
 *
 * @param options What it needs.
 * @returns The worker, once its script runs.
 * @throws {CoreFault} If that is not possible: no `Worker` here, or a page's policy forbids it.
 */
export async function startWorker({ isCoreSent }: StartOptions): Promise<Worker> {
  if (typeof Worker === "undefined") {
    throw new CoreFault(
      "Cannot start a worker for the stack: this runtime has no Worker; createStack() runs it here",
    );
  }
  try {
    // Bundlers look for these words in this order.
    return await running(new Worker(new URL("./script.ts", import.meta.url), { type: "module" }));
  } catch (fromFile) {
    try {
      return await startText(isCoreSent ? "" : await inlinedCore());
    } catch (fromText) {
      throw new CoreFault(
        `Cannot start a worker for the stack: ${reasonOf(fromFile)}; from its text: ${
          reasonOf(fromText)
        }; a page's Content-Security-Policy has to allow it, by "worker-src 'self'" or "worker-src blob:"`,
      );
    }
  }
}

async function inlinedCore(): Promise<string> {
  return (await import("../core/core_wasm.gen.ts")).CORE_WASM_BASE64;
}

/** @param core What the text lacks, because this side has it anyway. */
async function startText(core: string): Promise<Worker> {
  const { WORKER_TEXT } = await import("./worker_text.gen.ts");
  const parts = [`const INLINED_CORE_WASM = "${core}";`, WORKER_TEXT];
  const url = URL.createObjectURL(new Blob(parts, { type: "text/javascript" }));
  try {
    return await running(new Worker(url, { type: "module" }));
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Waits for the first word of a worker's script. */
function running(worker: Worker): Promise<Worker> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      worker.removeEventListener("message", onMessage);
      worker.removeEventListener("error", onError);
    };
    const onMessage = (event: MessageEvent): void => {
      if (!isRunning(event.data)) return;
      stop();
      resolve(worker);
    };
    const onError = (event: ErrorEvent): void => {
      // In Deno an error that nobody handles ends the program.
      event.preventDefault();
      stop();
      worker.terminate();
      const { message = "" } = event;
      reject(new Error(message === "" ? "its script could not be loaded" : message));
    };
    worker.addEventListener("message", onMessage);
    worker.addEventListener("error", onError);
  });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
