/**
 * The same small functions in plain JavaScript, three ways each, as good as they can be written: what the kernels in
 * WebAssembly are measured against is the fastest of them. All have the kernel's result, which a test compares.
 */

/** Sums and copies over one buffer. */
export interface Spans {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly halves: Uint16Array;
  readonly words: Uint32Array;
}

/** One way to checksum, and to copy and checksum. Offsets and lengths are multiples of 4. */
export interface ChecksumTwin {
  readonly name: string;
  /** @returns The folded sum, host order, not complemented. */
  sum(spans: Spans, at: number, bytes: number): number;
  /** The same of a span that it also copies. */
  copySum(spans: Spans, to: number, from: number, bytes: number): number;
}

/** Views on one buffer. @param bytes A multiple of 4. */
export function spansOf(bytes: number): Spans {
  const buffer = new ArrayBuffer(bytes);
  return {
    bytes: new Uint8Array(buffer),
    view: new DataView(buffer),
    halves: new Uint16Array(buffer),
    words: new Uint32Array(buffer),
  };
}

/** 2^16, of which the fold takes remainders. */
const HALF = 0x1_0000;

/** Words added to a double before it is folded: their sum stays below 2^53. */
const DOUBLE_WORDS = 1 << 20;

/** Halves added to an integer of 32 bits before it is folded: their sum stays below 2^31. */
const INTEGER_HALVES = 1 << 15;

function fold(sum: number): number {
  let folded = sum;
  while (folded >= HALF) folded = (folded % HALF) + Math.floor(folded / HALF);
  return folded;
}

/** Sums as the bytes lie are swapped at the end. RFC 1071 section 2B. */
function swapped(sum: number): number {
  const folded = fold(sum);
  return ((folded & 0xff) << 8) | (folded >>> 8);
}

/** Halves in network order, one by one: what the RFC's own example does. */
const DATA_VIEW: ChecksumTwin = {
  name: "js DataView 16",
  sum({ view }, at, bytes) {
    let sum = 0;
    for (let i = at; i < at + bytes; i += 2) sum += view.getUint16(i, false);
    return fold(sum);
  },
  copySum({ view }, to, from, bytes) {
    let sum = 0;
    const shift = to - from;
    for (let i = from; i < from + bytes; i += 2) {
      const half = view.getUint16(i, false);
      view.setUint16(i + shift, half, false);
      sum += half;
    }
    return fold(sum);
  },
};

/** Words of 32 bits into a double, whose 53 bits put the carries off. */
const WORDS: ChecksumTwin = {
  name: "js Uint32Array deferred carry",
  sum({ words }, at, bytes) {
    let total = 0;
    const end = (at + bytes) >>> 2;
    for (let i = at >>> 2; i < end;) {
      const stop = Math.min(end, i + DOUBLE_WORDS);
      let sum = 0;
      for (; i < stop; i++) sum += words[i] ?? 0;
      total = fold(total + sum);
    }
    return swapped(total);
  },
  copySum({ words }, to, from, bytes) {
    let sum = 0;
    const end = (from + bytes) >>> 2;
    const shift = (to - from) >> 2;
    for (let i = from >>> 2; i < end; i++) {
      const word = words[i] ?? 0;
      words[i + shift] = word;
      sum += word;
    }
    return swapped(sum);
  },
};

/** Halves as they lie, eight a turn, in integers of 32 bits; the copy is the engine's own. */
const UNROLLED: ChecksumTwin = {
  name: "js Uint16Array unrolled",
  sum({ halves }, at, bytes) {
    let total = 0;
    const end = (at + bytes) >>> 1;
    for (let i = at >>> 1; i < end;) {
      const stop = Math.min(end, i + INTEGER_HALVES);
      let sum = 0;
      for (; i + 8 <= stop; i += 8) {
        sum = (sum + (halves[i] ?? 0) + (halves[i + 1] ?? 0) + (halves[i + 2] ?? 0) +
          (halves[i + 3] ?? 0) + (halves[i + 4] ?? 0) + (halves[i + 5] ?? 0) +
          (halves[i + 6] ?? 0) + (halves[i + 7] ?? 0)) | 0;
      }
      for (; i < stop; i++) sum = (sum + (halves[i] ?? 0)) | 0;
      total += sum;
    }
    return swapped(total);
  },
  copySum(spans, to, from, bytes) {
    spans.bytes.copyWithin(to, from, from + bytes);
    return UNROLLED.sum(spans, from, bytes);
  },
};

/** Of the checksum. */
export const CHECKSUM_TWINS: readonly ChecksumTwin[] = [DATA_VIEW, WORDS, UNROLLED];

/** Comparisons of sequence numbers, modulo 2^32: a comes after b. RFC 9293 section 3.4. */
export const AFTER_TWINS: readonly {
  readonly name: string;
  readonly after: (a: number, b: number) => boolean;
}[] = [
  { name: "js signed difference", after: (a, b) => ((a - b) | 0) > 0 },
  { name: "js unsigned difference", after: (a, b) => ((a - b - 1) >>> 0) < 0x7fff_ffff },
  {
    name: "js comparison of doubles",
    after: (a, b) => a > b ? a - b < 0x8000_0000 : b - a > 0x8000_0000,
  },
];

