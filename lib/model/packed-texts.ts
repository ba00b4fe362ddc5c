/** Many texts as their UTF-8 bytes, one behind the other: no string is made of one that is only handed on. */
export class PackedTexts implements Iterable<string> {
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

  at(i: number): string {
    const { bytes, ends } = this;
    return Buffer.from(bytes.buffer, bytes.byteOffset).toString('utf8', ends[i - 1] ?? 0, ends[i]);
  }

  /** The first of them; a view. */
  first(count: number): PackedTexts {
    return count >= this.length ? this : new PackedTexts(this.bytes, this.ends.subarray(0, count));
  }

  *[Symbol.iterator](): Generator<string, void, undefined> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }
}
