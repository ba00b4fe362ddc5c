import { Annotations } from '../../model/index.ts';
import type { Querier, SelectHints, SelectionPart, Series, SeriesSet } from '../../storage/index.ts';
import type { StepGrid } from '../eval/columns.ts';
import type { QueryContext } from '../eval/context.ts';
import { NameLoss } from '../eval/name-loss.ts';
import type { SeriesSource } from '../eval/select.ts';
import type { VectorSelector } from '../parse/ast.ts';
import type { Assistants, Assistance, PartAnswer } from './assistance.ts';
import type { Distribution } from './distribution.ts';
import type { MergingAggregation } from './merging-aggregation.ts';
import { PartClaims, type PartRange } from './part-claims.ts';
import type { PartialAggregation } from './partial.ts';

/** Work of a part, in units of 10 ns: 2 to 5 ms, so that handing it over costs little beside it. */
const PART_WORK = 500_000;
/** Enough that nobody waits long for the last. */
const MAX_PARTS = 16;

export interface SharedAggregationOptions {
  readonly distribution: Distribution;
  /** Of the distribution, in the list of all. */
  readonly index: number;
  readonly grid: StepGrid;
  readonly context: QueryContext;
  readonly assistants: Assistants;
}

/**
 * An aggregation whose series are taken in parts: this thread's from the front; what others make of those from the back is
 * added behind them, in order. Where that cannot be, the series of those parts are read here, too.
 */
export class SharedAggregation implements SeriesSource {
  readonly selector: VectorSelector;
  readonly names: NameLoss | undefined;
  selections = 0;
  readonly #options: SharedAggregationOptions;
  readonly #aggregation: MergingAggregation;
  #parts: readonly SelectionPart[] = [];
  #claims: PartClaims | undefined;
  /** Parts from the front that were read here. */
  #ownCount = 0;
  /** Those that others have claimed are wanted here after all. */
  #readsRest = false;
  #assistance: Assistance | undefined;

  constructor(options: SharedAggregationOptions, aggregation: MergingAggregation) {
    this.#options = options;
    this.#aggregation = aggregation;
    const { selector, losesNames } = options.distribution;
    this.selector = selector;
    this.names = losesNames ? new NameLoss(selector) : undefined;
  }

  /**
   * @param visit gives all series of this source to the aggregation, and says whether it could
   * @returns false when the aggregation cannot be computed so
   */
  async run(visit: () => Promise<boolean>): Promise<boolean> {
    try {
      if (!(await visit())) return false;
      if (this.#ownCount < this.#parts.length && !(await this.#addOthers())) {
        this.#readsRest = true;
        if (!(await visit())) return false;
      }
      return this.names?.mayCollide !== true;
    } finally {
      this.#leave();
      this.#options.context.releaseBytes();
    }
  }

  /** Nothing is wanted of others any more. */
  #leave(): void {
    this.#claims?.takeRest();
    this.#assistance?.end();
    this.#assistance = undefined;
  }

  async select(querier: Querier, hints: SelectHints): Promise<SeriesSet> {
    this.selections++;
    if (querier.prepare === undefined) return querier.select(false, hints, this.selector.matchers);
    const annotations = new Annotations();
    if (!this.#readsRest) await this.#divide(querier, hints);
    return { batches: this.#batches(querier, hints, annotations), annotations };
  }

  async #divide(querier: Querier, hints: SelectHints): Promise<void> {
    const { index, grid, context, assistants } = this.#options;
    const prepared = await querier.prepare!(false, hints, this.selector.matchers);
    const work = prepared.work + prepared.seriesCount * grid.count;
    const parts = prepared.divide(Math.min(MAX_PARTS, Math.max(1, Math.floor(work / PART_WORK))));
    this.#parts = parts;
    this.#claims = new PartClaims(parts.length);
    if (parts.length === 1) return;
    const { query, times, lookbackDeltaMs, leftMs: timeoutMs } = context;
    const maxBytes = context.reserveBytes(() => this.#leave()) / assistants.count;
    const { shared: claims } = this.#claims;
    const task = { query, times, lookbackDeltaMs, timeoutMs, maxBytes, distribution: index, grid, parts, claims };
    this.#assistance = assistants.assist({ ...task, work, sharers: assistants.count + 1 });
    // What is waited for of others is not any more.
    context.signal?.addEventListener('abort', () => this.#leave(), { once: true });
  }

  async *#batches(querier: Querier, hints: SelectHints, annotations: Annotations): AsyncGenerator<readonly Series[]> {
    const others = { from: this.#ownCount, end: this.#parts.length };
    for (const part of this.#readsRest ? within(others) : this.#own()) {
      const set = await querier.selectPart!(this.#parts[part], hints);
      yield* set.batches;
      annotations.merge(set.annotations);
    }
  }

  *#own(): Generator<number> {
    const claims = this.#claims!;
    for (let part = claims.takeFirst(); part !== undefined; part = claims.takeFirst()) {
      this.#ownCount = part + 1;
      yield part;
      if (this.#aggregation.takesPartials) continue;
      // What others make of the rest would be of no use.
      const rest = claims.takeRest();
      if (rest === undefined) return;
      this.#ownCount = rest.end;
      yield* within(rest);
    }
  }

  /** @returns false when their series have to be read here */
  async #addOthers(): Promise<boolean> {
    const answers: PartAnswer[] = [];
    const partials: PartialAggregation[] = [];
    for (let part = this.#ownCount; part < this.#parts.length; part = answers.at(-1)!.end) {
      const answer = await this.#assistance?.answer(part);
      if (answer?.partial === undefined) return false;
      answers.push(answer);
      partials.push(answer.partial);
    }
    if (!this.#aggregation.addPartials(partials)) return false;
    const { context } = this.#options;
    for (const { annotations, nameHashes, samples, loadedSamples } of answers) {
      context.loadedSamples += loadedSamples;
      context.holdSamples(context.samples + samples);
      context.annotations.mergeData(annotations);
      if (nameHashes !== undefined) this.names?.addHashes(nameHashes);
    }
    return true;
  }
}

function* within({ from, end }: PartRange): Generator<number> {
  for (let part = from; part < end; part++) yield part;
}