/** First test of a segment. RFC 9293 section 3.10.7.4, table 6. */
export interface AcceptanceTwin {
  readonly name: string;
  readonly isAcceptable: (seq: number, length: number, next: number, window: number) => boolean;
}

function isInWindow(seq: number, next: number, window: number): boolean {
  return ((seq - next) >>> 0) < window;
}

/** Of acceptance. */
export const ACCEPTANCE_TWINS: readonly AcceptanceTwin[] = [
  {
    name: "js table",
    isAcceptable(seq, length, next, window) {
      if (length === 0) return window === 0 ? seq === next : isInWindow(seq, next, window);
      if (window === 0) return false;
      return isInWindow(seq, next, window) || isInWindow(seq + length - 1, next, window);
    },
  },
  {
    name: "js offsets",
    isAcceptable(seq, length, next, window) {
      const first = (seq - next) >>> 0;
      if (first < window) return true;
      if (length === 0) return window === 0 && first === 0;
      return ((first + length - 1) >>> 0) < window;
    },
  },
  {
    name: "js signed",
    isAcceptable(seq, length, next, window) {
      const first = (seq - next) | 0;
      const last = (first + Math.max(length, 1) - 1) | 0;
      if (window === 0) return length === 0 && first === 0;
      return (first >= 0 && first < window) || (last >= 0 && last < window);
    },
  },
];

/** Puts texts that come out of order into a ring. */
export interface ReassemblyTwin {
  readonly name: string;
  /** @param ring Its size is a power of two. */
  make(ring: Uint8Array): {
    /** Places a text at an offset of the stream. @returns Bytes that are in order from the stream's start. */
    place(offset: number, text: Uint8Array): number;
    /** Begins a new stream at offset 0. */
    reset(): void;
  };
}

/** Copies text around the ring's end. */
function copyIn(ring: Uint8Array, offset: number, text: Uint8Array): void {
  const at = offset & (ring.length - 1);
  const first = Math.min(text.length, ring.length - at);
  if (first === text.length) {
    ring.set(text, at);
    return;
  }
  ring.set(text.subarray(0, first), at);
  ring.set(text.subarray(first), 0);
}

/** Ranges as objects in a sorted array. */
const OBJECTS: ReassemblyTwin = {
  name: "js sorted objects",
  make(ring) {
    let next = 0;
    let ranges: { start: number; end: number }[] = [];
    return {
      place(offset, text) {
        copyIn(ring, offset, text);
        const range = { start: offset, end: offset + text.length };
        const rest = [];
        for (const other of ranges) {
          if (other.end < range.start || other.start > range.end) rest.push(other);
          else {
            range.start = Math.min(range.start, other.start);
            range.end = Math.max(range.end, other.end);
          }
        }
        if (range.start <= next) next = Math.max(next, range.end);
        else rest.push(range);
        ranges = rest.sort((a, b) => a.start - b.start);
        return next;
      },
      reset() {
        next = 0;
        ranges = [];
      },
    };
  },
};

/** Ranges in an array of numbers, merged in place. */
const NUMBERS: ReassemblyTwin = {
  name: "js ranges in Float64Array",
  make(ring) {
    const starts = new Float64Array(64);
    const ends = new Float64Array(64);
    let count = 0;
    let next = 0;
    const remove = (first: number, last: number): void => {
      starts.copyWithin(first, last, count);
      ends.copyWithin(first, last, count);
      count -= last - first;
    };
    return {
      place(offset, text) {
        copyIn(ring, offset, text);
        let start = offset;
        let end = offset + text.length;
        let first = 0;
        while (first < count && (ends[first] ?? 0) < start) first++;
        let last = first;
        while (last < count && (starts[last] ?? 0) <= end) last++;
        if (last > first) {
          start = Math.min(start, starts[first] ?? 0);
          end = Math.max(end, ends[last - 1] ?? 0);
        }
        remove(first, last);
        if (start <= next) {
          next = Math.max(next, end);
          return next;
        }
        starts.copyWithin(first + 1, first, count);
        ends.copyWithin(first + 1, first, count);
        starts[first] = start;
        ends[first] = end;
        count++;
        return next;
      },
      reset() {
        count = 0;
        next = 0;
      },
    };
  },
};

/** Whole texts in a map by their offset. */
const BY_OFFSET: ReassemblyTwin = {
  name: "js Map by offset",
  make(ring) {
    const ends = new Map<number, number>();
    let next = 0;
    return {
      place(offset, text) {
        copyIn(ring, offset, text);
        ends.set(offset, offset + text.length);
        for (let end = ends.get(next); end !== undefined; end = ends.get(next)) {
          ends.delete(next);
          next = end;
        }
        return next;
      },
      reset() {
        ends.clear();
        next = 0;
      },
    };
  },
};

/** Of reassembly. */
export const REASSEMBLY_TWINS: readonly ReassemblyTwin[] = [OBJECTS, NUMBERS, BY_OFFSET];
