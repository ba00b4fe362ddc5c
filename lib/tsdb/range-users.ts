/**
 * Who uses a range of times of the head at this moment: queriers that read it, appenders that may still write to it. What is
 * in use is not taken away (`WaitForPendingReadersInTimeRange`, `WaitForAppendersOverlapping` of tsdb/head.go).
 */
export class RangeUsers {
  /** Per user, the first time that it may touch, ms. */
  readonly #open = new Map<symbol, number>();
  #waiting: { readonly beforeMs: number; readonly resolve: () => void }[] = [];

  get size(): number {
    return this.#open.size;
  }

  /** @returns the way out; taking it twice does no harm */
  enter(fromMs: number): () => void {
    const user = Symbol();
    this.#open.set(user, fromMs);
    return () => {
      if (!this.#open.delete(user)) return;
      this.#waiting = this.#waiting.filter(({ beforeMs, resolve }) => {
        if (this.#uses(beforeMs)) return true;
        resolve();
        return false;
      });
    };
  }

  /** Resolves when nobody uses times before `beforeMs`. Let nobody new in who would: it would be waited for, too. */
  drained(beforeMs: number): Promise<void> {
    if (!this.#uses(beforeMs)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ beforeMs, resolve }));
  }

  #uses(beforeMs: number): boolean {
    for (const fromMs of this.#open.values()) if (fromMs < beforeMs) return true;
    return false;
  }
}
