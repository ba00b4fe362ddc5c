import { assert } from '../../lib/model/index.ts';
import type { Loan, ReadHandle } from '../../lib/tsdb/index.ts';

/** A loan that several threads read, given back by the last of them. */
export class SharedLoan {
  readonly handle: ReadHandle;
  readonly #loan: Loan;
  #readers = 1;

  constructor(loan: Loan) {
    this.#loan = loan;
    this.handle = loan.handle;
  }

  /** One more reads it. @returns false when it has been given back already */
  retain(): boolean {
    if (this.#readers === 0) return false;
    this.#readers++;
    return true;
  }

  /** Once for each that reads it. */
  release(): void {
    assert(this.#readers > 0, 'shared loan: given back too often');
    if (--this.#readers === 0) this.#loan.release();
  }
}
