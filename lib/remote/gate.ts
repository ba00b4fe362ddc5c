/** Lets at most `width` holders in at a time; the others wait in order (Prometheus `util/gate`). */
export class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(width: number) {
    this.#free = width;
  }

  /** @throws the signal's reason when it aborts while waiting */
  async enter(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(admit), 1);
        reject(signal!.reason as Error);
      };
      const admit = (): void => {
        signal?.removeEventListener('abort', abort);
        resolve();
      };
      this.#waiting.push(admit);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Passes the place on to the longest waiting. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
