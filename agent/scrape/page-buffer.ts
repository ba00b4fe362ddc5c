import type { SharedArena } from '../../lib/kernels/index.ts';
import { PromletError } from '../../lib/model/index.ts';

/** Behind the body: the closing line feed, and what kernels may read ahead. */
const SLACK_BYTES = 32;
/** A read is offered at least this much room. */
const MIN_ROOM_BYTES = 16 * 1024;

/** A body being received, in the shared memory. Whoever holds it calls `release` once. */
export class PageBuffer {
  readonly #arena: SharedArena;
  readonly #limitBytes: number;
  address = 0;
  length = 0;
  #capacity = 0;

  /** @param limitBytes of the body; 0 is "none" */
  constructor(arena: SharedArena, limitBytes: number) {
    this.#arena = arena;
    this.#limitBytes = limitBytes;
  }

  /** Bytes [length, …) for the next read, at least MIN_ROOM_BYTES unless less was reserved exactly. */
  room(): Uint8Array {
    return this.#arena.u8.subarray(this.address + this.length, this.address + this.#capacity);
  }

  /** @throws PromletError `scrape/body-size-limit` */
  reserve(totalBytes: number): void {
    this.#check(totalBytes);
    if (totalBytes > this.#capacity) this.#grow(totalBytes);
  }

  /**
   * Makes room for a body of so many bytes, and for one more: a read that fills its room is followed by another, which finds
   * nothing. @throws PromletError `scrape/body-size-limit`
   */
  reserveAll(bodyBytes: number): void {
    this.#check(bodyBytes);
    if (bodyBytes + 1 > this.#capacity) this.#grow(bodyBytes + 1);
  }

  /** Makes room for a read of unknown size. */
  reserveRead(): void {
    if (this.#capacity - this.length < MIN_ROOM_BYTES) this.#grow(Math.max(this.#capacity * 2, 4 * MIN_ROOM_BYTES));
  }

  /** Appends bytes, wherever they are; those that already lie in place are only counted. */
  append(bytes: Uint8Array): void {
    this.reserve(this.length + bytes.length);
    const to = this.address + this.length;
    if (bytes.buffer !== this.#arena.memory.buffer || bytes.byteOffset !== to) this.#arena.u8.set(bytes, to);
    this.length += bytes.length;
  }

  bytes(): Uint8Array {
    return this.#arena.u8.subarray(this.address, this.address + this.length);
  }

  /** Ends the page with a line feed, as parser and kernel want it. */
  seal(): void {
    if (this.#capacity === 0) this.#grow(0);
    this.#arena.u8[this.address + this.length++] = 0x0a;
  }

  release(): void {
    if (this.#capacity > 0) this.#arena.free(this.address, this.#capacity + SLACK_BYTES);
    this.#capacity = 0;
    this.length = 0;
  }

  #check(totalBytes: number): void {
    if (this.#limitBytes > 0 && totalBytes > this.#limitBytes) {
      throw new PromletError('scrape/body-size-limit', 'body size limit exceeded');
    }
  }

  #grow(minCapacity: number): void {
    // Never 0, which stands for "no block". A block is given back with the size it was asked for.
    const capacity = Math.max(minCapacity, 1);
    const address = this.#arena.allocate(capacity + SLACK_BYTES);
    this.#arena.u8.copyWithin(address, this.address, this.address + this.length);
    if (this.#capacity > 0) this.#arena.free(this.address, this.#capacity + SLACK_BYTES);
    this.address = address;
    this.#capacity = capacity;
  }
}
