import { nodeFileSystem, seededRandom } from '../../../../lib/env/index.ts';
import { Labels } from '../../../../lib/model/index.ts';
import { ChunkMetas } from '../../../../lib/tsdb/block/index-series.ts';
import { IndexReader } from '../../../../lib/tsdb/block/index-reader.ts';
import { IndexWriter } from '../../../../lib/tsdb/block/index-writer.ts';
import { PageCache } from '../../../../lib/tsdb/block/page-cache.ts';
import { Window, WindowFile } from '../../../../lib/tsdb/block/window-file.ts';
import { kernels } from './harness.ts';

export interface Entry {
  readonly labels: Labels;
  /** minimum, maximum, segment, offset */
  readonly chunks: readonly (readonly [number, number, number, number])[];
}

/** @returns the path */
export async function writeIndex(
  path: string,
  entries: readonly Entry[],
  symbols: readonly string[],
  batchRefs?: number,
): Promise<string> {
  const writer = new IndexWriter(nodeFileSystem, kernels, path, batchRefs);
  try {
    for (const symbol of symbols) writer.addSymbol(symbol);
    for (const { labels, chunks } of entries) writer.addSeries(labels, metasOf(chunks));
    await writer.finish(async () => {});
  } finally {
    writer.close();
  }
  return path;
}

export function openIndex(path: string, maxBytes?: number): IndexReader {
  const cache = new PageCache({
    fileSystem: nodeFileSystem,
    kernels,
    ...(maxBytes === undefined ? {} : { maxBytes }),
  });
  const window = new Window(kernels);
  const from = new WindowFile(nodeFileSystem, path, window);
  const reader = new IndexReader(kernels, cache.open(path), from);
  from.close();
  window.release();
  return reader;
}

export function randomEntries(count: number, seed: number): Entry[] {
  const random = seededRandom(seed);
  const pick = (n: number): number => Math.floor(random() * n);
  const byKey = new Map<string, Labels>();
  while (byKey.size < count) {
    const labels = Labels.of({
      __name__: `metric_${pick(20)}`,
      job: ['api', 'db', 'wéb', '\u{1f600}'][pick(4)]!,
      instance: pick(3) === 0 ? '' : `10.0.${pick(20)}.${pick(50)}:9090`,
      [`l${pick(40)}`]: 'x'.repeat(pick(300)),
    });
    byKey.set(labels.key, labels);
  }
  let offset = 8;
  let segment = 0;
  return [...byKey.values()]
    .sort((a, b) => a.compare(b))
    .map((labels) => {
      const chunks: [number, number, number, number][] = [];
      let timeMs = pick(2) === 0 ? -(2 ** 52) - pick(1e6) : 1_700_000_000_000 + pick(1e9);
      for (let left = pick(12); left >= 0; left--) {
        const maxTimeMs = timeMs + (pick(50) === 0 ? 2 ** 40 : pick(1e7));
        chunks.push([timeMs, maxTimeMs, segment, offset]);
        timeMs = maxTimeMs + 1 + pick(1e5);
        offset += 1 + pick(pick(20) === 0 ? 2 ** 24 : 2000);
        if (offset > 2 ** 29) {
          offset = 8;
          segment++;
        }
      }
      return { labels, chunks };
    });
}

export function metasOf(chunks: Entry['chunks']): ChunkMetas {
  const metas = new ChunkMetas();
  for (const chunk of chunks) metas.push(...chunk);
  return metas;
}

export function listOf(metas: ChunkMetas): [number, number, number, number][] {
  return Array.from({ length: metas.length }, (_, i) => [
    metas.minTimesMs[i]!,
    metas.maxTimesMs[i]!,
    metas.segments[i]!,
    metas.offsets[i]!,
  ]);
}
