import type { Kernels } from '../../kernels/index.ts';
import {
  FRAGMENT_FIRST,
  FRAGMENT_FULL,
  FRAGMENT_HEADER_BYTES,
  FRAGMENT_LAST,
  FRAGMENT_MIDDLE,
  framedBytes,
  PAGE_BYTES,
} from './format.ts';

/** Cuts records into fragments, in a buffer in the arena that is written as one piece. */
export class Framer {
  readonly #kernels: Kernels;
  #buffer: number;
  #capacity: number;
  #length = 0;
  /** Where in its page the next byte will lie. */
  #pagePosition = 0;

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
    this.#capacity = kernels.arena.capacityOf(64 << 10);
    this.#buffer = kernels.arena.allocate(this.#capacity);
  }

  get length(): number {
    return this.#length;
  }

  get bytes(): Uint8Array {
    return this.#kernels.arena.u8.subarray(this.#buffer, this.#buffer + this.#length);
  }

  /** Begins anew, for bytes that will be written at `fileOffset`. */
  begin(fileOffset: number): void {
    this.#length = 0;
    this.#pagePosition = fileOffset % PAGE_BYTES;
  }

  /** Adds the record of `length` bytes at `address`, as stored: compressed if `flags` say so. */
  add(address: number, length: number, flags: number): void {
    this.#reserve(framedBytes(length));
    const { wasm, arena } = this.#kernels;
    const { u8 } = arena;
    let done = 0;
    // Counted, because a first fragment may hold no data when seven bytes are left in its page.
    let fragments = 0;
    do {
      let room = PAGE_BYTES - this.#pagePosition;
      if (room < FRAGMENT_HEADER_BYTES) {
        u8.fill(0, this.#buffer + this.#length, this.#buffer + this.#length + room);
        this.#length += room;
        this.#pagePosition = 0;
        room = PAGE_BYTES;
      }
      const part = Math.min(length - done, room - FRAGMENT_HEADER_BYTES);
      const first = fragments++ === 0;
      const last = done + part === length;
      const type = first ? (last ? FRAGMENT_FULL : FRAGMENT_FIRST) : last ? FRAGMENT_LAST : FRAGMENT_MIDDLE;
      const at = this.#buffer + this.#length;
      const crc = wasm.crc32c(0, address + done, part);
      u8[at] = type | flags;
      u8[at + 1] = part >>> 8;
      u8[at + 2] = part;
      u8[at + 3] = crc >>> 24;
      u8[at + 4] = crc >>> 16;
      u8[at + 5] = crc >>> 8;
      u8[at + 6] = crc;
      u8.copyWithin(at + FRAGMENT_HEADER_BYTES, address + done, address + done + part);
      this.#length += FRAGMENT_HEADER_BYTES + part;
      this.#pagePosition += FRAGMENT_HEADER_BYTES + part;
      done += part;
    } while (done < length);
  }

  release(): void {
    this.#kernels.arena.free(this.#buffer, this.#capacity);
    this.#capacity = 0;
  }

  #reserve(extra: number): void {
    const needed = this.#length + extra;
    if (needed <= this.#capacity) return;
    const { arena } = this.#kernels;
    const capacity = arena.capacityOf(Math.max(needed, this.#capacity * 2));
    const buffer = arena.allocate(capacity);
    arena.u8.copyWithin(buffer, this.#buffer, this.#buffer + this.#length);
    arena.free(this.#buffer, this.#capacity);
    this.#buffer = buffer;
    this.#capacity = capacity;
  }
}
