import { type KernelExports, threadKernels } from '../kernels/index.ts';
import type { Labels, PackedTexts } from '../model/index.ts';
import { stringJson } from './json-strings.ts';
import type { Piece } from './respond.ts';

/** A piece of this size is full. */
const PIECE_BYTES = 128 * 1024;
/** So much more is room for what is written before anybody asks. */
const PAGE_BYTES = PIECE_BYTES + 64 * 1024;
/** Shorter pieces are texts: those cost less to hand on. */
const MIN_BYTES_LENGTH = 4096;
/** How many points are printed at a time, and how long one may be (kernels, `printPoints`). */
const POINTS = 1024;
const POINT_BYTES = 52;
/** How many texts are printed at a time, and their bytes, where the columns of points are. */
const TEXTS = 1024;
const TEXTS_BYTES = POINTS * 8;
/** Always free at the end of the page: more than a number takes, than is written over behind it, and some punctuation. */
const SPARE_BYTES = 256;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const FIRST_PRINTABLE = 0x20;
const LAST_PRINTABLE = 0x7e;

/** Memory that the answers of a thread are written in, each in its turn: who waits has taken what it wrote. */
interface Page {
  readonly wasm: KernelExports;
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  /** Columns of the points that are printed. */
  readonly times: number;
  readonly values: number;
}

let pageOfThread: Page | undefined;

function createPage(): Page {
  const { arena, wasm } = threadKernels();
  const start = arena.allocate(PAGE_BYTES);
  const times = arena.allocate(2 * POINTS * 8);
  // Where the memory grows these views do not, and the page stays in them.
  const { u8, u32, f64, buffer } = arena;
  return {
    wasm,
    u8,
    u32,
    f64,
    buffer,
    start,
    end: start + PAGE_BYTES - SPARE_BYTES,
    times,
    values: times + POINTS * 8,
  };
}

/**
 * Writes JSON as UTF-8 bytes. A thread may have several of them, but all write to one place: before another has its turn,
 * what was written must be taken. What was taken stays until the same writer is written to again.
 */
export class JsonWriter {
  readonly #page: Page = (pageOfThread ??= createPage());
  #at = this.#page.start;
  /** What the page had no room for, and what it held before. */
  #spilled: Uint8Array[] = [];
  /** All full pieces are copied to: memory for each would be new to the process, which costs three times the copying. */
  #taken: Uint8Array | undefined;

  /** It is time to take what was written. */
  get isFull(): boolean {
    return this.#at - this.#page.start >= PIECE_BYTES || this.#spilled.length > 0;
  }

  /** All that was written since the last time. */
  take(): Piece {
    const { u8, buffer, start } = this.#page;
    if (this.#spilled.length > 0) {
      this.#spill();
      const whole = Buffer.concat(this.#spilled);
      this.#spilled = [];
      return whole;
    }
    const end = this.#at;
    this.#at = start;
    if (end - start < MIN_BYTES_LENGTH) return buffer.toString('utf8', start, end);
    if (end - start < PIECE_BYTES) return u8.slice(start, end);
    this.#taken ??= new Uint8Array(PAGE_BYTES);
    this.#taken.set(u8.subarray(start, end));
    return this.#taken.subarray(0, end - start);
  }

  /** JSON text as it is. */
  raw(text: string): void {
    if (!this.#hasRoom(text.length)) return this.#utf8(text);
    const { u8 } = this.#page;
    let at = this.#at;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > LAST_PRINTABLE) return this.#utf8(text);
      u8[at++] = code;
    }
    this.#at = at;
  }

  /** As `stringJson`. */
  string(text: string): void {
    if (!this.#hasRoom(text.length)) return this.#utf8(stringJson(text));
    const { u8 } = this.#page;
    let at = this.#at;
    u8[at++] = QUOTE;
    // Texts are short: a call of the engine's own writer costs more than this loop.
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code < FIRST_PRINTABLE || code > LAST_PRINTABLE || code === QUOTE || code === BACKSLASH) {
        return this.#utf8(stringJson(text));
      }
      u8[at++] = code;
    }
    u8[at++] = QUOTE;
    this.#at = at;
  }

