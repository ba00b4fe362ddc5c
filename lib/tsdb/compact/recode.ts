import type { Kernels } from '../../kernels/index.ts';
import { SampleColumns } from '../../model/index.ts';
import { type Chunk, ChunkDecoder, encodeSamples, type Interval } from '../../chunk/index.ts';
import { dropDeleted } from '../deleted-samples.ts';
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
    dropDeleted(columns, 0, leftOut);
    return encodeSamples(this.#kernels, columns, 0, columns.length, columns.length);
  }

  /** The samples of chunks that overlap in new chunks; of two with one time the one that `mergeSamples` keeps. */
  merge(chunks: readonly Chunk[]): Chunk[] {
    this.#merge(chunks);
    return encodeSamples(this.#kernels, this.#merged, 0, this.#merged.length);
  }

  /** The same for chunks of an out-of-order head, less what lies in the intervals; its chunks are cut by size. */
  mergeOutOfOrder(chunks: readonly Chunk[], leftOut: readonly Interval[]): Chunk[] {
    this.#merge(chunks);
    dropDeleted(this.#merged, 0, leftOut);
    return encodeSamples(this.#kernels, this.#merged, 0, this.#merged.length, 'by size');
  }

  /** Gives scratch memory back. */
  release(): void {
    this.#decoder.release();
  }

  #merge(chunks: readonly Chunk[]): void {
    mergeSamples(
      chunks.map((chunk, i) => this.#decode(chunk, i)),
      this.#merged,
    );
  }

  #decode({ encoding, bytes }: Chunk, slot: number): SampleColumns {
    const columns = (this.#decoded[slot] ??= new SampleColumns());
    columns.clear();
    this.#decoder.decode(encoding, bytes, -Infinity, Infinity, columns);
    return columns;
  }
}
