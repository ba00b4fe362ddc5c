import { PromletError } from '../../lib/model/index.ts';

/** Bytes that one query holds at a time, over all agents and selectors. */
export class ByteBudget {
  readonly #limitBytes: number;
  #heldBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** @throws PromletError `federation/too-large`: the whole query fails, no agent is to blame. */
  charge(bytes: number): void {
    this.#heldBytes += bytes;
    if (this.#heldBytes > this.#limitBytes) {
      throw new PromletError(
        'federation/too-large',
        `the query fetches more than ${this.#limitBytes} bytes from the agents; select fewer series or a shorter range`,
      );
    }
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
  }
}
