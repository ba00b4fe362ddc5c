import { isUtf8 } from 'node:buffer';
import { PromletError } from '../model/index.ts';

/** Protobuf wire types; 3 and 4 (groups) are refused. */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const TWO_32 = 4_294_967_296;

/**
 * Reads protobuf from bytes of unknown origin: every length is checked against the enclosing message, integers above 2^53
 * are refused rather than rounded. Written by hand because a library decodes whole messages into objects, and here
 * chunks stay undecoded slices; the six messages of remote read need no more than this.
 *
 * @throws PromletError `remote/bad-protobuf` from every method, naming the message and the offset
 */
export class ProtoReader {
  readonly bytes: Buffer;
  /** Next byte to read. */
  position: number;
  /** End of the current message; `position` never passes it. */
  end: number;
  readonly #view: DataView;
  readonly #what: string;

  /** @param what the outermost message, for errors */
  constructor(bytes: Uint8Array, what: string) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = 0;
    this.end = bytes.byteLength;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  get more(): boolean {
    return this.position < this.end;
  }

  /** The next field's key: field number × 8 + wire type. */
  key(): number {
    const key = this.uvarint();
    if (key < 8 || key >= TWO_32) this.fail(`field key ${key}`);
    return key;
  }

  /** An unsigned integer of at most 2^53. */
  uvarint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.position >= this.end) this.fail('cut off inside a varint');
      const byte = this.bytes[this.position++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) this.fail('an integer above 2^53');
        return value;
      }
      scale *= 128;
    }
    return this.fail('a varint of more than ten bytes');
  }

  /** A proto3 `int64`. Beyond ±2^53 it is refused. */
  int64(): number {
    const value = this.int64Clamped();
    if (Math.abs(value) >= Number.MAX_SAFE_INTEGER) this.fail('an integer beyond ±2^53');
    return value;
  }

  /** A proto3 `int64` that is a bound of a range: beyond ±2^53 it means "no bound" and becomes ±(2^53 - 1). */
  int64Clamped(): number {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.position >= this.end) this.fail('cut off inside a varint');
      const byte = this.bytes[this.position++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (byte < 0x80) {
        const value = high * TWO_32 + (low >>> 0);
        return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value));
      }
    }
    return this.fail('a varint of more than ten bytes');
  }

  double(): number {
    if (this.position + 8 > this.end) this.fail('cut off inside a double');
    const value = this.#view.getFloat64(this.position, true);
    this.position += 8;
    return value;
  }

  /** Skips a length-delimited field and returns its end; it began at `end - length`. */
  enter(): number {
    const length = this.uvarint();
    const outerEnd = this.end;
    if (length > outerEnd - this.position) {
      this.fail(`a field of ${length} bytes where ${outerEnd - this.position} are left`);
    }
    this.end = this.position + length;
    return outerEnd;
  }

  /** Goes on behind the message that `enter` opened, with what it returned. */
  leave(outerEnd: number): void {
    this.position = this.end;
    this.end = outerEnd;
  }

  /** The content of a length-delimited field, not copied. */
  slice(): Uint8Array {
    const outerEnd = this.enter();
    const slice = this.bytes.subarray(this.position, this.end);
    this.leave(outerEnd);
    return slice;
  }

  /** Invalid UTF-8 is refused: replacing it could make two label sets equal. */
  string(): string {
    const outerEnd = this.enter();
    const text = this.bytes.toString('utf8', this.position, this.end);
    if (text.includes('\ufffd') && !isUtf8(this.bytes.subarray(this.position, this.end))) {
      this.fail('a string that is not UTF-8');
    }
    this.leave(outerEnd);
    return text;
  }

  /** Skips the value of a field that is not known here. */
  skip(key: number): void {
    switch (key & 7) {
      case WireType.varint:
        this.int64Clamped();
        return;
      case WireType.fixed64:
        this.#advance(8);
        return;
      case WireType.bytes:
        this.leave(this.enter());
        return;
      case WireType.fixed32:
        this.#advance(4);
        return;
      default:
        this.fail(`wire type ${key & 7}`);
    }
  }

  fail(problem: string): never {
    throw new PromletError('remote/bad-protobuf', `${this.#what}: ${problem} at byte ${this.position}`);
  }

  #advance(count: number): void {
    if (count > this.end - this.position) this.fail('cut off inside a field');
    this.position += count;
  }
}
