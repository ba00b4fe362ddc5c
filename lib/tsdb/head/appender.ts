import { type Kernels, layout } from '../../kernels/index.ts';
import { assert, type FloatHistogram, isStaleNaN, type Labels } from '../../model/index.ts';
import { AppendResult, type Appender, type Exemplar, type Metadata, type SeriesRef } from '../../storage/index.ts';
import { MAX_TIME_MS } from '../limits.ts';
import type { WalCommit } from '../wal/commit.ts';
import type { Head } from './head.ts';
import { staleHistogram, validateHistogram } from './histogram-rules.ts';
import { OutOfOrderCommit, type OutOfOrderHost } from './ooo-commit.ts';
import { sortOutLate } from './sort-out-late.ts';
import { kindOf, StagedBatch } from './staged-batch.ts';

/** What an appender needs around the head: time, and a place to log before applying. */
export interface AppenderHost {
  readonly head: Head;
  /** Undefined when out-of-order samples are refused. */
  readonly outOfOrder: OutOfOrderHost | undefined;
  now(): number;
  /** Makes all of it durable, in one piece. @throws PromletError `storage/wal-write`: nothing of it stays */
  log(commits: readonly WalCommit[]): void;
  /** Takes the last `log` back. */
  takeBack(): void;
}

const DROP = (): SeriesRef => 0;

/** Checks samples against the head as they come, logs and applies them at `commit` (Prometheus tsdb/head_append.go). */
export class HeadAppender implements Appender {
  readonly #host: AppenderHost;
  readonly #head: Head;
  readonly #kernels: Kernels;
  readonly fromMs: number;
  // Fixed when the appender begins, as in Prometheus; in an empty head by the first sample.
  #minValidMs: number;
  #minLateMs: number;
  #isFirst: boolean;
  /** Time of all samples staged so far; NaN when they differ. */
  #onlyMs: number | undefined;
  readonly #commitsBefore: number;
  readonly #outOfOrder: OutOfOrderHost | undefined;
  readonly #batches: StagedBatch[];
  #batch: StagedBatch;
  #late: OutOfOrderCommit | undefined;
  /** Series asked for: without samples they would be taken for abandoned. */
  readonly #asked: SeriesRef[] = [];
  /** All refs staged or asked for, and how many there were when they were collected. */
  #held: { readonly refs: ReadonlySet<SeriesRef>; readonly count: number } | undefined;
  #open = true;

  constructor(host: AppenderHost) {
    const { head, outOfOrder } = host;
    this.#host = host;
    this.#head = head;
    this.#kernels = head.kernels;
    this.fromMs = head.minValidTimeMs;
    this.#minValidMs = this.fromMs;
    this.#outOfOrder = outOfOrder;
    this.#minLateMs = outOfOrder === undefined ? Infinity : head.maxTimeMs - outOfOrder.windowMs;
    this.#isFirst = head.maxTimeMs === -Infinity;
    this.#commitsBefore = head.commits;
    this.#batch = new StagedBatch(head.kernels.arena);
    this.#batches = [this.#batch];
    head.appenders.enter(this);
  }

