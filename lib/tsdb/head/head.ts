import { type Random, systemRandom } from '../../env/index.ts';
import { type Kernels, layout } from '../../kernels/index.ts';
import {
  assert,
  type FloatHistogram,
  isStaleNaN,
  type Labels,
  PromletError,
  type SampleColumns,
} from '../../model/index.ts';
import { AppendResult, type SeriesRef } from '../../storage/index.ts';
import { type Chunk, Encoding } from '../../chunk/index.ts';
import { type RangeUser, RangeUsers } from '../range-users.ts';
import type { TsdbLimits } from '../types.ts';
import type { HistogramSamples } from '../wal/histogram-record.ts';
import type { ChunkFilePlace, ReadMappedChunk } from './chunk-block.ts';
import { ChunkReader } from './chunk-reader.ts';
import type { SampleBuffer } from './columns.ts';
import { ExemplarRing } from './exemplars.ts';
import { HeadRoot } from './head-root.ts';
import { HeadTombstones } from './head-tombstones.ts';
import { HeadView } from './head-view.ts';
import { staleHistogram } from './histogram-rules.ts';
import { HistogramSeries } from './histogram-series.ts';
import { LabelIndex } from './label-index.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { MetadataTable } from './metadata.ts';
import { OutOfOrderHead } from './ooo-head.ts';
import { SeriesTable } from './series-table.ts';

const { APPEND_NEEDS_CHUNK, APPEND_NEEDS_ROOM, APPEND_OUTCOME_BITS, TALLY_COUNTS, TALLY_MAX_TIME, TALLY_MIN_TIME } =
  layout;

/** Refs are below it; they are not used again. */
const MAX_REFS = 2 ** 32;

export type HeadLimits = Pick<TsdbLimits, 'maxSeries' | 'maxFutureMs'>;

/** An appender between its first sample and its commit. */
interface OpenAppender extends RangeUser {
  /** Whether it refers to a series, which stays therefore. */
  holds(ref: SeriesRef): boolean;
}

/** The samples that are not in blocks yet, in memory (Prometheus tsdb/head.go). */
export class Head {
  readonly kernels: Kernels;
  readonly root: HeadRoot;
  readonly table: SeriesTable;
  readonly index: LabelIndex;
  /** How this thread reads the head; others make views and readers of their own. */
  readonly view: HeadView;
  readonly chunkReader: ChunkReader;
  readonly histograms: HistogramSeries;
  readonly outOfOrder: OutOfOrderHead;
  readonly exemplars: ExemplarRing;
  readonly metadata: MetadataTable;
  readonly tombstones: HeadTombstones;
  readonly #limits: HeadLimits;
  /** Without one, the arena's own maximum is the limit. */
  readonly #budget: MemoryBudget | undefined;
  readonly #blockDurationMs: number;
  /** Where kernels report what a batch did. */
  readonly tally: number;
  /** 24 bytes for a single append: ref, value, result. */
  readonly scratch: number;
  #nextRef = 1;
  #minValidMs = -Infinity;
  /** Of the samples stored since a truncation began. */
  #minStoredMs = Infinity;
  /** By AppendResult, samples appended or refused since the start. */
  readonly appendCounts = new Float64Array(6);
  seriesCreated = 0;
  seriesRemoved = 0;
  seriesRefused = 0;
  /** Samples of commits that were refused whole. */
  samplesRefused = 0;
  /** Series whose records the WAL does not hold yet, in order of creation. */
  unlogged: SeriesRef[] = [];
  readonly appenders = new RangeUsers<OpenAppender>();
  /** Why no new series are taken, when none are. */
  refusal: string | undefined;
  /** Refs of the log that are no refs of the head, or not any more, and until which time it may have samples by them. */
  readonly logAliases = new Map<SeriesRef, number>();
  /** Commits applied. */
  commits = 0;
  /** Samples taken out of order, floats and histograms. */
  outOfOrderAppended = 0;
  /** Reads chunks that lie in files; to be set before there are any. */
  readMapped: ReadMappedChunk = noFiles;

