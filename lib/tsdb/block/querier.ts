import { setImmediate as nextTurn } from 'node:timers/promises';
import { Annotations, assert, type Labels, type Matcher, type PackedTexts, SampleColumns } from '../../model/index.ts';
import type {
  ChunkSeries,
  LabelAnswer,
  LabelHints,
  RawChunk,
  SelectHints,
  SelectionPart,
  SeriesSet,
} from '../../storage/index.ts';
import { type Chunk, encodeSamples, rawChunk, rawEncoding } from '../../chunk/index.ts';
import { type DividingQuerier, type Part, SourceSelection } from '../division.ts';
import { SELECT_BATCH_SIZE } from '../limits.ts';
import { selectLabelNames, selectLabelValues, selectPostings } from '../select.ts';
import type { Block } from './block.ts';
import type { ReadChunk } from './chunk-reader.ts';
import { IndexSeries } from './index-series.ts';
import { LabelHasher } from './label-hasher.ts';
import { PackedAnswer } from './packed-answer.ts';
import { Projector } from './projector.ts';
import { SampleReader } from './sample-reader.ts';
import { type FoundChunks, type FoundSeries, SeriesBatch } from './series-batch.ts';

/** Series that are looked at, some 3 ms, before other work of the thread has a turn. */
const TURN_SERIES = 2048;
/** What one of them costs, as `Spend` counts. */
const SERIES_WORK = 100;
/** What it costs to copy a value of a label. */
const PACKED_WORK = 3;

/** Reads one block within [minTimeMs, maxTimeMs] (tsdb/querier.go, `blockQuerier`). The order of a block is that of labels. */
export class BlockQuerier implements DividingQuerier {
  readonly #block: Block;
  readonly #minTimeMs: number;
  readonly #maxTimeMs: number;
  readonly #samples: SampleReader;
  /** Those that are not exhausted. */
  readonly #selections = new Set<SeriesBatch>();
  #closed = false;

  /** The block stays open as long as the querier is. */
  constructor(block: Block, minTimeMs: number, maxTimeMs: number) {
    this.#block = block;
    this.#minTimeMs = minTimeMs;
    this.#maxTimeMs = maxTimeMs;
    this.#samples = new SampleReader(block.kernels, block.chunks, block.dir);
  }

