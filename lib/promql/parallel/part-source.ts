import { Annotations } from '../../model/index.ts';
import type { Querier, SelectHints, SelectionPart, Series, SeriesSet } from '../../storage/index.ts';
import { NameLoss } from '../eval/name-loss.ts';
import type { SeriesSource } from '../eval/select.ts';
import type { VectorSelector } from '../parse/ast.ts';
import type { Distribution } from './distribution.ts';
import type { MergingAggregation } from './merging-aggregation.ts';

/** The series of some parts, as long as what is made of them is of use to others. */
export class PartSource implements SeriesSource {
  readonly selector: VectorSelector;
  readonly names: NameLoss | undefined;
  selections = 0;
  readonly #parts: readonly SelectionPart[];
  readonly #aggregation: MergingAggregation;

  constructor(
    { selector, losesNames }: Distribution,
    parts: readonly SelectionPart[],
    aggregation: MergingAggregation,
  ) {
    this.selector = selector;
    this.names = losesNames ? new NameLoss(selector) : undefined;
    this.#parts = parts;
    this.#aggregation = aggregation;
  }

  // eslint-disable-next-line typescript/require-await
  async select(querier: Querier, hints: SelectHints): Promise<SeriesSet> {
    this.selections++;
    const annotations = new Annotations();
    return { batches: this.#batches(querier, hints, annotations), annotations };
  }

  async *#batches(querier: Querier, hints: SelectHints, annotations: Annotations): AsyncGenerator<readonly Series[]> {
    for (const part of this.#parts) {
      const set = await querier.selectPart!(part, hints);
      for await (const batch of set.batches) {
        if (!this.#aggregation.takesPartials || this.names?.mayCollide === true) return;
        yield batch;
      }
      annotations.merge(set.annotations);
    }
  }
}
