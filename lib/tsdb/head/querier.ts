import { Annotations, assert, type Labels, type Matcher, PromletError, type SampleColumns } from '../../model/index.ts';
import type {
  ChunkSeries,
  LabelAnswer,
  LabelHints,
  RawChunk,
  SelectHints,
  SelectionPart,
  Series,
  SeriesRef,
  SeriesSet,
} from '../../storage/index.ts';
import { rawChunk } from '../../chunk/index.ts';
import { type DividingQuerier, type Part, SourceSelection } from '../division.ts';
import { SELECT_BATCH_SIZE } from '../limits.ts';
import { type PostingsSource, selectLabelNames, selectLabelValues, selectPostings } from '../select.ts';
import type { ChunkReader } from './chunk-reader.ts';
import { HeadLabelHasher } from './head-label-hasher.ts';
import { HeadPostings } from './head-postings.ts';
import { HeadProjector } from './head-projector.ts';
import type { HeadView } from './head-view.ts';
import { orderByLabels } from './label-order.ts';
import { SectionedPostings } from './sectioned-postings.ts';

/** What a series costs, as `Spend` counts: to see whether it has samples; to put its labels together, after sorting or not. */
const RANGE_WORK = 8;
const SERIES_WORK = 60;
const SORTED_SERIES_WORK = 200;

/** Between samples, for an estimate of how many there are. */
const SUPPOSED_INTERVAL_MS = 15_000;

/** One series of the head, read when asked. */
class HeadSeries implements ChunkSeries {
  readonly projected?: Labels;
  readonly hashWithout?: number;
  readonly #view: HeadView;
  readonly #chunks: ChunkReader;
  readonly #ref: SeriesRef;
  readonly #minMs: number;
  readonly #maxMs: number;
  #labels: Labels | undefined;

  /** Within a section. @param projector without it the labels are put together at once */
  constructor(
    view: HeadView,
    chunks: ChunkReader,
    ref: SeriesRef,
    record: number,
    minMs: number,
    maxMs: number,
    projector: HeadProjector | undefined,
    hasher: HeadLabelHasher | undefined,
  ) {
    this.#view = view;
    this.#chunks = chunks;
    this.#ref = ref;
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    if (projector === undefined) this.#labels = view.labels(record);
    else this.projected = projector.project(record);
    if (hasher !== undefined) this.hashWithout = hasher.hash(record);
  }

  /** @throws PromletError `storage/head-read` when the series was removed, which no reader need fear that is waited for */
  get labels(): Labels {
    return (this.#labels ??= this.#view.read(() => {
      const record = this.#view.series.record(this.#ref);
      if (record === 0) throw new PromletError('storage/head-read', 'a series was removed while it was read');
      return this.#view.labels(record);
    }));
  }

  read(into: SampleColumns): void {
    this.#chunks.read(this.#ref, this.#minMs, this.#maxMs, into);
  }

  chunks(minMs: number, maxMs: number): RawChunk[] {
    const found = this.#chunks.readableChunks(this.#ref, Math.max(minMs, this.#minMs), Math.min(maxMs, this.#maxMs));
    return found.map(rawChunk);
  }
}

/** Series of a selection that had samples in its range, and of each the last time it may be read to. */
interface Selection {
  readonly refs: Uint32Array;
  readonly maxTimesMs: Float64Array;
}

/**
 * Reads the head within [minTimeMs, maxTimeMs], on any thread. A selection sees each commit whole or not at all: the last
 * times of its series are taken at one instant, and what is in order behind them is left out.
 */
export class HeadReader implements DividingQuerier {
  readonly #view: HeadView;
  readonly #chunks: ChunkReader;
  readonly #minTimeMs: number;
  readonly #maxTimeMs: number;
  #closed = false;

  constructor(view: HeadView, chunks: ChunkReader, minTimeMs: number, maxTimeMs: number) {
    this.#view = view;
    this.#chunks = chunks;
    this.#minTimeMs = minTimeMs;
    this.#maxTimeMs = maxTimeMs;
  }

