const TWO_32 = 2 ** 32;
const MAX_VARINT_BYTES = 10;

/**
 * Walks the fields of one record. Nothing is read or allocated beyond the record's end: there, and where a length cannot
 * be, `failed` is set and fields read as 0. Integers are JavaScript numbers; above 2^53 they are rounded, so who needs
 * them exact asks `Number.isSafeInteger`.
 */
export class RecordReader {
  readonly #bytes: Buffer;
  #at = 0;
  failed = false;

  constructor(record: Uint8Array) {
    this.#bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  }

  /** Whether another field can be read: false at the end and after a failure. */
  get hasMore(): boolean {
    return !this.failed && this.#at < this.#bytes.length;
  }

  /** How many bytes were read. */
  get position(): number {
    return this.#at;
  }

  byte(): number {
    return this.#take(1) ? this.#bytes[this.#at - 1]! : 0;
  }

  uint64(): number {
    if (!this.#take(8)) return 0;
    return this.#bytes.readUInt32BE(this.#at - 8) * TWO_32 + this.#bytes.readUInt32BE(this.#at - 4);
  }

  uint32(): number {
    return this.#take(4) ? this.#bytes.readUInt32BE(this.#at - 4) : 0;
  }

  int64(): number {
    if (!this.#take(8)) return 0;
    return this.#bytes.readInt32BE(this.#at - 8) * TWO_32 + this.#bytes.readUInt32BE(this.#at - 4);
  }

  float64(): number {
    return this.#take(8) ? this.#bytes.readDoubleBE(this.#at - 8) : 0;
  }

  uvarint(): number {
    const bytes = this.#bytes;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < MAX_VARINT_BYTES && this.#at < bytes.length; i++) {
      const byte = bytes[this.#at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (i === MAX_VARINT_BYTES - 1 && byte > 1) break;
        return value;
      }
      scale *= 128;
    }
    this.failed = true;
    return 0;
  }

  /** Zigzag. */
  varint(): number {
    const at = this.#at;
    this.uvarint();
    if (this.failed) return 0;
    // The sign is the lowest bit, which a rounded number would have lost: it is taken from the first byte.
    const first = this.#bytes[at]!;
    const magnitude = first < 0x80 ? first >>> 1 : this.#magnitude(at);
    return (first & 1) === 0 ? magnitude : -magnitude - 1;
  }

  /** A count of things that take at least `itemBytes` each: more than can still come, or than `most`, is a failure. */
  count(itemBytes: number, most = Infinity): number {
    const count = this.uvarint();
    if (count <= most && count * itemBytes <= this.#bytes.length - this.#at) return count;
    this.failed = true;
    return 0;
  }

  /** Length and UTF-8 bytes. */
  text(): string {
    const length = this.count(1);
    this.#at += length;
    return length === 0 ? '' : this.#bytes.toString('utf8', this.#at - length, this.#at);
  }

  /** Passes over a text. */
  skipText(): void {
    const length = this.count(1);
    this.#at += length;
  }

  /** The varint that begins at `at`, without its lowest bit. */
  #magnitude(at: number): number {
    const bytes = this.#bytes;
    let value = (bytes[at]! & 0x7f) >>> 1;
    for (let scale = 64; bytes[at++]! >= 0x80; scale *= 128) value += (bytes[at]! & 0x7f) * scale;
    return value;
  }

  #take(length: number): boolean {
    if (this.failed || this.#at + length > this.#bytes.length) {
      this.failed = true;
      return false;
    }
    this.#at += length;
    return true;
  }
}
