import type { Kernels } from '../kernels/index.ts';
import { Annotations, assert, compareUtf8, type Labels, type Matcher, SampleColumns } from '../model/index.ts';
import type {
  ChunkSeries,
  LabelAnswer,
  LabelHints,
  PreparedSelection,
  Querier,
  RawChunk,
  SelectHints,
  SelectionPart,
  Series,
  SeriesSet,
} from '../storage/index.ts';
import { type Chunk, rawChunk, storedEncoding } from '../chunk/index.ts';
import { mergeChunks } from './compact/merge-chunks.ts';
import { mergeSamples } from './compact/merge-samples.ts';
import { ChunkRecoder } from './compact/recode.ts';
import { canDivide, type DividingQuerier, divideTogether, type Part, SourceSelection } from './division.ts';
import { SELECT_BATCH_SIZE } from './limits.ts';

/**
 * Several queriers as one: the head and the blocks that a query touches (storage/merge.go, `NewMergeQuerier` with
 * `ChainedSeriesMerge`). Series with the same labels become one, sorted by labels whether asked for or not; of samples
 * with the same time one is kept.
 * @param queriers best in order of their times; they are closed with the merged one
 */
export function mergeQueriers(kernels: Kernels, queriers: readonly Querier[]): Querier {
  if (queriers.length === 1) return queriers[0]!;
  return queriers.every(canDivide) ? new DividingMergeQuerier(kernels, queriers) : new MergeQuerier(kernels, queriers);
}

class MergeQuerier<Source extends Querier = Querier> implements Querier {
  protected readonly kernels: Kernels;
  protected readonly queriers: readonly Source[];

  constructor(kernels: Kernels, queriers: readonly Source[]) {
    this.kernels = kernels;
    this.queriers = queriers;
  }

  async select(_sorted: boolean, hints: SelectHints, matchers: readonly Matcher[]): Promise<SeriesSet> {
    const sets: SeriesSet[] = [];
    const ofOne = hintsOfOne(hints);
    for (const querier of this.queriers) sets.push(await querier.select(true, ofOne, matchers));
    const annotations = new Annotations();
    return { batches: mergedBatches(this.kernels, sets, annotations, hints.limit ?? 0), annotations };
  }

  labelNames(hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    return this.#union(hints, (querier) => querier.labelNames(hints, matchers));
  }

  labelValues(name: string, hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    return this.#union(hints, (querier) => querier.labelValues(name, hints, matchers));
  }

  close(): void {
    for (const querier of this.queriers) querier.close();
  }

  /** The first `limit` of a union are among the first `limit` of each. */
  async #union({ limit }: LabelHints, ask: (querier: Querier) => Promise<LabelAnswer>): Promise<LabelAnswer> {
    const annotations = new Annotations();
    const filled: LabelAnswer[] = [];
    for (const querier of this.queriers) {
      const answer = await ask(querier);
      annotations.merge(answer.annotations);
      if ((answer.packed ?? answer.values).length > 0) filled.push(answer);
    }
    if (filled.length === 1) {
      // As it is, bytes or strings: mostly the head, or all but it, has none.
      const [only] = filled;
      only!.annotations.merge(annotations);
      return only!;
    }
    let union: readonly string[] = [];
    for (const { values } of filled) union = sortedUnion(union, values, limit || Infinity);
    return { values: union, annotations };
  }
}

class DividingMergeQuerier extends MergeQuerier<DividingQuerier> implements DividingQuerier {
  async prepare(_sorted: boolean, hints: SelectHints, matchers: readonly Matcher[]): Promise<PreparedSelection> {
    const selections: SourceSelection[] = [];
    for (const querier of this.queriers) {
      const selection = await querier.prepare(true, hints, matchers);
      assert(selection instanceof SourceSelection, 'merge: a selection of several sources');
      selections.push(selection);
    }
    return {
      seriesCount: selections.reduce((most, { seriesCount }) => Math.max(most, seriesCount), 0),
      work: selections.reduce((sum, { work }) => sum + work, 0),
      divide: (count) => (selections.length === 0 ? [[]] : divideTogether(selections, count)),
    };
  }

