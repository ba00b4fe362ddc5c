/** The text that was read last, as bytes, for the next to be compared with: sorted texts are checked so without a string each. */
export class LastText {
  #bytes = Buffer.alloc(256);
  /** -1 before the first. */
  #length = -1;

  /**
   * Takes a text in the place of the last.
   * @returns its order by UTF-8 bytes: positive when it is behind the last or the first at all, 0 when it is the same
   */
  replace(bytes: Uint8Array, start: number, length: number): number {
    const last = this.#bytes;
    const common = Math.min(length, this.#length);
    let same = 0;
    while (same < common && last[same] === bytes[start + same]) same++;
    const order = same < common ? bytes[start + same]! - last[same]! : length - this.#length;
    if (length > last.length) this.#bytes = Buffer.alloc(length * 2);
    for (let i = length > last.length ? 0 : same; i < length; i++) this.#bytes[i] = bytes[start + i]!;
    this.#length = length;
    return order;
  }

  /** The next is the first again. */
  forget(): void {
    this.#length = -1;
  }

  toString(): string {
    return this.#bytes.toString('utf8', 0, this.#length);
  }
}