  series(labels: Labels): SeriesRef {
    assert(this.#open, 'appender: used after commit or rollback');
    const ref = this.#head.getOrCreate(labels);
    this.#asked.push(ref);
    return ref;
  }

  append(ref: SeriesRef, timestampMs: number, value: number): AppendResult {
    const { arena } = this.#kernels;
    const { scratch } = this.#head;
    const kind = this.#batch.kinds.get(ref);
    if (kind !== undefined) {
      if (isStaleNaN(value)) {
        return this.appendHistogram(ref, timestampMs, staleHistogram(kind.endsWith('integer'), value));
      }
      this.#nextBatch();
    }
    arena.u32[scratch >>> 2] = ref;
    arena.f64[scratch / 8 + 1] = value;
    this.#stage(scratch, scratch + 8, 1, timestampMs, scratch + 16);
    return arena.u8[scratch + 16]! as AppendResult;
  }

  appendColumns(
    refs: Uint32Array,
    values: Float64Array,
    count: number,
    timestampMs: number,
    results: Uint8Array,
  ): number {
    assert(
      count <= refs.length && count <= values.length && count <= results.length,
      'appender: columns shorter than count',
    );
    if (count === 0) return 0;
    if (this.#batch.kinds.size > 0) this.#nextBatch();
    const { arena } = this.#kernels;
    // Where the columns lie in the arena already, they are used there.
    const inPlace = refs.buffer === arena.memory.buffer && values.buffer === arena.memory.buffer;
    const refsBytes = inPlace ? 0 : (count * 4 + 7) & ~7;
    const valuesBytes = inPlace ? 0 : count * 8;
    const sizeBytes = refsBytes + valuesBytes + count;
    const scratch = arena.allocate(sizeBytes);
    try {
      const resultsAt = scratch + refsBytes + valuesBytes;
      let refsAt = refs.byteOffset;
      let valuesAt = values.byteOffset;
      if (!inPlace) {
        refsAt = scratch;
        valuesAt = scratch + refsBytes;
        arena.u32.set(refs.subarray(0, count), refsAt >>> 2);
        arena.f64.set(values.subarray(0, count), valuesAt / 8);
      }
      const refused = this.#stage(refsAt, valuesAt, count, timestampMs, resultsAt);
      if (refused === 0) results.fill(AppendResult.ok, 0, count);
      else results.set(arena.u8.subarray(resultsAt, resultsAt + count));
      return refused;
    } finally {
      arena.free(scratch, sizeBytes);
    }
  }

  appendHistogram(ref: SeriesRef, timestampMs: number, histogram: FloatHistogram): AppendResult {
    assert(this.#open, 'appender: used after commit or rollback');
    validateHistogram(histogram);
    const result = this.#checkHistogram(ref, timestampMs, histogram);
    if (result === 'late') {
      this.#lateSamples().pushHistogram(ref, timestampMs, histogram);
      return AppendResult.ok;
    }
    if (result !== AppendResult.ok) {
      this.#head.appendCounts[result]!++;
      return result;
    }
    const kind = kindOf(histogram);
    const before = this.#batch.kinds.get(ref);
    if (before !== undefined && before !== kind) this.#nextBatch();
    this.#batch.kinds.set(ref, kind);
    this.#batch.histograms.push(ref, timestampMs, histogram);
    return AppendResult.ok;
  }

  appendExemplar(ref: SeriesRef, exemplar: Exemplar): AppendResult {
    assert(this.#open, 'appender: used after commit or rollback');
    if (!this.#head.has(ref)) return AppendResult.unknownRef;
    if (this.#head.exemplars.capacity === 0) return AppendResult.ok;
    const result = this.#head.exemplars.check(ref, exemplar);
    if (result === AppendResult.ok) this.#batch.exemplars.push({ ref, exemplar });
    return result;
  }

  updateMetadata(ref: SeriesRef, metadata: Metadata): AppendResult {
    assert(this.#open, 'appender: used after commit or rollback');
    if (!this.#head.has(ref)) return AppendResult.unknownRef;
    if (!this.#head.metadata.has(ref, metadata)) this.#batch.metadata.push({ ref, metadata });
    return AppendResult.ok;
  }

  // The work is synchronous, so that a scrape is applied between two reads; async because storage in general is.
  // eslint-disable-next-line typescript/require-await
  async commit(): Promise<void> {
    assert(this.#open, 'appender: used after commit or rollback');
    this.#open = false;
    try {
      if (this.#mayBeLate()) {
        sortOutLate(this.#head, this.#batches, this.#minLateMs, () => this.#lateSamples());
      }
      // What is logged must be applicable: refused now, or not at all.
      this.#head.admitSamples(this.#sampleCount());
      this.#log();
      this.#apply();
    } finally {
      this.#release();
    }
  }

  rollback(): void {
    this.#open = false;
    this.#release();
  }

  /** Whether the series must stay for this appender. */
  holds(ref: SeriesRef): boolean {
    const count = this.#asked.length + this.#sampleCount();
    if (this.#held?.count !== count) this.#held = { refs: new Set(this.#refs()), count };
    return this.#held.refs.has(ref);
  }

  #log(): void {
    const head = this.#head;
    const host = this.#host;
    const series = { refs: head.unlogged, labelsOf: (ref: SeriesRef) => head.labels(ref) };
    host.log([{ series }, ...this.#batches.map((batch) => batch.commit)]);
    const late = this.#late;
    if (late !== undefined && late.length > 0) {
      try {
        late.log(this.#outOfOrder!);
      } catch (error) {
        host.takeBack();
        throw error;
      }
    }
    if (head.unlogged.length > 0) head.unlogged = [];
  }

  #apply(): void {
    const head = this.#head;
    head.commits++;
    head.root.beginWrite();
    try {
      for (const { samples, histograms, exemplars, metadata } of this.#batches) {
        for (const { ref, exemplar } of exemplars) if (head.has(ref)) head.exemplars.add(ref, exemplar);
        if (samples.length > 0) head.apply(samples, DROP);
        if (histograms.length > 0) head.applyHistograms(histograms, DROP);
        for (const { ref, metadata: latest } of metadata) if (head.has(ref)) head.metadata.set(ref, latest);
      }
      this.#late?.apply();
    } finally {
      head.root.endWrite();
    }
  }

  #release(): void {
    for (const { samples } of this.#batches) samples.release();
    this.#late?.release();
    this.#head.appenders.leave(this);
  }

  #nextBatch(): void {
    this.#batch = new StagedBatch(this.#kernels.arena);
    this.#batches.push(this.#batch);
  }

  #lateSamples(): OutOfOrderCommit {
    return (this.#late ??= new OutOfOrderCommit(this.#head));
  }

  #sampleCount(): number {
    let count = this.#late?.length ?? 0;
    for (const { samples, histograms } of this.#batches) count += samples.length + histograms.length;
    return count;
  }

  *#refs(): IterableIterator<SeriesRef> {
    yield* this.#asked;
    for (const { samples, histograms } of this.#batches) {
      for (let i = 0; i < samples.length; i++) yield this.#kernels.arena.u32[samples.refs / 4 + i]!;
      yield* histograms.refs;
    }
    if (this.#late !== undefined) yield* this.#late.refs();
  }

  /** @returns how many were refused */
  #stage(refs: number, values: number, count: number, timestampMs: number, results: number): number {
    assert(this.#open, 'appender: used after commit or rollback');
    const head = this.#head;
    const { wasm, arena } = this.#kernels;
    const outside = this.#outsideTime(timestampMs);
    if (outside !== AppendResult.ok) {
      let refused = 0;
      for (let i = 0; i < count; i++) {
        const skipped = arena.u32[(refs >>> 2) + i] === 0;
        arena.u8[results + i] = skipped ? AppendResult.ok : outside;
        if (!skipped) refused++;
      }
      head.appendCounts[outside]! += refused;
      return refused;
    }
    this.#takeTime(timestampMs);
    const { samples } = this.#batch;
    samples.reserve(count);
    samples.length += wasm.stageSamples(
      head.table.directory,
      head.table.pageCount,
      refs,
      values,
      count,
      timestampMs,
      this.#minValidMs,
      results,
      samples.refs + samples.length * 4,
      samples.times + samples.length * 8,
      samples.values + samples.length * 8,
      head.tally,
    );
    if (this.#outOfOrder !== undefined) return this.#stageLate(refs, values, count, timestampMs, results);
    let refused = 0;
    const tallyAt = (head.tally + layout.TALLY_COUNTS) >>> 2;
    for (let result: number = AppendResult.outOfOrder; result <= AppendResult.unknownRef; result++) {
      const times = arena.u32[tallyAt + result]!;
      refused += times;
      head.appendCounts[result]! += times;
    }
    return refused;
  }

  /** Takes what was refused for its age and is within the window. @returns how many stay refused */
  #stageLate(refs: number, values: number, count: number, timestampMs: number, results: number): number {
    const { appendCounts } = this.#head;
    const { arena } = this.#kernels;
    let refused = 0;
    for (let i = 0; i < count; i++) {
      let result = arena.u8[results + i]! as AppendResult;
      if (result === AppendResult.ok) continue;
      if (result === AppendResult.outOfOrder || result === AppendResult.tooOld) {
        if (timestampMs >= this.#minLateMs) {
          this.#lateSamples().push(arena.u32[refs / 4 + i]!, timestampMs, arena.f64[values / 8 + i]!);
          arena.u8[results + i] = AppendResult.ok;
          continue;
        }
        result = AppendResult.tooOld;
        arena.u8[results + i] = result;
      }
      appendCounts[result]!++;
      refused++;
    }
    return refused;
  }

  #takeTime(timestampMs: number): void {
    if (this.#isFirst) this.#setTimes(timestampMs);
    this.#onlyMs ??= timestampMs;
    if (this.#onlyMs !== timestampMs) this.#onlyMs = NaN;
  }

  /** Of one time and with no commit since, as a scrape is, what was staged in order still is. */
  #mayBeLate(): boolean {
    if (this.#outOfOrder === undefined) return false;
    return Number.isNaN(this.#onlyMs) || this.#head.commits !== this.#commitsBefore;
  }

  /** Without samples in the head, the first one says what is too old (`Head.initTime`). */
  #setTimes(firstMs: number): void {
    this.#isFirst = false;
    this.#minValidMs = this.#head.minValidTimeAfter(firstMs);
    if (this.#outOfOrder !== undefined) this.#minLateMs = firstMs - this.#outOfOrder.windowMs;
  }

  #checkHistogram(ref: SeriesRef, timestampMs: number, histogram: FloatHistogram): AppendResult | 'late' {
    const outside = this.#outsideTime(timestampMs);
    if (outside !== AppendResult.ok) return outside;
    const record = this.#head.table.record(ref);
    if (record === 0) return AppendResult.unknownRef;
    this.#takeTime(timestampMs);
    const result =
      timestampMs < this.#minValidMs
        ? AppendResult.tooOld
        : this.#head.histograms.check(ref, record, timestampMs, histogram);
    if (result !== AppendResult.outOfOrder && result !== AppendResult.tooOld) return result;
    if (this.#outOfOrder === undefined) return result;
    return timestampMs >= this.#minLateMs ? 'late' : AppendResult.tooOld;
  }

  #outsideTime(timestampMs: number): AppendResult {
    const { maxFutureMs } = this.#head;
    if (timestampMs > MAX_TIME_MS) return AppendResult.tooFarAhead;
    if (timestampMs < -MAX_TIME_MS) return AppendResult.tooOld;
    assert(Number.isInteger(timestampMs), 'appender: timestamps are whole milliseconds');
    return maxFutureMs > 0 && timestampMs > this.#host.now() + maxFutureMs ? AppendResult.tooFarAhead : AppendResult.ok;
  }
}
