/**
 * One series of histograms as the head of Prometheus cuts it (`histogramsAppendPreprocessor` and `appendHistogram` of
 * tsdb/head_append.go), in plain numbers: what the appender is told to do, apart from our head.
 */
import { type Kernels, layout } from '../../../lib/kernels/index.ts';
import type { FloatHistogram } from '../../../lib/model/index.ts';
import type { Chunk } from '../../../lib/chunk/chunk.ts';
import { type CutReason, HistogramChunkAppender, HistogramScratch } from '../../../lib/chunk/histogram-appender.ts';

const TARGET_BYTES = 1024;
const MIN_SAMPLES = 10;

export class HistogramHead {
  readonly chunks: Chunk[] = [];
  readonly #kernels: Kernels;
  readonly #rangeMs: number;
  readonly #appender: HistogramChunkAppender;
  #minMs = 0;
  #maxMs = 0;
  #nextMs = 0;
  #estimated = false;

  constructor(kernels: Kernels, rangeMs: number) {
    this.#kernels = kernels;
    this.#rangeMs = rangeMs;
    this.#appender = new HistogramChunkAppender(new HistogramScratch(kernels));
  }

  append(timeMs: number, histogram: FloatHistogram): void {
    if (this.#appender.samples === 0) this.#cut(timeMs, histogram, 'first');
    else if (this.#isFull(timeMs)) this.#cut(timeMs, histogram, 'full');
    else if (!this.#appender.append(timeMs, histogram)) this.#cut(timeMs, histogram, 'refused');
    this.#maxMs = timeMs;
  }

  /** Completes the open chunk. */
  finish(): readonly Chunk[] {
    const { arena } = this.#kernels;
    const { block, sizeBytes, encoding, blockBytes } = this.#appender;
    const data = block + layout.CHUNK_DATA;
    const bytes = arena.u8.slice(data, data + sizeBytes);
    this.chunks.push({ minTimeMs: this.#minMs, maxTimeMs: this.#maxMs, encoding, bytes });
    arena.free(block, blockBytes);
    return this.chunks;
  }

  #cut(timeMs: number, histogram: FloatHistogram, reason: CutReason): void {
    if (reason !== 'first') this.finish();
    this.#appender.cut(timeMs, histogram, reason);
    this.#minMs = timeMs;
    this.#nextMs = this.#rangeEnd(timeMs);
    // A chunk that the appender itself began leaves the flag as it was.
    if (reason !== 'refused') this.#estimated = false;
  }

  #isFull(timeMs: number): boolean {
    const { samples, sizeBytes } = this.#appender;
    const rangeEndMs = this.#estimated ? this.#rangeEnd(this.#minMs) : this.#nextMs;
    if (!this.#estimated && sizeBytes >= TARGET_BYTES / 4) {
      const spanMs = this.#nextMs - this.#minMs;
      const parts = spanMs / ((this.#maxMs - this.#minMs + 1) * (TARGET_BYTES / sizeBytes));
      if (parts > 1) this.#nextMs = Math.trunc(this.#minMs + spanMs / Math.floor(parts));
      this.#estimated = true;
    }
    const full = timeMs >= this.#nextMs || sizeBytes >= TARGET_BYTES * 2;
    return full && (samples >= MIN_SAMPLES || timeMs >= rangeEndMs);
  }

  #rangeEnd(timeMs: number): number {
    return Math.trunc(timeMs / this.#rangeMs) * this.#rangeMs + this.#rangeMs;
  }
}
