import { isAscii } from 'node:buffer';

/** Many texts as their UTF-8 bytes, one behind the other: no string is made of one that is only handed on. */
export class PackedTexts {
  readonly bytes: Uint8Array;
  /** Where each ends, which is where the next begins. */
  readonly ends: Uint32Array;

  constructor(bytes: Uint8Array, ends: Uint32Array) {
    this.bytes = bytes;
    this.ends = ends;
  }

  get length(): number {
    return this.ends.length;
  }

  get byteLength(): number {
    return this.bytes.byteLength + this.ends.byteLength;
  }

  at(i: number): string {
    return this.#buffer.toString('utf8', this.ends[i - 1] ?? 0, this.ends[i]);
  }

  /** The first of them; a view. */
  first(count: number): PackedTexts {
    return count >= this.length ? this : new PackedTexts(this.bytes, this.ends.subarray(0, count));
  }

  /** Cut from one string where they can be, which takes a quarter of the time of making each. */
  strings(): string[] {
    if (!isAscii(this.bytes)) return Array.from(this.ends, (_, i) => this.at(i));
    const text = this.#buffer.toString('latin1');
    return Array.from(this.ends, (end, i) => text.slice(this.ends[i - 1] ?? 0, end));
  }

  get #buffer(): Buffer {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }
}