  /** @param random keys the hash of labels, so that nobody outside can make them collide */
  constructor(
    kernels: Kernels,
    blockDurationMs: number,
    limits: HeadLimits,
    budget?: MemoryBudget,
    random: Random = systemRandom,
  ) {
    const { arena } = kernels;
    this.kernels = kernels;
    this.#limits = limits;
    this.#budget = budget;
    this.#blockDurationMs = blockDurationMs;
    this.root = new HeadRoot(arena, random);
    this.table = new SeriesTable(arena, this.root, blockDurationMs);
    this.index = new LabelIndex(kernels, this.root);
    this.view = new HeadView(arena, this.root.address, kernels);
    this.chunkReader = new ChunkReader(this.view, kernels, (place) => this.readMapped(place));
    this.histograms = new HistogramSeries(kernels, this.table, blockDurationMs);
    this.outOfOrder = new OutOfOrderHead(kernels, this.root.address);
    this.metadata = new MetadataTable(arena);
    this.tombstones = new HeadTombstones(arena);
    this.root.setColumns(this.outOfOrder.root, this.tombstones.root);
    this.exemplars = new ExemplarRing({ capacity: 0, outOfOrderWindowMs: 0, labelsOf: (ref) => this.labels(ref) });
    this.tally = arena.allocate(layout.TALLY_SIZE);
    this.scratch = arena.allocate(24);
  }

  /** Of all samples stored; +Infinity and -Infinity while there is none. */
  get minTimeMs(): number {
    return this.root.minTimeMs;
  }

  get maxTimeMs(): number {
    return this.root.maxTimeMs;
  }

  /**
   * Samples before it are too old: the half block behind the newest sample is what the head takes, and nothing before what
   * is in blocks already (head_append.go `appendableMinValidTime`).
   */
  get minValidTimeMs(): number {
    return this.minValidTimeAfter(this.maxTimeMs);
  }