  labels({ pairs }: Labels): void {
    this.#byte(OPEN);
    for (let i = 0; i < pairs.length; i += 2) {
      if (i > 0) this.#byte(COMMA);
      this.string(pairs[i]!);
      this.#byte(COLON);
      this.string(pairs[i + 1]!);
    }
    this.#byte(CLOSE);
  }

  /** A float in quotes. */
  float(value: number): void {
    this.#hasRoom(SPARE_BYTES);
    this.#byte(QUOTE);
    this.#at = this.#page.wasm.printFloat(value, this.#at);
    this.#byte(QUOTE);
  }

  /** Milliseconds, as seconds. */
  time(timeMs: number): void {
    this.#hasRoom(SPARE_BYTES);
    this.#at = this.#page.wasm.printTime(timeMs, this.#at);
  }

  /** `[time,"value"]` */
  point(timeMs: number, value: number): void {
    this.#hasRoom(SPARE_BYTES);
    this.#at = this.#page.wasm.printPoint(timeMs, value, this.#at);
  }

  /** Points from one on with commas between them, as many as go at a time. @returns the next to be written */
  points(timestamps: Float64Array, values: Float64Array, from: number): number {
    this.#hasRoom(POINTS * POINT_BYTES);
    const { wasm, f64, times: timesAt, values: valuesAt } = this.#page;
    const to = Math.min(from + POINTS, values.length);
    // Many series are short: a loop is as fast as the engine's copying for long ones, and takes nothing to begin.
    let time = timesAt / 8;
    let value = valuesAt / 8;
    for (let i = from; i < to; i++) {
      f64[time++] = timestamps[i]!;
      f64[value++] = values[i]!;
    }
    const end = wasm.printPoints(timesAt, valuesAt, to - from, this.#at);
    this.#at = to < values.length ? end : end - 1;
    return to;
  }

  /** Texts from one on with commas between them, as many as go at a time. @returns the next to be written */
  texts(texts: PackedTexts, from: number): number {
    const { bytes, ends, length } = texts;
    const start = ends[from - 1] ?? 0;
    let to = Math.min(from + TEXTS, length);
    while (to > from && ends[to - 1]! - start > TEXTS_BYTES) to = from + ((to - from) >>> 1);
    this.#hasRoom(TEXTS_BYTES + 3 * TEXTS);
    const { wasm, u8, u32, times: textsAt, values: endsAt } = this.#page;
    u8.set(bytes.subarray(start, ends[to - 1] ?? start), textsAt);
    u32.set(ends.subarray(from, to), endsAt >>> 2);
    const end = endsAt + TEXTS * 4;
    const next = from + wasm.printTexts(textsAt, start, endsAt, to - from, this.#at, end);
    this.#at = u32[end >>> 2]!;
    if (next === length) this.#at--;
    if (next === to && to > from) return next;
    // One that is long, or is not written as it is.
    this.string(texts.at(next));
    if (next + 1 < length) this.#byte(COMMA);
    return next + 1;
  }

  #byte(code: number): void {
    this.#page.u8[this.#at++] = code;
  }

  #utf8(text: string): void {
    const bytes = Buffer.from(text);
    if (this.#hasRoom(bytes.length)) {
      this.#page.u8.set(bytes, this.#at);
      this.#at += bytes.length;
    } else {
      this.#spill();
      this.#spilled.push(bytes);
    }
  }

  /** Makes room on the page. @returns false when it is too small */
  #hasRoom(sizeBytes: number): boolean {
    const { start, end } = this.#page;
    if (this.#at + sizeBytes <= end) return true;
    if (start + sizeBytes > end) return false;
    this.#spill();
    return true;
  }

  #spill(): void {
    const { u8, start } = this.#page;
    this.#spilled.push(u8.slice(start, this.#at));
    this.#at = start;
  }
}
