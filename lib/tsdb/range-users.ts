/**
 * Who uses a range of times of the head at this moment: queriers that read it, appenders that may still write to it. What is
 * in use is not taken away (`WaitForPendingReadersInTimeRange`, `WaitForAppendersOverlapping` of tsdb/head.go).
 */
export class RangeUsers {
  readonly #users = new Set<{ readonly fromMs: number }>();
  #waiting: { readonly users: Set<object>; readonly resolve: () => void }[] = [];

  get size(): number {
    return this.#users.size;
  }

  /**
   * @param fromMs the first time that the user may touch
   * @returns the way out; taking it twice does no harm
   */
  enter(fromMs: number): () => void {
    const user = { fromMs };
    this.#users.add(user);
    return () => {
      if (!this.#users.delete(user)) return;
      this.#waiting = this.#waiting.filter(({ users, resolve }) => {
        users.delete(user);
        if (users.size > 0) return true;
        resolve();
        return false;
      });
    };
  }

  /** Resolves when those who are in now and may touch times before `beforeMs` have left. Who enters later is not waited for. */
  left(beforeMs = Infinity): Promise<void> {
    const users = new Set<object>();
    for (const user of this.#users) if (user.fromMs < beforeMs) users.add(user);
    if (users.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ users, resolve }));
  }
}