  /** What `minValidTimeMs` is when the newest sample is at `maxTimeMs`. */
  minValidTimeAfter(maxTimeMs: number): number {
    return Math.max(this.#minValidMs, maxTimeMs - this.#blockDurationMs / 2);
  }

  /** From now on samples before `timeMs` are too old. */
  raiseMinValidTime(timeMs: number): void {
    this.#minValidMs = Math.max(this.#minValidMs, timeMs);
  }

  /** Within a write section: the head has samples of these times. */
  extendTimes(minTimeMs: number, maxTimeMs: number): void {
    const { root } = this;
    root.minTimeMs = Math.min(root.minTimeMs, minTimeMs);
    root.maxTimeMs = Math.max(root.maxTimeMs, maxTimeMs);
    this.#minStoredMs = Math.min(this.#minStoredMs, minTimeMs);
  }

  /** At start-up: a chunk in `chunks_head/`, newer than those the series has. Within a write section. */
  addMappedChunk(ref: SeriesRef, chunk: Omit<Chunk, 'bytes'>, place: ChunkFilePlace): void {
    this.table.addMappedChunk(ref, chunk, place);
    this.extendTimes(chunk.minTimeMs, chunk.maxTimeMs);
  }

  /** Samples before `minMs` are about to be taken out: none may come any more. */
  beginTruncation(minMs: number): void {
    this.raiseMinValidTime(minMs);
    this.#minStoredMs = Infinity;
  }

  /** `minTimeMs` is of the samples that truncation found; those stored meanwhile it may not have seen. */
  endTruncation(minTimeMs: number): void {
    this.root.beginWrite();
    this.root.minTimeMs = Math.min(minTimeMs, this.#minStoredMs);
    this.root.endWrite();
  }

  /** Whether a series is there and has no chunks. */
  isEmpty(ref: SeriesRef): boolean {
    const record = this.table.record(ref);
    return record !== 0 && !this.table.hasChunks(record);
  }

  /** Whether a series without chunks in order may leave the head. */
  mayRemove(ref: SeriesRef): boolean {
    if (this.outOfOrder.has(ref)) return false;
    for (const appender of this.appenders) if (appender.holds(ref)) return false;
    return true;
  }

  /** Where the head's samples begin, when those in order begin at `minMs`: what is deleted before is gone. */
  oldestMs(minMs: number): number {
    return Math.min(minMs, this.outOfOrder.oldestMs);
  }

  /** Whether the log still needs the record of a series, when it keeps samples from `minMs` on. */
  isInLog(ref: SeriesRef, minMs: number): boolean {
    return this.has(ref) || (this.logAliases.get(ref) ?? -Infinity) >= minMs;
  }

  /** The log has no samples before `minMs` any more. */
  forgetInLog(minMs: number): void {
    for (const [ref, untilMs] of this.logAliases) if (untilMs < minMs) this.logAliases.delete(ref);
  }

  /** Within a write section: what is kept of a series besides its chunks and labels goes; its exemplars stay. */
  seriesLeaves(ref: SeriesRef): void {
    this.exemplars.seriesLeaves(ref);
    this.metadata.delete(ref);
    this.tombstones.delete(ref);
    this.histograms.delete(ref);
    this.logAliases.set(ref, this.maxTimeMs);
  }

  /** Within a write section: removes an empty series, all but its postings; adds its pairs to `pairs`, to be swept. */
  remove(ref: SeriesRef, pairs: Set<number>): void {
    this.index.remove(ref, this.table.labels(this.table.record(ref)), pairs);
    this.table.remove(ref);
    this.seriesRemoved++;
  }

  /** Series that were removed before they were logged need no record. */
  forgetUnlogged(): void {
    this.unlogged = this.unlogged.filter((ref) => this.has(ref));
  }

  get maxFutureMs(): number {
    return this.#limits.maxFutureMs;
  }

  /** The ref of a label set, 0 when the head does not have it. @throws PromletError `storage/bad-labels` */
  find(labels: Labels): SeriesRef {
    return this.index.find(labels);
  }

  /** @throws PromletError `storage/series-limit`, `storage/bad-labels` */
  getOrCreate(labels: Labels): SeriesRef {
    const known = this.find(labels);
    if (known !== 0) return known;
    if (labels.size === 0) throw new PromletError('storage/bad-labels', 'a series needs at least one label');
    this.#admitSeries();
    const ref = this.#nextRef;
    this.#create(ref);
    this.unlogged.push(ref);
    return ref;
  }

  /** @throws PromletError `storage/head-full` when there may not be the memory to apply so many samples */
  admitSamples(count: number): void {
    try {
      if (count > 0) this.#budget?.checkSamples(count);
    } catch (error) {
      this.samplesRefused += count;
      throw error;
    }
  }

  #admitSeries(): void {
    const { maxSeries } = this.#limits;
    try {
      if (this.refusal !== undefined) throw new PromletError('storage/series-limit', `no new series: ${this.refusal}`);
      if (maxSeries > 0 && this.index.numSeries >= maxSeries) {
        throw new PromletError('storage/series-limit', `the head holds ${maxSeries} series, which is the limit`);
      }
      this.#budget?.checkSeries();
    } catch (error) {
      this.seriesRefused++;
      throw error;
    }
  }

  /**
   * Finds the series of a WAL series record, or creates it under the ref it has there. `encoded` begins with its labels.
   * @returns the ref under which the head knows the series: another one when its labels were known already; 0 when there
   *   is none, because the labels are malformed or empty, or the ref stands for other labels. `index.consumedBytes` says
   *   how many bytes were the labels, -1 when malformed
   */
  replaySeries(ref: SeriesRef, encoded: Uint8Array): SeriesRef {
    const { index } = this;
    const known = index.findEncoded(encoded);
    if (known !== 0) return known;
    if (index.consumedBytes < 0 || index.foundSize === 0 || this.has(ref)) return 0;
    this.#create(ref);
    return ref;
  }

  /** Creates a series with the labels that were just looked for in vain. */
  #create(ref: SeriesRef): void {
    if (ref === MAX_REFS) throw new PromletError('storage/series-limit', 'all 2^32 series refs are used up');
    assert(ref > 0 && ref < MAX_REFS, 'head: ref out of range');
    this.root.beginWrite();
    try {
      this.table.create(ref, this.index.add(ref));
    } finally {
      this.root.endWrite();
    }
    this.seriesCreated++;
    this.#nextRef = Math.max(this.#nextRef, ref + 1);
  }

  /** A log or a file names a series by this ref, which may be lost: no other gets it. */
  reserveRef(ref: SeriesRef): void {
    this.#nextRef = Math.max(this.#nextRef, ref + 1);
  }

  has(ref: SeriesRef): boolean {
    return this.table.record(ref) !== 0;
  }

  /** The labels of a series that is there. */
  labels(ref: SeriesRef): Labels {
    const record = this.table.record(ref);
    assert(record !== 0, 'head: labels of a series that is not there');
    return this.view.read(() => this.view.labels(record));
  }

