import { type Kernels, layout } from '../../kernels/index.ts';
import { assert, type Labels, PromletError, type SampleColumns } from '../../model/index.ts';
import { AppendResult, type SeriesRef } from '../../storage/index.ts';
import type { TsdbLimits } from '../types.ts';
import type { SampleBuffer } from './columns.ts';
import { LabelIndex } from './label-index.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { type ChunkPlace, SeriesTable } from './series-table.ts';

const { APPEND_NEEDS_CHUNK, APPEND_NEEDS_ROOM, APPEND_OUTCOME_BITS, TALLY_COUNTS, TALLY_MAX_TIME, TALLY_MIN_TIME } =
  layout;

/** Samples that the decode kernel's columns hold to begin with; an XOR chunk of the head has at most 240. */
const DECODE_CAPACITY = 256;
/** The largest count a chunk's header can state. */
const MAX_CHUNK_SAMPLES = 65_535;

export type HeadLimits = Pick<TsdbLimits, 'maxSeries' | 'maxFutureMs'>;

/** The samples that are not in blocks yet, in memory (Prometheus tsdb/head.go). */
export class Head {
  readonly kernels: Kernels;
  readonly table: SeriesTable;
  readonly index: LabelIndex;
  readonly #limits: HeadLimits;
  /** Without one, the arena's own maximum is the limit. */
  readonly #budget: MemoryBudget | undefined;
  readonly #blockDurationMs: number;
  /** Where kernels report what a batch did. */
  readonly tally: number;
  /** 24 bytes for a single append: ref, value, result. */
  readonly scratch: number;
  #decodeCapacity = DECODE_CAPACITY;
  #decodeTimes: number;
  #decodeValues: number;
  #nextRef = 1;
  /** Of all samples stored; +Infinity and -Infinity while there is none. */
  minTimeMs = Infinity;
  maxTimeMs = -Infinity;
  /** By AppendResult, samples appended or refused since the start. */
  readonly appendCounts = new Float64Array(6);
  seriesRefused = 0;
  /** Samples of commits that were refused whole. */
  samplesRefused = 0;
  /** Series whose records the WAL does not hold yet, in order of creation. */
  unlogged: SeriesRef[] = [];
  readonly #idsOf = (ref: number): number => this.table.labels(this.table.record(ref));

  constructor(kernels: Kernels, blockDurationMs: number, limits: HeadLimits, budget?: MemoryBudget) {
    this.kernels = kernels;
    this.#limits = limits;
    this.#budget = budget;
    this.#blockDurationMs = blockDurationMs;
    this.table = new SeriesTable(kernels, blockDurationMs);
    this.index = new LabelIndex(kernels.arena);
    this.tally = kernels.arena.allocate(layout.TALLY_SIZE);
    this.scratch = kernels.arena.allocate(24);
    this.#decodeTimes = kernels.arena.allocate(DECODE_CAPACITY * 8);
    this.#decodeValues = kernels.arena.allocate(DECODE_CAPACITY * 8);
  }

  /** Samples before it are too old: the half block behind the newest sample is what the head takes (head_append.go). */
  get minValidTimeMs(): number {
    return this.maxTimeMs - this.#blockDurationMs / 2;
  }

  get maxFutureMs(): number {
    return this.#limits.maxFutureMs;
  }

  find(labels: Labels): SeriesRef {
    return this.index.find(labels, this.#idsOf);
  }

  /** @throws PromletError `storage/series-limit`, `storage/bad-labels` */
  getOrCreate(labels: Labels): SeriesRef {
    const known = this.find(labels);
    if (known !== 0) return known;
    if (labels.size === 0) throw new PromletError('storage/bad-labels', 'a series needs at least one label');
    this.#admitSeries();
    const ref = this.#nextRef;
    this.createAt(ref, labels);
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
    assert(ref > 0 && ref < 2 ** 32, 'head: ref out of range');
    this.table.create(ref, this.index.add(ref, labels));
    this.#nextRef = Math.max(this.#nextRef, ref + 1);
  }

  has(ref: SeriesRef): boolean {
    return this.table.record(ref) !== 0;
  }

  labels(ref: SeriesRef): Labels {
    return this.index.labelsAt(this.#idsOf(ref));
  }

  /**
   * Appends all samples of the buffer to their chunks; what does not fit its series' order is counted and passed over.
   * `resolve` is asked for refs the table does not know and answers the right ref, or 0 to drop the sample.
   */
  apply(samples: SampleBuffer, resolve: (ref: SeriesRef) => SeriesRef): void {
    const { wasm, arena } = this.kernels;
    const { table, tally } = this;
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
        table.cutChunk(table.record(ref), arena.f64[samples.times / 8 + from]!);
      } else {
        const resolved = resolve(ref);
        if (resolved === 0) from++;
        else arena.u32[refAt] = resolved;
      }
    }
    this.#takeTally();
  }

  /** Decodes the samples of one series within [minMs, maxMs] behind those in `into`. */
  read(ref: SeriesRef, minMs: number, maxMs: number, into: SampleColumns): void {
    const record = this.table.record(ref);
    if (record === 0) return;
    const count = this.table.chunkPlaces(record, minMs, maxMs, this.#places);
    for (let i = 0; i < count; i++) this.#decode(this.#places[i]!, minMs, maxMs, into);
  }

  readonly #places: ChunkPlace[] = [];

  #decode(place: ChunkPlace, minMs: number, maxMs: number, into: SampleColumns): void {
    const { wasm, arena } = this.kernels;
    const total = (arena.u8[place.data]! << 8) | arena.u8[place.data + 1]!;
    if (total > this.#decodeCapacity) this.#growDecode();
    const length = wasm.decodeXor(
      place.data,
      place.lengthBytes,
      this.#decodeTimes,
      this.#decodeValues,
      this.#decodeCapacity,
    );
    assert(length === total, 'head: a chunk in memory does not decode');
    const times = arena.f64.subarray(this.#decodeTimes / 8, this.#decodeTimes / 8 + length);
    let start = 0;
    let end = length;
    if (place.minTimeMs < minMs) while (start < end && times[start]! < minMs) start++;
    if (place.maxTimeMs > maxMs) while (end > start && times[end - 1]! > maxMs) end--;
    if (start === end) return;
    into.reserve(end - start);
    const values = arena.f64.subarray(this.#decodeValues / 8 + start, this.#decodeValues / 8 + end);
    into.timestamps.set(times.subarray(start, end), into.length);
    into.values.set(values, into.length);
    into.length += end - start;
  }

  #growDecode(): void {
    const { arena } = this.kernels;
    arena.free(this.#decodeTimes, this.#decodeCapacity * 8);
    arena.free(this.#decodeValues, this.#decodeCapacity * 8);
    this.#decodeCapacity = MAX_CHUNK_SAMPLES;
    this.#decodeTimes = arena.allocate(MAX_CHUNK_SAMPLES * 8);
    this.#decodeValues = arena.allocate(MAX_CHUNK_SAMPLES * 8);
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
    this.minTimeMs = Math.min(this.minTimeMs, f64[(this.tally + TALLY_MIN_TIME) / 8]!);
    this.maxTimeMs = Math.max(this.maxTimeMs, f64[(this.tally + TALLY_MAX_TIME) / 8]!);
  }
}
