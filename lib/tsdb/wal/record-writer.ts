import { Scratch, type SharedArena } from '../../kernels/index.ts';
import { isStaleNaN, STALE_NAN_HIGH, STALE_NAN_LOW } from '../../model/index.ts';

const TWO_32 = 2 ** 32;
/** Integers below it take the fast way through 32-bit operations. */
const SMALL = 2 ** 30;
const MAX_VARINT_BYTES = 10;
const FIRST_CAPACITY_BYTES = 4096;

/** A record grows to about this, then the next begins: one commit does not make one huge record. */
const RECORD_BYTES = 1 << 20;
/** So that replay takes a breath between two records. */
const MAX_ROWS = 1024;

/**
 * Builds one record in the arena, where kernels compress and frame it. Integers are big-endian and varints as Go's
 * encoding/binary has them (tsdb/encoding/encoding.go); all are JavaScript numbers, exact within ±2^53.
 */
export class RecordWriter {
  readonly #arena: SharedArena;
  readonly #block: Scratch;
  #bytes: Buffer = Buffer.alloc(0);
  /** Bytes written since `begin`. */
  length = 0;

  constructor(arena: SharedArena) {
    this.#arena = arena;
    this.#block = new Scratch(arena);
  }

  /** Where the record lies; changes while it grows. */
  get address(): number {
    return this.#block.address;
  }

  /** Starts a record. `type` is one of the RECORD_ constants of format.ts. */
  begin(type: number): void {
    this.length = 0;
    if (this.#block.capacity === 0) this.#grow(FIRST_CAPACITY_BYTES);
    this.byte(type);
  }

  /** Whether a record that has so many rows should get another one. */
  takesRow(rows: number): boolean {
    return rows < MAX_ROWS && this.length < RECORD_BYTES;
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.length++] = value;
  }

  uint32(value: number): void {
    this.#room(4);
    this.length = this.#bytes.writeUInt32BE(value, this.length);
  }

  /** 64 bits; a negative integer as two's complement. */
  int64(value: number): void {
    this.#room(8);
    this.#bytes.writeInt32BE(Math.floor(value / TWO_32) | 0, this.length);
    this.#bytes.writeInt32BE(value | 0, this.length + 4);
    this.length += 8;
  }

  /** The stale marker in its exact bits, whatever engine moved it. */
  float64(value: number): void {
    this.#room(8);
    if (isStaleNaN(value)) {
      this.#bytes.writeUInt32BE(STALE_NAN_HIGH, this.length);
      this.#bytes.writeUInt32BE(STALE_NAN_LOW, this.length + 4);
    } else {
      this.#bytes.writeDoubleBE(value, this.length);
    }
    this.length += 8;
  }

  uvarint(value: number): void {
    this.#room(MAX_VARINT_BYTES);
    this.#putUvarint(value);
  }

  /** Zigzag: 0, -1, 1, -2 … */
  varint(value: number): void {
    this.#room(MAX_VARINT_BYTES);
    if (value < SMALL && value >= -SMALL) {
      this.#putUvarint(((value << 1) ^ (value >> 31)) >>> 0);
      return;
    }
    // The doubled value may not be exact: its lowest bit, the sign, goes out by itself.
    const negative = value < 0 ? 1 : 0;
    const magnitude = negative ? -value - 1 : value;
    this.#bytes[this.length++] = 0x80 | ((magnitude % 64) << 1) | negative;
    this.#putUvarint(Math.floor(magnitude / 64));
  }

  /** Length and UTF-8 bytes. */
  text(value: string): void {
    this.#room(MAX_VARINT_BYTES + value.length * 3);
    this.#putUvarint(Buffer.byteLength(value));
    this.length += this.#bytes.write(value, this.length, 'utf8');
  }

  /** Bytes as they are; they may lie in the arena. */
  bytes(value: Uint8Array): void {
    this.#room(value.length);
    this.#bytes.set(value, this.length);
    this.length += value.length;
  }

  release(): void {
    this.#block.release();
  }

  #putUvarint(value: number): void {
    const bytes = this.#bytes;
    let at = this.length;
    while (value >= TWO_32) {
      bytes[at++] = 0x80 | (value % 128);
      value = Math.floor(value / 128);
    }
    while (value >= 0x80) {
      bytes[at++] = 0x80 | value;
      value >>>= 7;
    }
    bytes[at++] = value;
    this.length = at;
  }

  #room(extra: number): void {
    if (this.length + extra > this.#bytes.length) this.#grow(this.length + extra);
  }

  #grow(sizeBytes: number): void {
    const address = this.#block.grow(sizeBytes, this.length);
    this.#bytes = Buffer.from(this.#arena.memory.buffer, address, this.#block.capacity);
  }
}