  /**
   * Appends all samples of the buffer to their chunks; what does not fit its series' order is counted and passed over.
   * `resolve` is asked for refs the table does not know and answers the right ref, or 0 to drop the sample.
   */
  apply(samples: SampleBuffer, resolve: (ref: SeriesRef) => SeriesRef): void {
    const { wasm, arena } = this.kernels;
    const { table, tally } = this;
    this.root.beginWrite();
    try {
      this.#clearTally();
      let from = 0;
      while (from < samples.length) {
        const stopped =
          wasm.appendBatch(
            table.directory,
            table.pageCount,
            samples.refs,
            samples.times,
            samples.values,
            from,
            samples.length,
            tally,
          ) >>> 0;
        from = stopped >>> APPEND_OUTCOME_BITS;
        if (from === samples.length) break;
        const refAt = (samples.refs >>> 2) + from;
        const ref = arena.u32[refAt]!;
        const outcome = stopped & ((1 << APPEND_OUTCOME_BITS) - 1);
        if (outcome === APPEND_NEEDS_ROOM) {
          table.growChunk(table.record(ref));
        } else if (outcome === APPEND_NEEDS_CHUNK) {
          const timeMs = arena.f64[samples.times / 8 + from]!;
          if (this.#appendStaleMarker(ref, timeMs, arena.f64[samples.values / 8 + from]!)) from++;
          else table.cutChunk(ref, timeMs);
        } else {
          const resolved = resolve(ref);
          if (resolved === 0) from++;
          else arena.u32[refAt] = resolved;
        }
      }
      this.#takeTally();
    } finally {
      this.root.endWrite();
    }
  }

  /**
   * Appends histograms, of which each is valid and its series there, to their chunks; what does not fit its series' order is
   * counted and passed over.
   */
  applyHistograms({ refs, timesMs, histograms }: HistogramSamples, resolve: (ref: SeriesRef) => SeriesRef): void {
    const { root, table } = this;
    root.beginWrite();
    try {
      for (let i = 0; i < refs.length; i++) {
        const ref = table.record(refs[i]!) === 0 ? resolve(refs[i]!) : refs[i]!;
        if (ref !== 0) this.#appendHistogram(ref, timesMs[i]!, histograms[i]!);
      }
    } finally {
      root.endWrite();
    }
  }

  #appendHistogram(ref: SeriesRef, timeMs: number, histogram: FloatHistogram): void {
    const record = this.table.record(ref);
    const result = this.histograms.append(ref, record, timeMs, histogram);
    this.appendCounts[result]!++;
    if (result === AppendResult.ok) this.extendTimes(timeMs, timeMs);
  }

  /** A stale marker of a series whose newest sample is a histogram becomes one of its type (`commitFloats`). */
  #appendStaleMarker(ref: SeriesRef, timeMs: number, value: number): boolean {
    if (!isStaleNaN(value)) return false;
    const encoding = this.table.newestEncoding(this.table.record(ref));
    if (encoding === undefined || encoding === Encoding.xor || encoding === Encoding.xor2) return false;
    const integer = encoding === Encoding.histogram || encoding === Encoding.histogramSt;
    this.#appendHistogram(ref, timeMs, staleHistogram(integer, value));
    return true;
  }

  /** Decodes the samples of one series within [minMs, maxMs] behind those in `into`. */
  read(ref: SeriesRef, minMs: number, maxMs: number, into: SampleColumns): void {
    this.chunkReader.read(ref, minMs, maxMs, into);
  }

  #clearTally(): void {
    const { u32, f64 } = this.kernels.arena;
    u32.fill(0, (this.tally + TALLY_COUNTS) >>> 2, (this.tally + TALLY_MIN_TIME) >>> 2);
    f64[(this.tally + TALLY_MIN_TIME) / 8] = Infinity;
    f64[(this.tally + TALLY_MAX_TIME) / 8] = -Infinity;
  }

  #takeTally(): void {
    const { u32, f64 } = this.kernels.arena;
    const at = (this.tally + TALLY_COUNTS) >>> 2;
    this.appendCounts[AppendResult.ok]! += u32[at + AppendResult.ok]!;
    this.appendCounts[AppendResult.outOfOrder]! += u32[at + AppendResult.outOfOrder]!;
    this.appendCounts[AppendResult.duplicate]! += u32[at + AppendResult.duplicate]!;
    this.extendTimes(f64[(this.tally + TALLY_MIN_TIME) / 8]!, f64[(this.tally + TALLY_MAX_TIME) / 8]!);
  }
}

function noFiles(): never {
  assert(false, 'head: a chunk in a file, and nothing to read it with');
}
