import { type Labels, SampleColumns } from '../../model/index.ts';
import type { Querier, Queryable, SelectHints, Series, SeriesSet } from '../../storage/index.ts';
import { childrenOf, type Expr, type VectorSelector } from '../parse/ast.ts';
import { ReachableSamples } from './column-memory.ts';
import { METADATA_LABELS } from './columns.ts';
import type { QueryContext } from './context.ts';
import { HistogramStatistics, statisticsSelectors } from './histogram-statistics.ts';
import { ENTRY_BYTES, histogramsBytes, labelsBytes, SAMPLE_BYTES } from './memory.ts';
import type { NameLoss } from './name-loss.ts';
import { extraWeight } from './sample-counts.ts';

/** What surrounds a selector; storage may read less for it. */
export interface SelectorHints {
  readonly func?: string;
  readonly grouping?: readonly string[];
  readonly by?: boolean;
  readonly stepMs?: number;
  readonly rangeMs?: number;
  /** The only labels that are looked at; visitors may be given those alone. */
  readonly projection?: readonly string[];
  /** Sees all series that are read: their names go. */
  readonly names?: NameLoss;
}

/** Labels that may have to be put together first; not behind the visit. */
export type Labelled = Pick<Series, 'labels'>;

/** The samples are the caller's until it returns; a returned promise is awaited. */
export type SeriesVisitor = (series: Labelled, samples: SampleColumns) => void | Promise<void>;

/** Where the series of one selector come from, instead of the storage's own selection. */
export interface SeriesSource {
  readonly selector: VectorSelector;
  /** Times that series were asked for. */
  readonly selections: number;
  /** Sees all series that were read, where their names go. */
  readonly names: NameLoss | undefined;
  select(querier: Querier, hints: SelectHints): Promise<SeriesSet>;
}

/** A kept series without its labels and samples. */
const KEPT_SERIES_BYTES = 8 * ENTRY_BYTES;

interface KeptSeries {
  readonly labels: Labels;
  readonly samples: SampleColumns;
}

/**
 * Reads the series behind the selectors of one query. A series is read into one reused buffer and handed on, so that raw
 * samples of one series at a time are held. Only what several selectors of the query read at the same times is kept whole.
 */
export class SelectorReader {
  readonly #queryable: Queryable;
  readonly #context: QueryContext;
  readonly #buffer: ReachableSamples;
  /** What the selectors of the query read. Those of info series do not stand in it. */
  readonly #readings = new Map<VectorSelector, string>();
  /** By what is read: how many selectors read it. */
  readonly #uses = new Map<string, number>();
  readonly #kept = new Map<string, readonly KeptSeries[]>();
  readonly #queriers: Querier[] = [];
  readonly #statisticsOnly: ReadonlySet<VectorSelector>;
  readonly #statistics = new HistogramStatistics();
  /** Of one selector, in place of storage's own selection. */
  source: SeriesSource | undefined;

  constructor(queryable: Queryable, context: QueryContext, root: Expr) {
    this.#queryable = queryable;
    this.#context = context;
    this.#buffer = new ReachableSamples(context.memory);
    this.#countUses(root, context.lookbackDeltaMs);
    this.#statisticsOnly = statisticsSelectors(root);
  }

