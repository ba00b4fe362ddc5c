import type { Piece } from '../../lib/api/query/index.ts';

export interface PiecesOptions {
  /** A piece is taken, and the one before it is done with: one more may come. */
  readonly onTaken: () => void;
  /** None is needed any more where it lies. */
  readonly onAllTaken: () => void;
}

/** The pieces of one answer as they come. Each stays as it is until the next is asked for. */
export class Pieces implements AsyncIterable<Piece> {
  readonly #options: PiecesOptions;
  readonly #waiting: Uint8Array[] = [];
  #last = false;
  #error: Error | undefined;
  #arrived: (() => void) | undefined;

  constructor(options: PiecesOptions) {
    this.#options = options;
  }

  push(piece: Uint8Array, last: boolean): void {
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
        if (this.#last && this.#waiting.length === 0) {
          const copy = piece.slice();
          this.#options.onAllTaken();
          yield copy;
          return;
        }
        this.#options.onTaken();
        yield piece;
      } else if (this.#error !== undefined) {
        throw this.#error;
      } else {
        await new Promise<void>((resolve) => (this.#arrived = resolve));
      }
    }
  }
}
