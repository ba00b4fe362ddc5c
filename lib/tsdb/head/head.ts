import { type Random, systemRandom } from '../../env/index.ts';
import { type Kernels, layout } from '../../kernels/index.ts';
import { assert, type Labels, PromletError, type SampleColumns } from '../../model/index.ts';
import { AppendResult, type SeriesRef } from '../../storage/index.ts';
import type { TsdbLimits } from '../types.ts';
import type { ReadMappedChunk } from './chunk-block.ts';
import { ChunkReader } from './chunk-reader.ts';
import type { SampleBuffer } from './columns.ts';
import { HeadRoot } from './head-root.ts';
import { HeadView } from './head-view.ts';
import { LabelIndex } from './label-index.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { SeriesTable } from './series-table.ts';

const { APPEND_NEEDS_CHUNK, APPEND_NEEDS_ROOM, APPEND_OUTCOME_BITS, TALLY_COUNTS, TALLY_MAX_TIME, TALLY_MIN_TIME } =
  layout;

/** Refs are below it; they are not used again. */
const MAX_REFS = 2 ** 32;

export type HeadLimits = Pick<TsdbLimits, 'maxSeries' | 'maxFutureMs'>;

/** The samples that are not in blocks yet, in memory (Prometheus tsdb/head.go). */
export class Head {
  readonly kernels: Kernels;
  readonly root: HeadRoot;
  readonly table: SeriesTable;
  readonly index: LabelIndex;
  /** How this thread reads the head; others make views and readers of their own. */
  readonly view: HeadView;
  readonly chunkReader: ChunkReader;
  readonly #limits: HeadLimits;
  /** Without one, the arena's own maximum is the limit. */
  readonly #budget: MemoryBudget | undefined;
  readonly #blockDurationMs: number;
  /** Where kernels report what a batch did. */
  readonly tally: number;
  /** 24 bytes for a single append: ref, value, result. */
  readonly scratch: number;
  #nextRef = 1;
  /** By AppendResult, samples appended or refused since the start. */
  readonly appendCounts = new Float64Array(6);
  seriesCreated = 0;
  seriesRefused = 0;
  /** Samples of commits that were refused whole. */
  samplesRefused = 0;
  /** Series whose records the WAL does not hold yet, in order of creation. */
  unlogged: SeriesRef[] = [];
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

  /** Samples before it are too old: the half block behind the newest sample is what the head takes (head_append.go). */
  get minValidTimeMs(): number {
    return this.maxTimeMs - this.#blockDurationMs / 2;
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
      if (maxSeries > 0 && this.index.numSeries >= maxSeries) {
        throw new PromletError('storage/series-limit', `the head holds ${maxSeries} series, which is the limit`);
      }
      this.#budget?.checkSeries();
    } catch (error) {
      this.seriesRefused++;
      throw error;
    }
  }

  /** Creates a series under a ref of its own, as replay does; neither labels nor ref may be known yet. */
  createAt(ref: SeriesRef, labels: Labels): void {
    assert(this.find(labels) === 0, 'head: labels known');
    this.#create(ref);
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

  has(ref: SeriesRef): boolean {
    return this.table.record(ref) !== 0;
  }

  /** The labels of a series that is there. */
  labels(ref: SeriesRef): Labels {
    return this.view.read(() => this.view.labels(this.table.record(ref)));
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
          table.cutChunk(ref, arena.f64[samples.times / 8 + from]!);
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
    this.root.minTimeMs = Math.min(this.minTimeMs, f64[(this.tally + TALLY_MIN_TIME) / 8]!);
    this.root.maxTimeMs = Math.max(this.maxTimeMs, f64[(this.tally + TALLY_MAX_TIME) / 8]!);
  }
}

function noFiles(): never {
  assert(false, 'head: a chunk in a file, and nothing to read it with');
}
