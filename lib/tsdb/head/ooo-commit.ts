import type { FloatHistogram } from '../../model/index.ts';
import { AppendResult, type SeriesRef } from '../../storage/index.ts';
import type { WalCommit } from '../wal/commit.ts';
import { HistogramSamples } from '../wal/histogram-record.ts';
import type { MmapMarker } from '../wal/mmap-marker-record.ts';
import type { ChunkMapper } from './chunk-mapper.ts';
import { SampleBuffer } from './columns.ts';
import type { Head } from './head.ts';

/** Where out-of-order samples go besides the head. */
export interface OutOfOrderHost {
  /** How much older than the newest sample of the head a sample may be. Above 0. */
  readonly windowMs: number;
  readonly mapper: ChunkMapper;
  /** Logs to the log of out-of-order samples. @throws PromletError `storage/wal-write`: nothing of it stays */
  log(commit: WalCommit): void;
}

/** The out-of-order samples of one appender (`insert`, `collectOOORecords` of tsdb/head_append.go). */
export class OutOfOrderCommit {
  readonly #head: Head;
  readonly #samples: SampleBuffer;
  readonly #histograms = new HistogramSamples();

  constructor(head: Head) {
    this.#head = head;
    this.#samples = new SampleBuffer(head.kernels.arena);
  }

  get length(): number {
    return this.#samples.length + this.#histograms.length;
  }

  push(ref: SeriesRef, timeMs: number, value: number): void {
    const samples = this.#samples;
    samples.reserve(1);
    const { u32, f64 } = this.#head.kernels.arena;
    const at = samples.length++;
    u32[samples.refs / 4 + at] = ref;
    f64[samples.times / 8 + at] = timeMs;
    f64[samples.values / 8 + at] = value;
  }

  pushHistogram(ref: SeriesRef, timeMs: number, histogram: FloatHistogram): void {
    this.#histograms.push(ref, timeMs, histogram);
  }

  *refs(): IterableIterator<SeriesRef> {
    const samples = this.#samples;
    for (let i = 0; i < samples.length; i++) yield this.#head.kernels.arena.u32[samples.refs / 4 + i]!;
    yield* this.#histograms.refs;
  }

  /**
   * Logs the samples. First, series whose open chunk is full get it written to file, and a marker in the log says so: replay
   * then forgets what came before the marker. A chunk that fills up within this commit waits for the next one, because its
   * samples are not logged yet.
   * @throws PromletError `storage/wal-write`: nothing of it stays
   */
  log(host: OutOfOrderHost): void {
    host.log({ mmapMarkers: this.#mapFull(host.mapper), samples: this.#samples, histograms: this.#histograms });
  }

  /** Within a write section: inserts the samples; those whose time their series' open chunk has are passed over. */
  apply(): void {
    const { outOfOrder, kernels, appendCounts } = this.#head;
    const samples = this.#samples;
    let inserted = 0;
    for (let i = 0; i < samples.length; i++) {
      const { u32, f64 } = kernels.arena;
      const timeMs = f64[samples.times / 8 + i]!;
      if (outOfOrder.insert(u32[samples.refs / 4 + i]!, timeMs, f64[samples.values / 8 + i]!)) inserted++;
    }
    const { refs, timesMs, histograms } = this.#histograms;
    for (let i = 0; i < refs.length; i++) {
      if (outOfOrder.insert(refs[i]!, timesMs[i]!, NaN, histograms[i])) inserted++;
    }
    this.#head.outOfOrderAppended += inserted;
    appendCounts[AppendResult.ok]! += inserted;
  }

  release(): void {
    this.#samples.release();
  }

  #mapFull(mapper: ChunkMapper): MmapMarker[] {
    const { outOfOrder, root } = this.#head;
    const full = new Set<SeriesRef>();
    for (const ref of this.refs()) if (outOfOrder.isFull(ref)) full.add(ref);
    if (full.size === 0) return [];
    root.beginWrite();
    for (const ref of full) outOfOrder.complete(ref);
    root.endWrite();
    if (!mapper.mapOutOfOrder(full)) return [];
    const markers: MmapMarker[] = [];
    for (const ref of full) {
      const place = outOfOrder.lastPlace(ref);
      if (place !== undefined) markers.push({ ref, ...place });
    }
    return markers;
  }
}
