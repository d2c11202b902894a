/** What is from us to us: the host says so, and no link can. */

/** What is being taken in has not come by the link. RFC 1122 section 3.2.1.3 (g), RFC 4291 section 2.5.3. */
export let isLooped: bool = false;

/** Says where what is taken in from now on has come from. */
export function setLooped(looped: bool): void {
  isLooped = looped;
}
