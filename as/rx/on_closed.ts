/** RFC 9293 section 3.10.7.1: no connection and no listener. */
import { Segment } from "../layout.gen.ts";
import { answerReset } from "../tx/reply.ts";

/** "An incoming segment containing a RST is discarded. An incoming segment not containing a RST causes a RST to be sent." */
export function onClosed(seg: Segment): void {
  answerReset(seg);
}
