import type { Kernels } from '../../kernels/index.ts';
import { SampleColumns } from '../../model/index.ts';
import type { Chunk, Interval } from '../chunk/chunk.ts';
import { ChunkDecoder } from '../chunk/decoder.ts';
import { encodeSamples } from '../chunk/encode.ts';
import { mergeSamples } from './merge-samples.ts';

/** Decodes chunks, and encodes what is to be kept of them. Its memory is used again from call to call. */
export class ChunkRecoder {
  readonly #kernels: Kernels;
  readonly #decoder: ChunkDecoder;
  /** One per chunk of the largest merge so far. */
  readonly #decoded: SampleColumns[] = [];
  readonly #merged = new SampleColumns();

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
    this.#decoder = new ChunkDecoder(kernels);
  }

  /** The samples of one chunk that lie in none of the intervals, as one chunk; none when there are none. */
  without(chunk: Chunk, leftOut: readonly Interval[]): Chunk[] {
    const columns = this.#decode(chunk, 0);
    removeIntervals(columns, leftOut);
    return encodeSamples(this.#kernels, columns, 0, columns.length, columns.length);
  }

  /** The samples of chunks that overlap, less those in the intervals; of two with one time the one `mergeSamples` keeps. */
  merge(chunks: readonly Chunk[], leftOut: readonly Interval[]): Chunk[] {
    mergeSamples(
      chunks.map((chunk, i) => this.#decode(chunk, i)),
      this.#merged,
    );
    removeIntervals(this.#merged, leftOut);
    return encodeSamples(this.#kernels, this.#merged, 0, this.#merged.length);
  }

  /** Gives scratch memory back. */
  release(): void {
    this.#decoder.release();
  }

  #decode({ encoding, bytes }: Chunk, slot: number): SampleColumns {
    const columns = (this.#decoded[slot] ??= new SampleColumns());
    columns.clear();
    this.#decoder.decode(encoding, bytes, -Infinity, Infinity, columns);
    return columns;
  }
}

/** Moves the samples that stay to the front; `intervals` sorted and disjoint. */
function removeIntervals(columns: SampleColumns, intervals: readonly Interval[]): void {
  if (intervals.length === 0) return;
  const { timestamps, values, histograms, length } = columns;
  let kept = 0;
  let at = 0;
  for (let i = 0; i < length; i++) {
    const timeMs = timestamps[i]!;
    while (at < intervals.length && intervals[at]!.maxTimeMs < timeMs) at++;
    if (at < intervals.length && intervals[at]!.minTimeMs <= timeMs) continue;
    timestamps[kept] = timeMs;
    values[kept] = values[i]!;
    if (histograms !== undefined) histograms[kept] = histograms[i];
    kept++;
  }
  columns.length = kept;
}