  // eslint-disable-next-line typescript/require-await
  async select(sorted: boolean, hints: SelectHints, matchers: readonly Matcher[]): Promise<SeriesSet> {
    assert(!this.#closed, 'querier: used after close');
    const minMs = Math.max(this.#minTimeMs, hints.startMs);
    const maxMs = Math.min(this.#maxTimeMs, hints.endMs);
    const selection = this.#select(minMs, maxMs, matchers, hints);
    hints.spend?.((sorted ? SORTED_SERIES_WORK : SERIES_WORK) * selection.refs.length);
    return { batches: this.#batches(selection, minMs, sorted, hints), annotations: new Annotations() };
  }

  // eslint-disable-next-line typescript/require-await
  async prepare(sorted: boolean, hints: SelectHints, matchers: readonly Matcher[]): Promise<SourceSelection> {
    assert(!this.#closed, 'querier: used after close');
    const view = this.#view;
    const minMs = Math.max(this.#minTimeMs, hints.startMs);
    const maxMs = Math.min(this.#maxTimeMs, hints.endMs);
    const found = this.#select(minMs, maxMs, matchers, hints);
    const ordered = sorted ? inOrder(found, orderByLabels(view, found.refs).order) : found;
    const spanMs = view.read(() => Math.min(maxMs, view.maxTimeMs) - Math.max(minMs, view.minTimeMs));
    const work = found.refs.length * (SORTED_SERIES_WORK + Math.max(0, spanMs) / SUPPOSED_INTERVAL_MS);
    return new SourceSelection(ordered, work, (ref) =>
      view.read(() => {
        const record = view.series.record(ref);
        return record === 0 ? undefined : view.labels(record);
      }),
    );
  }

  // eslint-disable-next-line typescript/require-await
  async selectPart(part: SelectionPart, hints: SelectHints): Promise<SeriesSet> {
    assert(!this.#closed, 'querier: used after close');
    const [selection] = part as Part;
    const minMs = Math.max(this.#minTimeMs, hints.startMs);
    return { batches: this.#batches(selection as Selection, minMs, false, hints), annotations: new Annotations() };
  }

  // eslint-disable-next-line typescript/require-await
  async labelNames(hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    assert(!this.#closed, 'querier: used after close');
    return this.#answer((postings) => selectLabelNames(postings, hints, matchers));
  }

  // eslint-disable-next-line typescript/require-await
  async labelValues(name: string, hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    assert(!this.#closed, 'querier: used after close');
    return this.#answer((postings) => selectLabelValues(postings, name, hints, matchers));
  }

  close(): void {
    this.#closed = true;
  }

  /** As in Prometheus, a head that does not overlap the range answers nothing; within it, all of its labels. */
  #mayHoldSamples(): boolean {
    const inOrder = this.#view.minTimeMs <= this.#maxTimeMs && this.#view.maxTimeMs >= this.#minTimeMs;
    return inOrder || this.#chunks.outOfOrder.mayHoldSamples(this.#minTimeMs, this.#maxTimeMs);
  }

  #answer(values: (postings: PostingsSource) => string[]): LabelAnswer {
    const view = this.#view;
    const found = view.read(() => this.#mayHoldSamples()) ? values(postingsOf(view)) : [];
    return { values: found, annotations: new Annotations() };
  }

  #select(minMs: number, maxMs: number, matchers: readonly Matcher[], hints: SelectHints): Selection {
    const view = this.#view;
    if (!view.read(() => this.#mayHoldSamples())) return { refs: new Uint32Array(0), maxTimesMs: new Float64Array(0) };
    const postings = postingsOf(view);
    const found = selectPostings(postings, matchers, hints);
    hints.spend?.(RANGE_WORK * found.length);
    // On the writer's thread nothing has changed since; else what came meanwhile may have been scraped with what was there.
    return view.read(() => {
      const since = postings instanceof SectionedPostings ? this.#createdSince(postings.newestRef, matchers) : [];
      return this.#within(minMs, maxMs, found, since);
    });
  }

  /** Within a section: matching series that were created after a ref. */
  #createdSince(ref: SeriesRef, matchers: readonly Matcher[]): SeriesRef[] {
    const view = this.#view;
    const all = view.allSeries();
    const matching: SeriesRef[] = [];
    for (let i = all.length - 1; i >= 0 && all[i]! > ref; i--) {
      const record = view.series.record(all[i]!);
      if (record === 0) continue;
      const labels = view.labels(record);
      if (matchers.every((matcher) => matcher.matches(labels.get(matcher.name)))) matching.push(all[i]!);
    }
    return matching.reverse();
  }

  /** Within a section: those of the refs, ascending lists, that have samples within [minMs, maxMs]. */
  #within(minMs: number, maxMs: number, older: Uint32Array, newer: readonly SeriesRef[]): Selection {
    const { series } = this.#view;
    const { outOfOrder } = this.#chunks;
    const found = newer.length === 0 ? older : Uint32Array.from([...older, ...newer]);
    const refs = new Uint32Array(found.length);
    const maxTimesMs = new Float64Array(found.length);
    let count = 0;
    for (let i = 0; i < found.length; i++) {
      const record = series.record(found[i]!);
      if (record === 0) continue;
      const lateMs = outOfOrder.lastTimeMs(found[i]!, minMs, maxMs);
      if (lateMs === undefined && !series.hasSamples(record, minMs, maxMs)) continue;
      refs[count] = found[i]!;
      maxTimesMs[count++] = Math.min(maxMs, Math.max(series.lastTimeMs(record), lateMs ?? -Infinity));
    }
    return { refs: refs.slice(0, count), maxTimesMs: maxTimesMs.slice(0, count) };
  }

  async *#batches(selection: Selection, minMs: number, sorted: boolean, hints: SelectHints): AsyncGenerator<Series[]> {
    const view = this.#view;
    const { refs, maxTimesMs } = selection;
    const { projection, hashWithout } = hints;
    const projector = projection === undefined ? undefined : new HeadProjector(view, projection);
    const hasher = hashWithout === undefined ? undefined : new HeadLabelHasher(view, hashWithout);
    const order = sorted && refs.length > 1 ? orderByLabels(view, refs).order : undefined;
    const limit = hints.limit !== undefined && hints.limit > 0 ? hints.limit : Infinity;
    const count = Math.min(refs.length, limit);
    for (let from = 0; from < count; from += SELECT_BATCH_SIZE) {
      hints.signal?.throwIfAborted();
      assert(!this.#closed, 'querier: read after close');
      const batch = view.read(() => {
        projector?.begin();
        hasher?.begin();
        const series: Series[] = [];
        for (let i = from; i < Math.min(count, from + SELECT_BATCH_SIZE); i++) {
          const at = order?.[i] ?? i;
          const record = view.series.record(refs[at]!);
          // Removed since it was selected: then its samples are not in the head any more.
          if (record === 0) continue;
          const maxMs = maxTimesMs[at]!;
          series.push(new HeadSeries(view, this.#chunks, refs[at]!, record, minMs, maxMs, projector, hasher));
        }
        return series;
      });
      projector?.keep();
      if (batch.length > 0) yield batch;
    }
  }
}

function inOrder({ refs, maxTimesMs }: Selection, order: Uint32Array): Selection {
  return {
    refs: Uint32Array.from(order, (i) => refs[i]!),
    maxTimesMs: Float64Array.from(order, (i) => maxTimesMs[i]!),
  };
}

function postingsOf(view: HeadView): PostingsSource {
  return view.isWriter ? new HeadPostings(view) : new SectionedPostings(view);
}
