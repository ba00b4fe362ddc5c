import { MemoryBudget, type MemoryShare } from '../promql/index.ts';

/**
 * Memory for all requests that are answered on one thread, by estimate. Where they are answered on threads of their own those
 * share a `MemoryPool`.
 */
export class RequestMemory {
  readonly #maxBytes: number;
  readonly maxTotalBytes: number;
  #takenBytes = 0;

  /** @param maxBytes of one request */
  constructor(maxBytes: number, maxTotalBytes: number) {
    this.#maxBytes = maxBytes;
    this.maxTotalBytes = maxTotalBytes;
  }

  /** By all requests that are open. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** For one request; what it took at the most is taken until `close`. */
  open(): { readonly budget: MemoryBudget; readonly close: () => void } {
    let ownBytes = 0;
    const share: MemoryShare = {
      maxBytes: this.maxTotalBytes,
      cover: (bytes) => {
        if (this.#takenBytes - ownBytes + bytes > this.maxTotalBytes) return false;
        this.#takenBytes += bytes - ownBytes;
        ownBytes = bytes;
        return true;
      },
    };
    const close = (): void => {
      this.#takenBytes -= ownBytes;
      ownBytes = 0;
    };
    return { budget: new MemoryBudget({ maxBytes: this.#maxBytes, pool: share }), close };
  }
}