  // eslint-disable-next-line typescript/require-await
  async select(_sorted: boolean, hints: SelectHints, matchers: readonly Matcher[]): Promise<SeriesSet> {
    assert(!this.#closed, 'block querier: used after close');
    const refs = selectPostings(this.#block.index, matchers, hints);
    return { batches: this.#batches(refs, hints), annotations: new Annotations() };
  }

  // eslint-disable-next-line typescript/require-await
  async prepare(_sorted: boolean, hints: SelectHints, matchers: readonly Matcher[]): Promise<SourceSelection> {
    assert(!this.#closed, 'block querier: used after close');
    const { index, meta } = this.#block;
    const refs = selectPostings(index, matchers, hints);
    const { numSamples = 0, numSeries = 1 } = meta.stats;
    const sharedMs = Math.min(hints.endMs, meta.maxTime) - Math.max(hints.startMs, meta.minTime);
    const share = Math.min(1, Math.max(0, sharedMs / (meta.maxTime - meta.minTime)));
    const entry = new IndexSeries();
    return new SourceSelection({ refs }, refs.length * (SERIES_WORK + (share * numSamples) / numSeries), (ref) => {
      index.series(ref, entry);
      return index.labels(entry);
    });
  }

  // eslint-disable-next-line typescript/require-await
  async selectPart(part: SelectionPart, hints: SelectHints): Promise<SeriesSet> {
    assert(!this.#closed, 'block querier: used after close');
    const [{ refs }] = part as Part as [Part[0]];
    return { batches: this.#batches(refs, hints), annotations: new Annotations() };
  }

  // eslint-disable-next-line typescript/require-await
  async labelNames(hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    assert(!this.#closed, 'block querier: used after close');
    return { values: selectLabelNames(this.#block.index, hints, matchers), annotations: new Annotations() };
  }

  // eslint-disable-next-line typescript/require-await
  async labelValues(name: string, hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    assert(!this.#closed, 'block querier: used after close');
    const { index } = this.#block;
    const packed = matchers.length === 0 ? this.#packedValues(name, hints) : undefined;
    if (packed !== undefined) return new PackedAnswer(packed);
    return { values: selectLabelValues(index, name, hints, matchers), annotations: new Annotations() };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#samples.release();
    for (const found of this.#selections) found.release();
  }

  #packedValues(name: string, { limit, signal, spend }: LabelHints): PackedTexts | undefined {
    signal?.throwIfAborted();
    const { index } = this.#block;
    const most = limit || Infinity;
    spend?.(PACKED_WORK * Math.min(most, index.valueCount(name)));
    return index.packedValues(name, most);
  }

  async *#batches(refs: Uint32Array, hints: SelectHints): AsyncGenerator<readonly ChunkSeries[]> {
    const minMs = Math.max(this.#minTimeMs, hints.startMs);
    const maxMs = Math.min(this.#maxTimeMs, hints.endMs);
    const limit = hints.limit !== undefined && hints.limit > 0 ? hints.limit : Infinity;
    const { index, tombstones, kernels } = this.#block;
    const { projection, hashWithout } = hints;
    const projector = projection === undefined ? undefined : new Projector(index.symbols, projection);
    const hasher = hashWithout === undefined ? undefined : new LabelHasher(index.symbols, hashWithout);
    const found = new SeriesBatch(kernels, index, tombstones, minMs, maxMs);
    this.#selections.add(found);
    try {
      let given = 0;
      let turned = 0;
      for (let i = 0; i < refs.length && given < limit;) {
        hints.signal?.throwIfAborted();
        assert(!this.#closed, 'block querier: read after close');
        const most = Math.min(SELECT_BATCH_SIZE, limit - given);
        const end = Math.min(refs.length, turned + TURN_SERIES);
        for (; i < end && found.length < most; i++) {
          hints.spend?.(SERIES_WORK);
          if (!found.add(refs[i]!)) break;
        }
        given += found.length;
        if (found.length > 0) yield this.#series(found.take(), { minMs, maxMs, projector, hasher });
        if (i - turned >= TURN_SERIES) {
          turned = i;
          await nextTurn();
        }
      }
    } finally {
      this.#selections.delete(found);
      found.release();
    }
  }

  #series(found: FoundSeries, shared: Omit<Shared, 'querier' | 'found'>): BlockSeries[] {
    const all = { querier: this, found, ...shared };
    return found.chunkEnds.map((_, i) => new BlockSeries(all, i));
  }

  labels({ symbols, symbolEnds }: FoundSeries, i: number): Labels {
    assert(!this.#closed, 'block querier: labels are asked for after close');
    return this.#block.index.labelsOf(symbols, symbolEnds[i - 1] ?? 0, symbolEnds[i]!);
  }

  /** Appends the samples within [minMs, maxMs] of some chunks of series `i`. */
  read(
    { chunks, deleted }: FoundSeries,
    i: number,
    from: number,
    end: number,
    minMs: number,
    maxMs: number,
    into: SampleColumns,
  ): void {
    assert(!this.#closed, 'block querier: a series is read after close');
    this.#samples.read(chunks, from, end, minMs, maxMs, deleted[i]!, into);
  }

  chunk({ segments, offsets }: FoundChunks, chunk: number): ReadChunk {
    assert(!this.#closed, 'block querier: a series is read after close');
    return this.#block.chunks.read(segments[chunk]!, offsets[chunk]!);
  }

  encode(columns: SampleColumns): Chunk[] {
    return encodeSamples(this.#block.kernels, columns, 0, columns.length, Infinity);
  }
}

/** What all series of a batch have in common. */
interface Shared {
  readonly querier: BlockQuerier;
  readonly found: FoundSeries;
  readonly projector: Projector | undefined;
  readonly hasher: LabelHasher | undefined;
  readonly minMs: number;
  readonly maxMs: number;
}

/** One series of a block, read when asked. */
class BlockSeries implements ChunkSeries {
  readonly projected?: Labels;
  readonly hashWithout?: number;
  readonly #shared: Shared;
  /** Its place in the batch. */
  readonly #i: number;
  #labels: Labels | undefined;

  constructor(shared: Shared, i: number) {
    this.#shared = shared;
    this.#i = i;
    const { projector, hasher, found } = shared;
    const { symbols, symbolEnds } = found;
    const from = symbolEnds[i - 1] ?? 0;
    const end = symbolEnds[i]!;
    if (projector !== undefined) this.projected = projector.project(symbols, from, end);
    if (hasher !== undefined) this.hashWithout = hasher.hash(symbols, from, end);
  }

  get labels(): Labels {
    const { querier, found } = this.#shared;
    return (this.#labels ??= querier.labels(found, this.#i));
  }

  read(into: SampleColumns): void {
    const { querier, found, minMs, maxMs } = this.#shared;
    const i = this.#i;
    querier.read(found, i, found.chunkEnds[i - 1] ?? 0, found.chunkEnds[i]!, minMs, maxMs, into);
  }

  /** One that a deletion cuts into is encoded anew. */
  *chunks(minMs: number, maxMs: number): Generator<RawChunk, void, undefined> {
    const { querier, found, ...range } = this.#shared;
    const { minTimesMs, maxTimesMs } = found.chunks;
    const first = Math.max(minMs, range.minMs);
    const last = Math.min(maxMs, range.maxMs);
    for (let chunk = found.chunkEnds[this.#i - 1] ?? 0; chunk < found.chunkEnds[this.#i]!; chunk++) {
      const minTimeMs = minTimesMs[chunk]!;
      const maxTimeMs = maxTimesMs[chunk]!;
      if (maxTimeMs < first || minTimeMs > last) continue;
      const isCut = found.deleted[this.#i]!.some(
        (interval) => interval.minTimeMs <= maxTimeMs && interval.maxTimeMs >= minTimeMs,
      );
      const { encoding, bytes } = querier.chunk(found.chunks, chunk);
      const raw = rawEncoding(encoding);
      if (!isCut && raw !== undefined) yield { minTimeMs, maxTimeMs, encoding: raw, bytes: bytes.slice() };
      else yield* this.#recoded(chunk);
    }
  }

  #recoded(chunk: number): RawChunk[] {
    const { querier, found } = this.#shared;
    const columns = new SampleColumns();
    querier.read(found, this.#i, chunk, chunk + 1, -Infinity, Infinity, columns);
    return querier.encode(columns).map(rawChunk);
  }
}
