import { PromletError, SampleColumns } from '../../model/index.ts';
import { type Chunk, type ChunkDecoder, sampleCount } from '../../chunk/index.ts';

/** Decodes chunks and compares what they hold with what is said of them. */
export class ChunkCheck {
  readonly #decoder: ChunkDecoder;
  readonly #columns = new SampleColumns();

  constructor(decoder: ChunkDecoder) {
    this.#decoder = decoder;
  }

  /**
   * @returns how many samples there are
   * @throws PromletError `storage/bad-chunk` when the chunk does not decode, has another number of samples than it says, or
   *   times that do not ascend from `minTimeMs` to `maxTimeMs`
   */
  run({ encoding, bytes, minTimeMs, maxTimeMs }: Chunk): number {
    const columns = this.#columns;
    columns.clear();
    const stated = sampleCount(encoding, bytes);
    this.#decoder.decode(encoding, bytes, -Infinity, Infinity, columns);
    const { timestamps, length } = columns;
    if (length === 0 || length !== stated) throw bad(`${length} samples where the chunk says ${stated}`);
    const first = timestamps[0]!;
    const last = timestamps[length - 1]!;
    if (first !== minTimeMs || last !== maxTimeMs) {
      throw bad(`times from ${first} to ${last}, said to be from ${minTimeMs} to ${maxTimeMs}`);
    }
    for (let i = 1; i < length; i++) {
      if (timestamps[i]! <= timestamps[i - 1]!) throw bad(`time ${timestamps[i]!} after ${timestamps[i - 1]!}`);
    }
    return length;
  }
}

function bad(reason: string): PromletError {
  return new PromletError('storage/bad-chunk', reason);
}
