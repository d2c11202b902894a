/** Records frames: `#capture` begins and ends it, the file is offered as a download. */
import type { WorkerStack } from "../../src/worker/client.ts";
import { download } from "../save.ts";
import { byId, formatBytes, setStatus, setText, showError } from "./dom.ts";

/** Makes the button work. */
export function serveCaptureButton(
  stack: Pick<WorkerStack, "startCapture" | "stopCapture">,
): void {
  const button = byId("capture", HTMLButtonElement);
  const status = byId("capture-status", HTMLElement);
  let isRunning = false;
  const toggle = async (): Promise<void> => {
    // Not `disabled`: that would take the focus away.
    if (button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    try {
      if (isRunning) save(await stack.stopCapture(), status);
      else {
        await stack.startCapture();
        setStatus(status, "Recording the last 8 MiB of frames", "good");
      }
      isRunning = !isRunning;
    } catch (error) {
      showError(status, error);
    } finally {
      button.ariaBusy = "false";
      button.dataset["state"] = isRunning ? "running" : "stopped";
      setText(button, isRunning ? "Stop and save" : "Start capture");
    }
  };
  button.addEventListener("click", () => void toggle());
}

function save(file: Blob, status: HTMLElement): void {
  const stamp = new Date().toISOString().replaceAll(/[-:]|\..*$/g, "");
  const name = `tidewire_${stamp}.pcapng`;
  download(file, name);
  setStatus(status, `Saved ${name}, ${formatBytes(file.size)}`, "good");
  status.dataset["bytes"] = String(file.size);
}
