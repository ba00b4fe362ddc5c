import type { Labels } from '../../model/index.ts';
import { hasOtherMetadata } from '../eval/columns.ts';

/** Sees whether series of one metric may become equal when their names go, whatever parts they are in. */
export class NameWatch {
  mayCollide = false;
  readonly #losesNames: boolean;
  #last: Labels | undefined;

  constructor(losesNames: boolean) {
    this.#losesNames = losesNames;
  }

  see(labels: Labels): void {
    if (!this.#losesNames || labels === this.#last) return;
    this.#last = labels;
    if (hasOtherMetadata(labels)) this.mayCollide = true;
  }
}