  async selectPart(part: SelectionPart, hints: SelectHints): Promise<SeriesSet> {
    const sources = part as Part;
    const sets: SeriesSet[] = [];
    const ofOne = hintsOfOne(hints);
    for (const [i, querier] of this.queriers.entries()) {
      // One that was not there where the selection was made has nothing of it.
      if (i < sources.length) sets.push(await querier.selectPart([sources[i]], ofOne));
    }
    const annotations = new Annotations();
    return { batches: mergedBatches(this.kernels, sets, annotations, hints.limit ?? 0), annotations };
  }
}

/** Hashes of different sources say nothing beside each other. */
function hintsOfOne(hints: SelectHints): SelectHints {
  const { hashWithout: _, ...others } = hints;
  return others;
}

/** The first `limit` of two sorted lists, which have no more each, as one; maybe the second. */
function sortedUnion(a: readonly string[], b: readonly string[], limit: number): readonly string[] {
  if (a.length === 0) return b;
  const out: string[] = [];
  let i = 0;
  let j = 0;
  while (out.length < limit && (i < a.length || j < b.length)) {
    const order = i === a.length ? 1 : j === b.length ? -1 : compareUtf8(a[i]!, b[j]!);
    out.push(order <= 0 ? a[i]! : b[j]!);
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return out;
}

/** One of the sets that are merged, at a series of it. */
class Source {
  readonly #batches: AsyncIterator<readonly Series[]>;
  #batch: readonly Series[] = [];
  #next = 0;

  constructor(set: SeriesSet) {
    this.#batches = set.batches[Symbol.asyncIterator]();
  }

  /** Undefined when the batch is used up. */
  get series(): Series | undefined {
    return this.#batch[this.#next];
  }

  advance(): void {
    this.#next++;
  }

  /** What is left of the batch. */
  takeBatch(): readonly Series[] {
    const rest = this.#next === 0 ? this.#batch : this.#batch.slice(this.#next);
    this.#next = this.#batch.length;
    return rest;
  }

  /** Asks for the next batch, which invalidates the last. @returns false when there is none */
  async nextBatch(): Promise<boolean> {
    const { done, value } = await this.#batches.next();
    this.#batch = done === true ? [] : value;
    this.#next = 0;
    return done !== true;
  }

  async close(): Promise<void> {
    await this.#batches.return?.();
  }
}

async function* mergedBatches(
  kernels: Kernels,
  sets: readonly SeriesSet[],
  annotations: Annotations,
  limit: number,
): AsyncGenerator<readonly Series[]> {
  let sources = sets.map((set) => new Source(set));
  const merging = new Merging(kernels);
  let left = limit > 0 ? limit : Infinity;
  try {
    while (left > 0) {
      const live: Source[] = [];
      for (const source of sources) if (source.series !== undefined || (await nextSeries(source))) live.push(source);
      sources = live;
      if (sources.length === 0) break;
      if (sources.length === 1) {
        // Most selections have series in one source only: nothing is compared, and no labels are put together for that.
        const rest = sources[0]!.takeBatch();
        const batch = rest.length > left ? rest.slice(0, left) : rest;
        left -= batch.length;
        yield batch;
        continue;
      }
      const batch: Series[] = [];
      // A batch ends where a source's does: asking for more would invalidate what of it was given out.
      while (batch.length < Math.min(SELECT_BATCH_SIZE, left) && sources.every(({ series }) => series !== undefined)) {
        batch.push(takeFirst(sources, merging));
      }
      left -= batch.length;
      yield batch;
    }
    for (const set of sets) annotations.merge(set.annotations);
  } finally {
    for (const source of sources) await source.close();
  }
}

async function nextSeries(source: Source): Promise<boolean> {
  while (await source.nextBatch()) if (source.series !== undefined) return true;
  return false;
}

/** Takes the series that comes first by its labels, from all sources that have it. */
function takeFirst(sources: readonly Source[], merging: Merging): Series {
  let first: Labels | undefined;
  let equal: Source[] = [];
  for (const source of sources) {
    const { labels } = source.series!;
    const order = first === undefined ? -1 : labels.compare(first);
    if (order > 0) continue;
    if (order < 0) {
      first = labels;
      equal = [];
    }
    equal.push(source);
  }
  const parts = equal.map((source) => source.series!);
  for (const source of equal) source.advance();
  return parts.length === 1 ? parts[0]! : new MergedSeries(first!, parts, merging);
}

/** What merging needs memory for, shared by all series of a selection. */
class Merging {
  readonly #kernels: Kernels;
  #recoder: ChunkRecoder | undefined;
  readonly lists: SampleColumns[] = [];
  readonly merged = new SampleColumns();

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  get recoder(): ChunkRecoder {
    return (this.#recoder ??= new ChunkRecoder(this.#kernels));
  }
}

/** One series that several sources have parts of. */
class MergedSeries implements ChunkSeries {
  readonly labels: Labels;
  readonly projected?: Labels;
  readonly #parts: readonly Series[];
  readonly #merging: Merging;

  constructor(labels: Labels, parts: readonly Series[], merging: Merging) {
    this.labels = labels;
    const { projected } = parts[0]!;
    if (projected !== undefined) this.projected = projected;
    this.#parts = parts;
    this.#merging = merging;
  }

  /** Parts mostly follow one another in time; only when they do not, they are read again and merged. */
  read(into: SampleColumns): void {
    const start = into.length;
    for (const part of this.#parts) {
      const from = into.length;
      part.read(into);
      if (from === into.length) continue;
      if (from > start && into.timestamps[from]! <= into.timestamps[from - 1]!) {
        truncate(into, start);
        this.#readOverlapping(into);
        return;
      }
      forgetReset(into, from);
    }
  }

  *chunks(minMs: number, maxMs: number): Generator<RawChunk> {
    const lists = this.#parts.map((part) => {
      assert('chunks' in part, 'merge: a series without access to its chunks');
      return stored((part as ChunkSeries).chunks(minMs, maxMs));
    });
    for (const chunk of mergeChunks(lists, this.#merging.recoder)) yield rawChunk(chunk);
  }

  #readOverlapping(into: SampleColumns): void {
    const { lists, merged } = this.#merging;
    const used = this.#parts.map((part, i) => {
      const list = (lists[i] ??= new SampleColumns());
      list.clear();
      part.read(list);
      return list;
    });
    mergeSamples(used, merged);
    const { length, timestamps, values, histograms } = merged;
    into.reserve(length);
    into.timestamps.set(timestamps.subarray(0, length), into.length);
    into.values.set(values.subarray(0, length), into.length);
    if (histograms !== undefined) {
      into.histograms ??= [];
      for (let i = 0; i < length; i++) into.histograms[into.length + i] = histograms[i];
    }
    into.length += length;
  }
}

/** What lies between the last sample of one source and the first of another is not known (`chainSampleIterator`). */
function forgetReset({ histograms }: SampleColumns, index: number): void {
  const histogram = histograms?.[index];
  if (histogram === undefined || histogram.counterResetHint === 'gauge') return;
  histograms![index] = { ...histogram, counterResetHint: 'unknown' };
}

function truncate(columns: SampleColumns, length: number): void {
  if (columns.histograms !== undefined) columns.histograms.length = Math.min(columns.histograms.length, length);
  columns.length = length;
}

function* stored(chunks: Iterable<RawChunk>): Generator<Chunk> {
  for (const { minTimeMs, maxTimeMs, encoding, bytes } of chunks) {
    yield { minTimeMs, maxTimeMs, encoding: storedEncoding(encoding), bytes };
  }
}