  /** @param rangeMs of the samples that a selector here is read for */
  #countUses(expr: Expr, rangeMs: number): void {
    if (expr.kind === 'vector') {
      const { offset, at, extension } = expr;
      const reading = [rangeMs, offset, at, extension, matchersKey(expr)].join(':');
      this.#readings.set(expr, reading);
      this.#uses.set(reading, (this.#uses.get(reading) ?? 0) + 1);
    }
    const childRangeMs = expr.kind === 'matrix' ? (expr.range as number) : this.#context.lookbackDeltaMs;
    for (const child of childrenOf(expr)) this.#countUses(child, childRangeMs);
  }

  /** Visits every series that matches, with its samples in [minMs, maxMs]. */
  async read(
    selector: VectorSelector,
    minMs: number,
    maxMs: number,
    hints: SelectorHints,
    visitor: SeriesVisitor,
  ): Promise<void> {
    const visit: SeriesVisitor = this.#statisticsOnly.has(selector)
      ? (series, samples) => visitor(series, this.#statistics.of(samples))
      : visitor;
    if (this.isReadOnce(selector)) return this.#stream(selector, minMs, maxMs, hints, visit);
    // Within a subquery it is read at other times.
    const key = `${minMs}:${maxMs}:${matchersKey(selector)}`;
    let kept = this.#kept.get(key);
    if (kept === undefined) {
      // Others may look at other labels.
      const { projection: _, names: __, ...others } = hints;
      kept = await this.#keep(selector, minMs, maxMs, others);
      this.#kept.set(key, kept);
    }
    for (const series of kept) {
      const { labels, samples } = series;
      hints.names?.add(labels);
      const pending = visit(series, this.#bring(samples));
      if (pending !== undefined) await pending;
      if (this.#context.spend(samples.length + 16)) await this.#context.pause();
    }
  }

  /** Whether what is read is not kept for others. */
  isReadOnce(selector: VectorSelector): boolean {
    const reading = this.#readings.get(selector);
    return reading === undefined || this.#uses.get(reading) === 1;
  }

  close(): void {
    for (const querier of this.#queriers) querier.close();
  }

  async #keep(
    selector: VectorSelector,
    minMs: number,
    maxMs: number,
    hints: SelectorHints,
  ): Promise<readonly KeptSeries[]> {
    const kept: KeptSeries[] = [];
    await this.#stream(selector, minMs, maxMs, hints, ({ labels }, samples) => {
      this.#context.holdSamples(this.#context.samples + samples.length);
      const histograms = samples.histograms === undefined ? 0 : histogramsBytes(samples.histograms);
      this.#context.keepBytes(KEPT_SERIES_BYTES + labelsBytes(labels) + SAMPLE_BYTES * samples.length + histograms);
      kept.push({ labels, samples: copyOf(samples) });
    });
    return kept;
  }

  async #stream(
    selector: VectorSelector,
    minMs: number,
    maxMs: number,
    { projection, names: ownNames, ...hints }: SelectorHints,
    visit: SeriesVisitor,
  ): Promise<void> {
    const context = this.#context;
    const querier = this.#queryable.querier(minMs, maxMs);
    this.#queriers.push(querier);
    const { signal, onSpend: spend } = context;
    const watch = { ...(signal !== undefined && { signal }), ...(spend !== undefined && { spend }) };
    const source = this.source?.selector === selector ? this.source : undefined;
    const names = source?.names ?? ownNames;
    const wanted = {
      ...(projection !== undefined && { projection }),
      ...(names?.haveOneName === false && { hashWithout: METADATA_LABELS }),
    };
    const selectHints: SelectHints = { startMs: minMs, endMs: maxMs, ...hints, ...wanted, ...watch };
    // In no order, as Prometheus asks for them: the head takes 1 µs a series for sorting, and a merge sorts what it needs.
    const set = await (source === undefined
      ? querier.select(false, selectHints, selector.matchers)
      : source.select(querier, selectHints));
    for await (const batch of set.batches) {
      for (const series of batch) {
        const samples = this.#fill(series);
        const { hashWithout: hash, projected } = series;
        const needsAll = projection === undefined || (names?.haveOneName === false && hash === undefined);
        const labelled = needsAll || projected === undefined ? series : { labels: projected };
        names?.add(labelled.labels, hash);
        const pending = visit(labelled, samples);
        if (pending !== undefined) await pending;
        if (context.spend(samples.length + 16)) await context.pause();
      }
    }
    context.annotations.merge(set.annotations);
  }

  /** A copy where kernels reach it. */
  #bring(samples: SampleColumns): SampleColumns {
    const buffer = this.#buffer;
    buffer.clear();
    buffer.reserve(samples.length);
    buffer.timestamps.set(samples.timestamps);
    buffer.values.set(samples.values);
    buffer.histograms = samples.histograms;
    buffer.starts = samples.starts;
    buffer.length = samples.length;
    return buffer;
  }

  #fill(series: Series): SampleColumns {
    const buffer = this.#buffer;
    const roomBefore = buffer.timestamps.length;
    buffer.clear();
    series.read(buffer);
    this.#context.loadedSamples += buffer.length;
    const { histograms } = buffer;
    this.#context.requireRoom(buffer.length + (histograms === undefined ? 0 : extraWeight(histograms)));
    if (buffer.timestamps.length > roomBefore) {
      this.#context.keepBytes(SAMPLE_BYTES * (buffer.timestamps.length - roomBefore));
    }
    return this.#buffer;
  }
}

function matchersKey(selector: VectorSelector): string {
  return selector.matchers.map(String).join(',');
}

function copyOf(samples: SampleColumns): SampleColumns {
  const copy = new SampleColumns();
  copy.timestamps = samples.timestamps.slice(0, samples.length);
  copy.values = samples.values.slice(0, samples.length);
  copy.histograms = samples.histograms?.slice();
  copy.starts = samples.starts?.slice(0, samples.length);
  copy.length = samples.length;
  return copy;
}
