import type { FileSystem } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import { BlockWriter } from '../block/block-writer.ts';
import type { BlockMeta, BlockStats } from '../block/meta.ts';
import { type Chunk, Encoding, sampleCount } from '../../chunk/index.ts';
import { mergeSeries, mergeSymbols } from './merge.ts';
import type { NewMeta } from './new-meta.ts';
import type { Pace } from '../pace.ts';
import { ChunkRecoder } from './recode.ts';
import type { CompactionSource } from './source.ts';

export interface WriteBlockOptions {
  /** Where the block's directory will lie. */
  readonly dir: string;
  /** Says too which times of the sources go into the block. */
  readonly meta: NewMeta;
  /** By first time. */
  readonly sources: readonly CompactionSource[];
  readonly fileSystem: FileSystem;
  readonly kernels: Kernels;
  readonly pace: Pace;
  /** Default 512 MiB. */
  readonly maxSegmentBytes?: number | undefined;
}

/** Symbols between two looks at the pace. */
const SYMBOLS_AT_A_TIME = 1024;

/**
 * Writes the union of sources as a block (tsdb/compact.go, `LeveledCompactor.write`): complete and durable under its name,
 * or not at all. Memory: what BlockWriter and the sources take, and one series of each source where they overlap.
 * @returns undefined when no samples are left, and then there is no block
 * @throws PromletError `storage/bad-block`, `storage/bad-chunk`, `storage/block-read` by a source; `storage/block-write`;
 *   what the pace throws
 */
export async function writeBlock(options: WriteBlockOptions): Promise<BlockMeta | undefined> {
  const { dir, meta, sources, fileSystem, kernels, pace, maxSegmentBytes } = options;
  const writer = new BlockWriter({
    dir,
    ulid: meta.ulid,
    fileSystem,
    kernels,
    ...(maxSegmentBytes === undefined ? {} : { maxSegmentBytes }),
  });
  const recoder = new ChunkRecoder(kernels);
  try {
    let symbols = 0;
    for (const symbol of mergeSymbols(sources)) {
      writer.addSymbol(symbol);
      if (++symbols % SYMBOLS_AT_A_TIME === 0) await pace();
    }
    const tally = new SampleTally();
    for (const { labels, chunks } of mergeSeries(sources, meta.minTime, meta.maxTime, recoder)) {
      writer.addSeries(labels, tally.count(chunks));
      const pause = pace();
      if (pause !== undefined) await pause;
    }
    if (tally.samples === 0) return undefined;
    const finished: BlockMeta = { ...meta, stats: tally.stats(writer), version: 1 };
    await writer.finish(finished, async () => pace());
    return finished;
  } finally {
    recoder.release();
    // Does nothing once it is finished.
    writer.abort();
  }
}

/** Counts samples as chunks pass by. */
class SampleTally {
  samples = 0;
  #histograms = 0;

  *count(chunks: Iterable<Chunk>): Generator<Chunk> {
    for (const chunk of chunks) {
      const samples = sampleCount(chunk.encoding, chunk.bytes);
      this.samples += samples;
      if (chunk.encoding !== Encoding.xor && chunk.encoding !== Encoding.xor2) this.#histograms += samples;
      yield chunk;
    }
  }

  stats({ numSeries, numChunks }: BlockWriter): BlockStats {
    const { samples } = this;
    const histograms = this.#histograms;
    return {
      numSamples: samples,
      numFloatSamples: samples - histograms,
      numHistogramSamples: histograms,
      numSeries,
      numChunks,
    };
  }
}
