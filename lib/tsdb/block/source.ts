import { join } from 'node:path';
import type { Chunk } from '../../chunk/index.ts';
import type { CompactionSource, SourceSeries } from '../compact/source.ts';
import type { Block } from './block.ts';
import { ChunkReader } from './chunk-reader.ts';
import { INDEX_FILE } from './format.ts';
import { IndexSeries } from './index-series.ts';
import { Window, WindowFile } from './window-file.ts';

/**
 * A block as compaction reads it, front to back through windows of its own, so that queries keep their pages. Memory: two
 * windows of 256 KiB, 4 bytes a series.
 */
export function blockSource(block: Block): CompactionSource {
  return {
    minTimeMs: block.meta.minTime,
    maxTimeMs: block.meta.maxTime,
    symbols: () => symbolsOf(block),
    series: () => seriesOf(block),
  };
}

function* symbolsOf(block: Block): Generator<string, void, undefined> {
  const window = new Window(block.kernels);
  const file = new WindowFile(block.fileSystem, join(block.dir, INDEX_FILE), window);
  try {
    yield* block.index.symbols.all(file);
  } finally {
    file.close();
    window.release();
  }
}

function* seriesOf(block: Block): Generator<SourceSeries, void, undefined> {
  const { fileSystem, kernels, index, tombstones } = block;
  const indexWindow = new Window(kernels);
  const chunkWindow = new Window(kernels);
  const file = new WindowFile(fileSystem, join(block.dir, INDEX_FILE), indexWindow);
  let chunks: ChunkReader | undefined;
  try {
    chunks = new ChunkReader(fileSystem, kernels, block.dir, (path) => new WindowFile(fileSystem, path, chunkWindow));
    const entry = new IndexSeries();
    for (const ref of index.allPostings()) {
      index.series(ref, entry, file);
      yield { labels: index.labels(entry), chunks: chunksOf(chunks, entry), deleted: tombstones.get(ref) };
    }
  } finally {
    chunks?.close();
    file.close();
    indexWindow.release();
    chunkWindow.release();
  }
}

/** The bytes lie in the window until the next chunk is read. */
function* chunksOf(reader: ChunkReader, { chunks }: IndexSeries): Generator<Chunk, void, undefined> {
  for (let i = 0; i < chunks.length; i++) {
    const { encoding, bytes, crc } = reader.read(chunks.segments[i]!, chunks.offsets[i]!);
    yield { minTimeMs: chunks.minTimesMs[i]!, maxTimeMs: chunks.maxTimesMs[i]!, encoding, bytes, crc };
  }
}
