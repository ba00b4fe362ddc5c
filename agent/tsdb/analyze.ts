import { join } from 'node:path';
import { createKernels } from '../../lib/kernels/index.ts';
import { PromletError } from '../../lib/model/index.ts';
import { parseSelector } from '../../lib/promql/index.ts';
import { analyzeBlock as analyze, type ChunkFill, type NamedCount, newestBlock } from '../../lib/tsdb/index.ts';
import { formatGoDuration } from './go-format.ts';
import { requireDirectory } from './data-directory.ts';
import type { TsdbHost } from './host.ts';

/** `tsdb analyze`: which labels and metrics make a block large, and with `extended` how well its chunks are filled. */
export function analyzeBlock(
  host: TsdbHost,
  dir: string,
  blockId: string | undefined,
  { limit, extended, match }: { readonly limit: number; readonly extended: boolean; readonly match: string },
): void {
  const { fileSystem, out } = host;
  const matchers = match === '' ? [] : parseSelector(match);
  requireDirectory(fileSystem, dir);
  const name = blockId ?? newestBlock(fileSystem, dir);
  const blockDir = join(dir, name);
  if (!fileSystem.existsSync(blockDir)) throw new PromletError('storage/no-block', `invalid block ID ${name}`);
  const found = analyze({ blockDir, fileSystem, kernels: createKernels(), matchers, withChunks: extended });
  const { meta } = found;
  out.write(`Block ID: ${meta.ulid}\n`);
  out.write(`Duration: ${formatGoDuration(meta.maxTime - meta.minTime)}\n`);
  out.write(`Total Series: ${meta.stats.numSeries ?? 0}\n`);
  if (match !== '') out.write(`Matcher: ${match}\n`);
  out.write(`Label names: ${found.labelNames}\n`);
  if (match !== '') out.write(`Matched series: ${found.matchedSeries}\n`);
  out.write(`Postings (unique label pairs): ${found.labelPairs}\n`);
  out.write(`Postings entries (total label pairs): ${found.labelPairEntries}\n`);
  const list = (title: string, counts: readonly NamedCount[]): void => {
    out.write(`\n${title}:\n`);
    for (const { name, value } of counts.slice(0, Math.max(0, limit))) out.write(`${value} ${name}\n`);
  };
  list('Label pairs most involved in churning', found.churnByPair);
  list('Label names most involved in churning', found.churnByName);
  list('Most common label pairs', found.seriesByPair);
  list('Label names with highest cumulative label value length', found.valueBytesByName);
  list('Highest cardinality labels', found.valuesByName);
  list('Highest cardinality metric names', found.seriesByMetric);
  if (found.chunks !== undefined) out.write(`\nCompaction analysis:\n\n${fillText(found.chunks)}`);
}

function fillText(fill: ChunkFill): string {
  return [
    distribution('samples per float chunk', fill.floatSamples, fill.total),
    distribution('bytes per float chunk', fill.floatBytes, fill.total),
    distribution('samples per histogram chunk', fill.histogramSamples, fill.total),
    distribution('bytes per histogram chunk', fill.histogramBytes, fill.total),
    distribution('buckets per histogram chunk', fill.histogramBuckets, fill.total),
  ].join('');
}

/** About ten rows, each with its count and a bar of as many `#` as it has per cent of all chunks (`displayHistogram`). */
function distribution(title: string, values: readonly number[], total: number): string {
  if (values.length === 0) return `${title}: N/A\n\n`;
  const sorted = [...values].sort((a, b) => a - b);
  const min = sorted[0]!;
  const max = sorted.at(-1)!;
  const { start, end, step } = rowsFor(min, max);
  const counts = Array.from({ length: Math.floor((end - start) / step) + 1 }, () => 0);
  let sum = 0;
  for (const value of sorted) {
    sum += value;
    counts[Math.floor((value - start) / step)]!++;
  }
  const padded = (value: number, like: number): string => String(value).padStart(String(like).length);
  const maxCount = counts.reduce((most, count) => Math.max(most, count), 0);
  let out = `${title} (min/avg/max): ${min}/${Math.trunc(sum / sorted.length)}/${max}\n`;
  counts.forEach((count, row) => {
    const from = padded(row * step + start + 1, end);
    const to = padded((row + 1) * step + start, end + step);
    const bar = '#'.repeat(Math.trunc((100 * count) / total));
    out += `[${from}, ${to}]: ${padded(count, maxCount)} ${bar}\n`;
  });
  return `${out}\n`;
}

/** Rows of 10, 100, … up to 100,000 wide, so that there are about ten (`generateBucket`). */
function rowsFor(min: number, max: number): { start: number; end: number; step: number } {
  const tenth = Math.trunc((max - min) / 10);
  let step = 10;
  while (step < tenth && step <= 10_000) step *= 10;
  return { start: min - (min % step), end: max - (max % step) + step, step };
}
