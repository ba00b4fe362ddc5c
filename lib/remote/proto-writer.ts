import { assert, isStaleNaN, STALE_NAN_HIGH, STALE_NAN_LOW } from '../model/index.ts';
import { WireType } from './proto-reader.ts';

const TWO_32 = 4_294_967_296;
const MAX_VARINT_BYTES = 10;

/**
 * Appends protobuf to a growing buffer. A nested message is written to a writer of its own and embedded with `message`,
 * so lengths are known when they are written. Fields with their default value are left out, as proto3 does.
 */
export class ProtoWriter {
  length = 0;
  #buffer: Buffer;
  #view: DataView;

  constructor(capacityBytes = 1024) {
    this.#buffer = Buffer.allocUnsafeSlow(capacityBytes);
    this.#view = new DataView(this.#buffer.buffer);
  }

  /** What was written; a view that the next write may change. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
  }

  /** Hands over the buffer with what was written, and begins a new one of the same capacity. */
  take(): Uint8Array {
    const taken = this.bytes;
    this.#buffer = Buffer.allocUnsafeSlow(this.#buffer.length);
    this.#view = new DataView(this.#buffer.buffer);
    this.length = 0;
    return taken;
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Four bytes, most significant first. */
  uint32BigEndian(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.length, value);
    this.length += 4;
  }

  uvarint(value: number): void {
    assert(value >= 0 && Number.isSafeInteger(value), 'proto: uvarint out of range');
    this.#reserve(MAX_VARINT_BYTES);
    const buffer = this.#buffer;
    let rest = value;
    while (rest >= 128) {
      buffer[this.length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    buffer[this.length++] = rest;
  }

  /** An unsigned field, written even when it is 0. */
  uint64(field: number, value: number): void {
    this.#key(field, WireType.varint);
    this.uvarint(value);
  }

  /** A double that is written even when it is 0, as a member of a oneof must be. */
  fixedDouble(field: number, value: number): void {
    if (!Object.is(value, 0)) {
      this.double(field, value);
      return;
    }
    this.#key(field, WireType.fixed64);
    this.#reserve(8);
    this.#view.setFloat64(this.length, 0);
    this.length += 8;
  }

  /** A proto3 `int64` field; negative numbers take ten bytes. */
  int64(field: number, value: number): void {
    if (value === 0) return;
    assert(Number.isSafeInteger(value), 'proto: int64 out of range');
    this.#key(field, WireType.varint);
    if (value > 0) {
      this.uvarint(value);
      return;
    }
    this.#reserve(MAX_VARINT_BYTES);
    const buffer = this.#buffer;
    let low = (value % TWO_32) >>> 0;
    let high = Math.floor(value / TWO_32) >>> 0;
    for (let i = 0; i < MAX_VARINT_BYTES - 1; i++) {
      buffer[this.length++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    buffer[this.length++] = low & 1;
  }

  /** The stale marker is written with its exact bits, whatever the engine made of them. */
  double(field: number, value: number): void {
    if (Object.is(value, 0)) return;
    this.#key(field, WireType.fixed64);
    this.#reserve(8);
    if (isStaleNaN(value)) {
      this.#view.setUint32(this.length, STALE_NAN_LOW, true);
      this.#view.setUint32(this.length + 4, STALE_NAN_HIGH, true);
    } else {
      this.#view.setFloat64(this.length, value, true);
    }
    this.length += 8;
  }

  string(field: number, text: string): void {
    if (text === '') return;
    this.#key(field, WireType.bytes);
    const byteLength = Buffer.byteLength(text);
    this.uvarint(byteLength);
    this.#reserve(byteLength);
    this.#buffer.write(text, this.length, 'utf8');
    this.length += byteLength;
  }

  /** A length-delimited field; written even when empty. */
  message(field: number, content: Uint8Array): void {
    this.#key(field, WireType.bytes);
    this.uvarint(content.length);
    this.raw(content);
  }

  /** What `content` holds, as a length-delimited field; spares the view that `message` would need. */
  embed(field: number, content: ProtoWriter): void {
    this.#key(field, WireType.bytes);
    this.uvarint(content.length);
    this.append(content);
  }

  append(content: ProtoWriter): void {
    this.#reserve(content.length);
    content.#buffer.copy(this.#buffer, this.length, 0, content.length);
    this.length += content.length;
  }

  #key(field: number, wireType: number): void {
    this.uvarint(field * 8 + wireType);
  }

  #reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    grown.set(this.bytes);
    this.#buffer = grown;
    this.#view = new DataView(grown.buffer);
  }
}
