import type { Labels } from '../../model/index.ts';
import type { Querier, SelectHints, SelectionPart, SeriesSet } from '../../storage/index.ts';
import type { SeriesSource } from '../eval/select.ts';
import type { VectorSelector } from '../parse/ast.ts';
import type { Distribution } from './distribution.ts';
import { NameWatch } from './name-watch.ts';

/** The series of one part alone. */
export class PartSource implements SeriesSource {
  readonly selector: VectorSelector;
  selections = 0;
  readonly #part: SelectionPart;
  readonly #names: NameWatch;

  constructor({ selector, losesNames }: Distribution, part: SelectionPart) {
    this.selector = selector;
    this.#part = part;
    this.#names = new NameWatch(losesNames);
  }

  get mayCollide(): boolean {
    return this.#names.mayCollide;
  }

  see(labels: Labels): void {
    this.#names.see(labels);
  }

  select(querier: Querier, hints: SelectHints): Promise<SeriesSet> {
    this.selections++;
    return querier.selectPart!(this.#part, hints);
  }
}
