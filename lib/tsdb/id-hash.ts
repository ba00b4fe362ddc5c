/** A hash of numbers of 32 bits, one after the other, that stand for texts. */
export class IdHash {
  #a = 0;
  #b = 0;

  begin(): void {
    this.#a = 0x811c9dc5 | 0;
    this.#b = 0x9e3779b1 | 0;
  }

  add(id: number): void {
    const a = Math.imul(this.#a ^ id, 0x85ebca6b);
    this.#a = a ^ (a >>> 15);
    this.#b = Math.imul(this.#b + id, 0x9e3779b1) ^ (a >>> 13);
  }

  /** 53 bits. */
  get value(): number {
    return (this.#a >>> 0) * 2 ** 21 + (this.#b >>> 11);
  }
}
