/** What is from us to us: the host says so, and no link can. */
import { control } from "../config.ts";
import { OFFLOAD_LOOPED } from "../layout.gen.ts";

/** What is being taken in has not come by the link. RFC 1122 section 3.2.1.3 (g), RFC 4291 section 2.5.3. */
export function isLooped(): bool {
  return (control.offload & OFFLOAD_LOOPED) !== 0;
}
