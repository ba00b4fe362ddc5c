import type { Piece } from '../../lib/api/query/index.ts';

/** The pieces of one answer as they come; each is asked for when the one before is taken. */
export class Pieces implements AsyncIterable<Piece> {
  readonly #more: () => void;
  readonly #waiting: Piece[] = [];
  #last = false;
  #error: Error | undefined;
  #arrived: (() => void) | undefined;

  constructor(more: () => void) {
    this.#more = more;
  }

  push(piece: Piece, last: boolean): void {
    this.#waiting.push(piece);
    this.#last = last;
    this.#arrived?.();
  }

  fail(error: Error): void {
    this.#error = error;
    this.#arrived?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Piece> {
    for (;;) {
      const piece = this.#waiting.shift();
      if (piece !== undefined) {
        const isLast = this.#last && this.#waiting.length === 0;
        if (!isLast) this.#more();
        yield piece;
        if (isLast) return;
      } else if (this.#error !== undefined) {
        throw this.#error;
      } else {
        await new Promise<void>((resolve) => (this.#arrived = resolve));
      }
    }
  }
}
