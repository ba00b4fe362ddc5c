import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type FileSystem, nodeFileSystem } from '../../../../lib/env/index.ts';
import { createKernels, type Kernels } from '../../../../lib/kernels/index.ts';
import { compareUtf8, type Labels, Matcher, SampleColumns } from '../../../../lib/model/index.ts';
import { collectSeries, type Querier } from '../../../../lib/storage/index.ts';
import { Block } from '../../../../lib/tsdb/block/block.ts';
import { BlockWriter } from '../../../../lib/tsdb/block/block-writer.ts';
import type { BlockMeta } from '../../../../lib/tsdb/block/meta.ts';
import { PageCache } from '../../../../lib/tsdb/block/page-cache.ts';
import { encodeSamples } from '../../../../lib/chunk/encode.ts';
import { parse, textOf } from '../harness.ts';

export const ULID = '01HF4K5TZ0000000000000B10C';
export const kernels: Kernels = createKernels();

/** Series as `name a=1`, with samples as [time, value]. */
export type Content = Record<string, readonly (readonly [timeMs: number, value: number])[]>;

/** What was read, the same way round. */
export type Found = Record<string, [timeMs: number, value: string][]>;

/** `count` samples from `startMs` on, 15 s apart; values that do not compress away. */
export function samples(count: number, startMs = 0, seed = 1): [number, number][] {
  return Array.from({ length: count }, (_, i) => [startMs + i * 15_000, ((i + 1) * seed * 7919) % 1000]);
}

export function metaOf(content: Content, ulid = ULID): BlockMeta {
  const times = Object.values(content).flatMap((list) => list.map(([timeMs]) => timeMs));
  return {
    ulid,
    minTime: times.reduce((least, timeMs) => Math.min(least, timeMs), Infinity),
    maxTime: times.reduce((most, timeMs) => Math.max(most, timeMs), -Infinity) + 1,
    stats: { numSamples: times.length, numFloatSamples: times.length, numSeries: Object.keys(content).length },
    compaction: { level: 1, sources: [ulid] },
    version: 1,
  };
}

export interface WriteOptions {
  readonly fileSystem?: FileSystem;
  readonly ulid?: string;
  readonly maxSegmentBytes?: number;
  readonly kernels?: Kernels;
}

/** Writes a block into `dir` as the head would: symbols with '', chunks of 120. @returns the block's directory */
export async function writeBlock(dir: string, content: Content, options: WriteOptions = {}): Promise<string> {
  const { fileSystem = nodeFileSystem, ulid = ULID, ...rest } = options;
  if (options.fileSystem === undefined) mkdirSync(dir, { recursive: true });
  const writer = new BlockWriter({ dir, ulid, fileSystem, kernels, ...rest });
  const series = Object.entries(content).map(([text, list]) => ({ labels: parse(text), list }));
  series.sort((a, b) => a.labels.compare(b.labels));
  const meta = metaOf(content, ulid);
  try {
    for (const symbol of symbolsOf(series.map(({ labels }) => labels))) writer.addSymbol(symbol);
    for (const { labels, list } of series) {
      const columns = new SampleColumns();
      for (const [timeMs, value] of list) columns.push(timeMs, value);
      writer.addSeries(labels, encodeSamples(kernels, columns, 0, columns.length));
    }
    await writer.finish({ ...meta, stats: { ...meta.stats, numChunks: writer.numChunks } }, async () => {});
  } catch (error) {
    writer.abort();
    throw error;
  }
  return join(dir, ulid);
}

export function symbolsOf(all: readonly Labels[]): string[] {
  return [...new Set(['', ...all.flatMap((labels) => labels.pairs)])].sort(compareUtf8);
}

export function openBlock(dir: string, fileSystem: FileSystem = nodeFileSystem, maxBytes?: number): Block {
  const cache = new PageCache({ fileSystem, kernels, ...(maxBytes === undefined ? {} : { maxBytes }) });
  return Block.open({ dir, cache });
}

export const EVERYTHING = [new Matcher('=~', '__name__', '.*')];

/** All samples that a querier gives, stale markers as `stale`. */
export async function read(
  querier: Querier,
  matchers: readonly Matcher[] = EVERYTHING,
  hints: { startMs?: number; endMs?: number; limit?: number } = {},
): Promise<Found> {
  const found: Found = {};
  const columns = new SampleColumns();
  const set = await querier.select(true, { startMs: -1e15, endMs: 1e15, ...hints }, matchers);
  for (const series of await collectSeries(set)) {
    columns.clear();
    series.read(columns);
    found[textOfLabels(series.labels)] = Array.from(columns.timestamps.subarray(0, columns.length), (timeMs, i) => [
      timeMs,
      textOf(columns.values[i]!),
    ]);
  }
  return found;
}

/** As `parse` of the tsdb harness takes them. */
export function textOfLabels(labels: Labels): string {
  const rest = [...labels].filter(([name]) => name !== '__name__').map(([name, value]) => `${name}=${value}`);
  return [labels.get('__name__'), ...rest].join(' ');
}

/** The content as `read` would give it, in order. */
export function expected(content: Content): Found {
  const series = Object.entries(content).map(([text, list]) => ({ labels: parse(text), list }));
  series.sort((a, b) => a.labels.compare(b.labels));
  return Object.fromEntries(
    series.map(({ labels, list }) => [textOfLabels(labels), list.map(([timeMs, value]) => [timeMs, textOf(value)])]),
  );
}
