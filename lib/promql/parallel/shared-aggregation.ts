import { Annotations, type Labels } from '../../model/index.ts';
import type { Querier, SelectHints, SelectionPart, Series, SeriesSet } from '../../storage/index.ts';
import type { StepGrid } from '../eval/columns.ts';
import type { QueryContext } from '../eval/context.ts';
import type { SeriesSource } from '../eval/select.ts';
import type { VectorSelector } from '../parse/ast.ts';
import type { Assist, Assistance } from './assistance.ts';
import type { Distribution } from './distribution.ts';
import { PartClaims } from './part-claims.ts';
import type { PartialAggregation } from './partial.ts';
import { NameWatch } from './name-watch.ts';

/** Work of a part, in units of 10 ns: some ms, so that handing it over costs little beside it. */
const PART_WORK = 300_000;
/** Enough that nobody waits long for the last. */
const MAX_PARTS = 16;

/** An aggregation that takes series one by one, and what another has made of some. */
export interface MergingAggregation {
  /** Whether it can make use of what others make of series. */
  readonly takesPartials: boolean;
  /** @returns false when the series themselves are needed; then nothing is added */
  addPartial(partial: PartialAggregation): boolean;
}

export interface SharedAggregationOptions {
  readonly distribution: Distribution;
  /** Of the distribution, in the list of all. */
  readonly index: number;
  readonly grid: StepGrid;
  readonly context: QueryContext;
  readonly assist: Assist;
}

/**
 * An aggregation whose series are taken in parts: this thread's from the front; what others make of those from the back is
 * added behind them, in order. Where that cannot be, the series of those parts are read here, too.
 */
export class SharedAggregation implements SeriesSource {
  readonly selector: VectorSelector;
  selections = 0;
  readonly #options: SharedAggregationOptions;
  readonly #aggregation: MergingAggregation;
  readonly #names: NameWatch;
  #parts: readonly SelectionPart[] = [];
  /** Parts from the front that were read here. */
  #ownCount = 0;
  /** Which part is to be read; all that can be claimed when undefined. */
  #wanted: number | undefined;
  #assistance: Assistance | undefined;

  constructor(options: SharedAggregationOptions, aggregation: MergingAggregation) {
    this.#options = options;
    this.#aggregation = aggregation;
    const { selector, losesNames } = options.distribution;
    this.selector = selector;
    this.#names = new NameWatch(losesNames);
  }

  /**
   * @param visit gives all series of this source to the aggregation, and says whether it could
   * @returns false when the aggregation cannot be computed so
   */
  async run(visit: () => Promise<boolean>): Promise<boolean> {
    const { annotations } = this.#options.context;
    try {
      if (!(await visit()) || this.#names.mayCollide) return false;
      for (let part = this.#ownCount; part < this.#parts.length; part++) {
        const answer = await this.#assistance!.answer(part);
        if (answer.partial !== undefined && this.#aggregation.addPartial(answer.partial)) {
          annotations.mergeData(answer.annotations);
          continue;
        }
        this.#wanted = part;
        if (!(await visit()) || this.#names.mayCollide) return false;
      }
      return true;
    } finally {
      this.#assistance?.end();
    }
  }

  see(labels: Labels): void {
    this.#names.see(labels);
  }

  async select(querier: Querier, hints: SelectHints): Promise<SeriesSet> {
    this.selections++;
    if (this.#wanted !== undefined) return querier.selectPart!(this.#parts[this.#wanted], hints);
    if (querier.prepare === undefined) return querier.select(true, hints, this.selector.matchers);
    const { grid } = this.#options;
    const prepared = await querier.prepare(hints, this.selector.matchers);
    const work = prepared.work + prepared.seriesCount * grid.count;
    this.#parts = prepared.divide(Math.min(MAX_PARTS, Math.max(1, Math.floor(work / PART_WORK))));
    const claims = new PartClaims(this.#parts.length);
    if (this.#parts.length > 1) this.#assistance = this.#ask(claims);
    const annotations = new Annotations();
    return { batches: this.#claimed(claims, querier, hints, annotations), annotations };
  }

  #ask({ shared }: PartClaims): Assistance {
    const { index, grid, context, assist } = this.#options;
    const { query, times, lookbackDeltaMs } = context;
    return assist({ query, times, lookbackDeltaMs, distribution: index, grid, parts: this.#parts, claims: shared });
  }

  async *#claimed(
    claims: PartClaims,
    querier: Querier,
    hints: SelectHints,
    annotations: Annotations,
  ): AsyncGenerator<readonly Series[]> {
    for (let part = claims.takeFirst(); part !== undefined; part = claims.takeFirst()) {
      this.#ownCount++;
      const set = await querier.selectPart!(this.#parts[part], hints);
      yield* set.batches;
      annotations.merge(set.annotations);
      if (this.#aggregation.takesPartials) continue;
      // What others make of the rest would be of no use.
      for (const rest of claims.takeRest()) {
        this.#ownCount++;
        const more = await querier.selectPart!(this.#parts[rest], hints);
        yield* more.batches;
        annotations.merge(more.annotations);
      }
    }
  }
}
