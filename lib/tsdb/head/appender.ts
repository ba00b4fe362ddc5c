import { layout } from '../../kernels/index.ts';
import { assert, type FloatHistogram, type Labels, PromletError } from '../../model/index.ts';
import { AppendResult, type Appender, type Exemplar, type Metadata, type SeriesRef } from '../../storage/index.ts';
import { MAX_TIME_MS } from '../limits.ts';
import { SampleBuffer } from './columns.ts';
import type { Head } from './head.ts';

/** What an appender needs around the head: time, and a place to log before applying. */
export interface AppenderHost {
  readonly head: Head;
  now(): number;
  /** Makes the samples and all unlogged series durable. @throws PromletError `storage/wal-write` */
  log(samples: SampleBuffer): void;
}

const DROP = (): SeriesRef => 0;

/** Checks samples against the head as they come, logs and applies them at `commit` (Prometheus tsdb/head_append.go). */
export class HeadAppender implements Appender {
  readonly #host: AppenderHost;
  readonly #samples: SampleBuffer;
  /** Fixed when the appender begins, as in Prometheus. */
  readonly #minValidMs: number;
  #open = true;

  constructor(host: AppenderHost) {
    this.#host = host;
    this.#samples = new SampleBuffer(host.head.kernels.arena);
    this.#minValidMs = host.head.minValidTimeMs;
  }

  series(labels: Labels): SeriesRef {
    assert(this.#open, 'appender: used after commit or rollback');
    return this.#host.head.getOrCreate(labels);
  }

  append(ref: SeriesRef, timestampMs: number, value: number): AppendResult {
    const { head } = this.#host;
    const { arena } = head.kernels;
    const { scratch } = head;
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
    const { arena } = this.#host.head.kernels;
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

  appendHistogram(_ref: SeriesRef, _timestampMs: number, _histogram: FloatHistogram): AppendResult {
    throw new PromletError('storage/histograms-unsupported', 'this head stores no native histograms');
  }

  appendExemplar(_ref: SeriesRef, _exemplar: Exemplar): AppendResult {
    throw new PromletError('storage/exemplars-unsupported', 'this head stores no exemplars');
  }

  updateMetadata(_ref: SeriesRef, _metadata: Metadata): AppendResult {
    throw new PromletError('storage/metadata-unsupported', 'this head stores no metadata');
  }

  // The work is synchronous, so that a scrape is applied between two reads; async because storage in general is.
  // eslint-disable-next-line typescript/require-await
  async commit(): Promise<void> {
    assert(this.#open, 'appender: used after commit or rollback');
    this.#open = false;
    try {
      // What is logged must be applicable: refused now, or not at all.
      this.#host.head.admitSamples(this.#samples.length);
      this.#host.log(this.#samples);
      this.#host.head.apply(this.#samples, DROP);
    } finally {
      this.#samples.release();
    }
  }

  rollback(): void {
    this.#open = false;
    this.#samples.release();
  }

  /** @returns how many were refused */
  #stage(refs: number, values: number, count: number, timestampMs: number, results: number): number {
    assert(this.#open, 'appender: used after commit or rollback');
    const { head } = this.#host;
    const { wasm, arena } = head.kernels;
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
    const samples = this.#samples;
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
    let refused = 0;
    const tallyAt = (head.tally + layout.TALLY_COUNTS) >>> 2;
    for (let result: number = AppendResult.outOfOrder; result <= AppendResult.unknownRef; result++) {
      const times = arena.u32[tallyAt + result]!;
      refused += times;
      head.appendCounts[result]! += times;
    }
    return refused;
  }

  #outsideTime(timestampMs: number): AppendResult {
    const { maxFutureMs } = this.#host.head;
    if (timestampMs > MAX_TIME_MS) return AppendResult.tooFarAhead;
    if (timestampMs < -MAX_TIME_MS) return AppendResult.tooOld;
    assert(Number.isInteger(timestampMs), 'appender: timestamps are whole milliseconds');
    return maxFutureMs > 0 && timestampMs > this.#host.now() + maxFutureMs ? AppendResult.tooFarAhead : AppendResult.ok;
  }
}
