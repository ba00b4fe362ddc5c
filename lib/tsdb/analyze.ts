import type { FileSystem } from '../env/index.ts';
import type { Kernels } from '../kernels/index.ts';
import { type Matcher, METRIC_NAME, PromletError, SampleColumns } from '../model/index.ts';
import { Block } from './block/block.ts';
import type { BlockMeta } from './block/meta.ts';
import { IndexSeries } from './block/index-series.ts';
import { PageCache } from './block/page-cache.ts';
import { ChunkDecoder, Encoding, sampleCount } from '../chunk/index.ts';
import { intersect } from './postings.ts';
import { selectLabelNames, selectLabelValues, selectPostings } from './select.ts';
import type { NamedCount } from './types.ts';

export interface AnalyzeOptions {
  /** The block's directory. */
  readonly blockDir: string;
  readonly fileSystem: FileSystem;
  readonly kernels: Kernels;
  /** Only series that all of these match; all series when there is none. */
  readonly matchers: readonly Matcher[];
  /** Look into the chunks too. */
  readonly withChunks: boolean;
}

/** What a block's index says of labels and churn. Lists are complete, the largest first, equal ones by name. */
export interface BlockAnalysis {
  readonly meta: BlockMeta;
  readonly matchedSeries: number;
  readonly labelNames: number;
  /** Different label pairs, and label pairs of all series together. */
  readonly labelPairs: number;
  readonly labelPairEntries: number;
  /** How many series' worth of the block's time the series of a label pair (`name=value`) or label name do not cover. */
  readonly churnByPair: readonly NamedCount[];
  readonly churnByName: readonly NamedCount[];
  readonly seriesByPair: readonly NamedCount[];
  /** Bytes of all values of a label together. */
  readonly valueBytesByName: readonly NamedCount[];
  readonly valuesByName: readonly NamedCount[];
  readonly seriesByMetric: readonly NamedCount[];
  readonly chunks: ChunkFill | undefined;
}

/** Per chunk, in the order of the series. */
export interface ChunkFill {
  readonly total: number;
  readonly floatSamples: readonly number[];
  readonly floatBytes: readonly number[];
  readonly histogramSamples: readonly number[];
  readonly histogramBytes: readonly number[];
  /** Buckets of all samples of the chunk. */
  readonly histogramBuckets: readonly number[];
}

/** Pages of the block kept while it is walked through. */
const CACHE_BYTES = 8 << 20;

/**
 * Walks through a block as `promtool tsdb analyze` does (cmd/promtool/tsdb.go, `analyzeBlock`).
 * @throws PromletError `storage/bad-block`, `storage/block-read`, `storage/bad-chunk`
 */
export function analyzeBlock(options: AnalyzeOptions): BlockAnalysis {
  const { blockDir, fileSystem, kernels, matchers } = options;
  const cache = new PageCache({ fileSystem, kernels, maxBytes: CACHE_BYTES });
  const block = Block.open({ dir: blockDir, cache });
  try {
    const { index, meta } = block;
    const refs = selectPostings(index, matchers);
    const pairs = countPairs(block, refs);
    const durationMs = meta.maxTime - meta.minTime;
    const shareOf = (uncoveredMs: number): number => Math.trunc(uncoveredMs / durationMs);
    const names = selectLabelNames(index, {}, matchers);
    const values = new Map(names.map((name) => [name, selectLabelValues(index, name, {}, matchers)]));
    const metrics = values.get(METRIC_NAME) ?? [];
    const bytesOf = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    const seriesOf = (metric: string): number => {
      const postings = index.postings(METRIC_NAME, metric);
      return matchers.length === 0 ? postings.length : intersect(postings, refs).length;
    };
    return {
      meta,
      matchedSeries: refs.length,
      labelNames: names.length,
      labelPairs: pairs.list.length,
      labelPairEntries: pairs.list.reduce((sum, { series }) => sum + series, 0),
      churnByPair: ranked(pairs.list.map(({ key, uncoveredMs }) => ({ name: key, value: shareOf(uncoveredMs) }))),
      churnByName: ranked([...pairs.uncoveredMsByName].map(([name, ms]) => ({ name, value: shareOf(ms) }))),
      seriesByPair: ranked(pairs.list.map(({ key, series }) => ({ name: key, value: series }))),
      valueBytesByName: ranked([...values].map(([name, list]) => ({ name, value: bytesOf(list) }))),
      valuesByName: ranked([...values].map(([name, list]) => ({ name, value: list.length }))),
      seriesByMetric: ranked(metrics.map((name) => ({ name, value: seriesOf(name) }))),
      chunks: options.withChunks ? fillOf(block, refs, kernels) : undefined,
    };
  } finally {
    block.close();
  }
}

