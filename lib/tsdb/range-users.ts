export interface RangeUser {
  /** The first time that it may touch. */
  readonly fromMs: number;
}

/**
 * Who uses a range of times of the head at this moment: queriers that read it, appenders that may still write to it. What is
 * in use is not taken away (`WaitForPendingReadersInTimeRange`, `WaitForAppendersOverlapping` of tsdb/head.go).
 */
export class RangeUsers<User extends RangeUser = RangeUser> {
  readonly #users = new Set<User>();
  #waiting: { readonly users: Set<User>; readonly resolve: () => void }[] = [];

  [Symbol.iterator](): IterableIterator<User> {
    return this.#users.values();
  }

  enter(user: User): void {
    this.#users.add(user);
  }

  /** Leaving twice does no harm. */
  leave(user: User): void {
    if (!this.#users.delete(user) || this.#waiting.length === 0) return;
    this.#waiting = this.#waiting.filter(({ users, resolve }) => {
      users.delete(user);
      if (users.size > 0) return true;
      resolve();
      return false;
    });
  }

  /** Resolves when those who are in now and may touch times before `beforeMs` have left. Who enters later is not waited for. */
  left(beforeMs = Infinity): Promise<void> {
    const users = new Set<User>();
    for (const user of this.#users) if (user.fromMs < beforeMs) users.add(user);
    if (users.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ users, resolve }));
  }
}
