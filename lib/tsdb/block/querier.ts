import { setImmediate as nextTurn } from 'node:timers/promises';
import { Annotations, assert, type Labels, type Matcher, SampleColumns } from '../../model/index.ts';
import type {
  ChunkSeries,
  LabelAnswer,
  LabelHints,
  Querier,
  RawChunk,
  SelectHints,
  SeriesSet,
} from '../../storage/index.ts';
import { type Chunk, encodeSamples, type Interval, rawEncoding } from '../../chunk/index.ts';
import { SELECT_BATCH_SIZE } from '../limits.ts';
import { selectLabelNames, selectLabelValues, selectPostings } from '../select.ts';
import type { Block } from './block.ts';
import type { ReadChunk } from './chunk-reader.ts';
import { ChunkMetas, IndexSeries } from './index-series.ts';
import { Projector } from './projector.ts';
import { SampleReader } from './sample-reader.ts';

/** Series that are looked at, some 3 ms, before other work of the thread has a turn. */
const TURN_SERIES = 2048;
/** What one of them costs, as `Spend` counts. */
const SERIES_WORK = 100;

/** Reads one block within [minTimeMs, maxTimeMs] (tsdb/querier.go, `blockQuerier`). The order of a block is that of labels. */
export class BlockQuerier implements Querier {
  readonly #block: Block;
  readonly #minTimeMs: number;
  readonly #maxTimeMs: number;
  readonly #samples: SampleReader;
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
  async labelNames(hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    assert(!this.#closed, 'block querier: used after close');
    return { values: selectLabelNames(this.#block.index, hints, matchers), annotations: new Annotations() };
  }

  // eslint-disable-next-line typescript/require-await
  async labelValues(name: string, hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    assert(!this.#closed, 'block querier: used after close');
    return { values: selectLabelValues(this.#block.index, name, hints, matchers), annotations: new Annotations() };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#samples.release();
  }

  async *#batches(refs: Uint32Array, hints: SelectHints): AsyncGenerator<readonly ChunkSeries[]> {
    const minMs = Math.max(this.#minTimeMs, hints.startMs);
    const maxMs = Math.min(this.#maxTimeMs, hints.endMs);
    const limit = hints.limit !== undefined && hints.limit > 0 ? hints.limit : Infinity;
    const entry = new IndexSeries();
    const projector =
      hints.projection === undefined ? undefined : new Projector(this.#block.index.symbols, hints.projection);
    let given = 0;
    let turned = 0;
    for (let i = 0; i < refs.length && given < limit;) {
      hints.signal?.throwIfAborted();
      assert(!this.#closed, 'block querier: read after close');
      // The places of all chunks of a batch lie in one object.
      const chunks = new ChunkMetas();
      const batch: BlockSeries[] = [];
      const end = Math.min(refs.length, turned + TURN_SERIES);
      for (; i < end && batch.length < SELECT_BATCH_SIZE && given < limit; i++) {
        hints.spend?.(SERIES_WORK);
        const series = this.#series(refs[i]!, minMs, maxMs, entry, chunks, projector);
        if (series === undefined) continue;
        batch.push(series);
        given++;
      }
      if (batch.length > 0) yield batch;
      if (i - turned >= TURN_SERIES) {
        turned = i;
        await nextTurn();
      }
    }
  }

  /** A series with those of its chunks that may hold samples of interest; undefined when there are none. */
  #series(
    ref: number,
    minMs: number,
    maxMs: number,
    entry: IndexSeries,
    chunks: ChunkMetas,
    projector: Projector | undefined,
  ): BlockSeries | undefined {
    const { index, tombstones } = this.#block;
    index.series(ref, entry);
    const deleted = tombstones.get(ref);
    const from = chunks.length;
    const { length, minTimesMs, maxTimesMs, segments, offsets } = entry.chunks;
    for (let i = 0; i < length; i++) {
      const first = minTimesMs[i]!;
      const last = maxTimesMs[i]!;
      if (last < minMs || first > maxMs) continue;
      if (deleted.some((interval) => interval.minTimeMs <= first && interval.maxTimeMs >= last)) continue;
      chunks.push(first, last, segments[i]!, offsets[i]!);
    }
    if (chunks.length === from) return undefined;
    const places = { chunks, from, end: chunks.length, minMs, maxMs, deleted };
    // A few numbers in place of a list of texts, which may never be looked at.
    const symbols = entry.symbols.slice(0, 2 * entry.labelCount);
    return new BlockSeries(this, symbols, projector?.project(symbols), places);
  }

  labels(symbols: Uint32Array): Labels {
    assert(!this.#closed, 'block querier: labels are asked for after close');
    return this.#block.index.labelsOf(symbols);
  }

  /** Appends the samples of chunks `from` to `end` that are asked for. */
  readSamples({ chunks, from, end, minMs, maxMs, deleted }: Places, into: SampleColumns): void {
    assert(!this.#closed, 'block querier: a series is read after close');
    this.#samples.read(chunks, from, end, minMs, maxMs, deleted, into);
  }

  chunk(i: number, chunks: ChunkMetas): ReadChunk {
    assert(!this.#closed, 'block querier: a series is read after close');
    return this.#block.chunks.read(chunks.segments[i]!, chunks.offsets[i]!);
  }

  encode(columns: SampleColumns): Chunk[] {
    return encodeSamples(this.#block.kernels, columns, 0, columns.length, Infinity);
  }
}

/** Which chunks of a batch are a series', and what of them is wanted. */
interface Places {
  readonly chunks: ChunkMetas;
  readonly from: number;
  readonly end: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly deleted: readonly Interval[];
}

/** One series of a block, read when asked. */
class BlockSeries implements ChunkSeries {
  readonly projected?: Labels;
  readonly #querier: BlockQuerier;
  readonly #symbols: Uint32Array;
  readonly #places: Places;
  #labels: Labels | undefined;

  /** @param symbols as in IndexSeries */
  constructor(querier: BlockQuerier, symbols: Uint32Array, projected: Labels | undefined, places: Places) {
    this.#querier = querier;
    this.#symbols = symbols;
    if (projected !== undefined) this.projected = projected;
    this.#places = places;
  }

  get labels(): Labels {
    return (this.#labels ??= this.#querier.labels(this.#symbols));
  }

  read(into: SampleColumns): void {
    this.#querier.readSamples(this.#places, into);
  }

  /** One that a deletion cuts into is encoded anew. */
  *chunks(minMs: number, maxMs: number): Generator<RawChunk, void, undefined> {
    const { chunks, from, end, deleted, ...range } = this.#places;
    const first = Math.max(minMs, range.minMs);
    const last = Math.min(maxMs, range.maxMs);
    for (let i = from; i < end; i++) {
      const minTimeMs = chunks.minTimesMs[i]!;
      const maxTimeMs = chunks.maxTimesMs[i]!;
      if (maxTimeMs < first || minTimeMs > last) continue;
      const isCut = deleted.some((interval) => interval.minTimeMs <= maxTimeMs && interval.maxTimeMs >= minTimeMs);
      const { encoding, bytes } = this.#querier.chunk(i, chunks);
      const raw = rawEncoding(encoding);
      if (!isCut && raw !== undefined) yield { minTimeMs, maxTimeMs, encoding: raw, bytes: bytes.slice() };
      else yield* this.#recoded(i);
    }
  }

  #recoded(i: number): RawChunk[] {
    const columns = new SampleColumns();
    this.#querier.readSamples({ ...this.#places, from: i, end: i + 1, minMs: -Infinity, maxMs: Infinity }, columns);
    return this.#querier.encode(columns).map(({ encoding, ...chunk }) => {
      const raw = rawEncoding(encoding);
      assert(raw !== undefined, 'block querier: encoded as what cannot be handed out');
      return { ...chunk, encoding: raw };
    });
  }
}