interface Pair {
  readonly key: string;
  series: number;
  uncoveredMs: number;
}

function countPairs(
  { index, meta }: Block,
  refs: Uint32Array,
): { list: readonly Pair[]; uncoveredMsByName: ReadonlyMap<string, number> } {
  /** By the symbols of name and value. */
  const byName = new Map<number, Map<number, Pair>>();
  const uncoveredMsByName = new Map<string, number>();
  const series = new IndexSeries();
  const list: Pair[] = [];
  for (const ref of refs) {
    index.series(ref, series);
    const { symbols, chunks } = series;
    if (chunks.length === 0) throw new PromletError('storage/bad-block', `series ${ref} of ${meta.ulid} has no chunks`);
    const coveredMs = chunks.maxTimesMs[chunks.length - 1]! - chunks.minTimesMs[0]!;
    const uncoveredMs = meta.maxTime - meta.minTime - coveredMs;
    for (let i = 0; i < 2 * series.labelCount; i += 2) {
      const name = index.symbols.lookup(symbols[i]!);
      let values = byName.get(symbols[i]!);
      if (values === undefined) byName.set(symbols[i]!, (values = new Map()));
      let pair = values.get(symbols[i + 1]!);
      if (pair === undefined) {
        pair = { key: `${name}=${index.symbols.lookup(symbols[i + 1]!)}`, series: 0, uncoveredMs: 0 };
        values.set(symbols[i + 1]!, pair);
        list.push(pair);
      }
      pair.series++;
      pair.uncoveredMs += uncoveredMs;
      uncoveredMsByName.set(name, (uncoveredMsByName.get(name) ?? 0) + uncoveredMs);
    }
  }
  return { list, uncoveredMsByName };
}

function fillOf({ index, chunks: reader }: Block, refs: Uint32Array, kernels: Kernels): ChunkFill {
  const fill = {
    floatSamples: [] as number[],
    floatBytes: [] as number[],
    histogramSamples: [] as number[],
    histogramBytes: [] as number[],
    histogramBuckets: [] as number[],
  };
  const decoder = new ChunkDecoder(kernels);
  const series = new IndexSeries();
  let total = 0;
  for (const ref of refs) {
    index.series(ref, series);
    const { segments, offsets, length } = series.chunks;
    for (let i = 0; i < length; i++) {
      const { encoding, bytes } = reader.read(segments[i]!, offsets[i]!);
      total++;
      const samples = sampleCount(encoding, bytes);
      if (encoding === Encoding.xor || encoding === Encoding.xor2) {
        fill.floatSamples.push(samples);
        fill.floatBytes.push(bytes.length);
      } else {
        fill.histogramSamples.push(samples);
        fill.histogramBytes.push(bytes.length);
        fill.histogramBuckets.push(countBuckets(decoder, encoding, bytes));
      }
    }
  }
  decoder.release();
  return { total, ...fill };
}

function countBuckets(decoder: ChunkDecoder, encoding: Encoding, bytes: Uint8Array): number {
  const columns = new SampleColumns();
  decoder.decode(encoding, bytes, -Infinity, Infinity, columns);
  let buckets = 0;
  for (const histogram of columns.histograms ?? []) {
    buckets += (histogram?.positiveBuckets.length ?? 0) + (histogram?.negativeBuckets.length ?? 0);
  }
  return buckets;
}

/** The largest first; equal ones by name. */
function ranked(list: NamedCount[]): readonly NamedCount[] {
  return list.sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1));
}
