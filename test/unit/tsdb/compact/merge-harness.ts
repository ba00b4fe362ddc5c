import { createKernels } from '../../../../lib/kernels/index.ts';
import { compareUtf8, Labels, SampleColumns } from '../../../../lib/model/index.ts';
import type { Chunk, Interval } from '../../../../lib/chunk/chunk.ts';
import { ChunkDecoder } from '../../../../lib/chunk/decoder.ts';
import { encodeSamples } from '../../../../lib/chunk/encode.ts';
import { mergeSeries } from '../../../../lib/tsdb/compact/merge.ts';
import { ChunkRecoder } from '../../../../lib/tsdb/compact/recode.ts';
import type { CompactionSource } from '../../../../lib/tsdb/compact/source.ts';

export const kernels = createKernels();
const decoder = new ChunkDecoder(kernels);

/** Chunks of a series, each `time[=value] …`; without a value it is 0. */
export type SeriesText =
  readonly string[] | { readonly chunks: readonly string[]; readonly deleted: readonly Interval[] };

/** A source in memory: series by labels as `name=value …`, in any order. Its chunks lie in one buffer, as a block's do. */
export function source(series: Record<string, SeriesText>, overlapping = false): CompactionSource {
  const all = Object.entries(series).map(([text, content]) => ({
    labels: labelsOf(text),
    chunks: ('chunks' in content ? content.chunks : content).map(chunkOf),
    deleted: 'chunks' in content ? content.deleted : [],
  }));
  all.sort((a, b) => a.labels.compare(b.labels));
  const times = all.flatMap(({ chunks }) => chunks.flatMap((chunk) => [chunk.minTimeMs, chunk.maxTimeMs]));
  const buffer = new Uint8Array(1 << 16);
  return {
    minTimeMs: Math.min(...times),
    maxTimeMs: Math.max(...times) + 1,
    ...(overlapping ? { overlapping } : {}),
    symbols: () => [...new Set(all.flatMap(({ labels }) => labels.pairs))].sort(compareUtf8),
    *series() {
      for (const { labels, chunks, deleted } of all)
        yield { labels, deleted, chunks: throughOneBuffer(chunks, buffer) };
    },
  };
}

/** A chunk's bytes are overwritten by the next: what still uses them then is found out. */
function* throughOneBuffer(chunks: readonly Chunk[], buffer: Uint8Array): Generator<Chunk> {
  for (const chunk of chunks) {
    buffer.fill(0xee);
    buffer.set(chunk.bytes);
    yield { ...chunk, bytes: buffer.subarray(0, chunk.bytes.length) };
  }
  buffer.fill(0xee);
}

export function labelsOf(text: string): Labels {
  return Labels.of(text.split(' ').map((pair) => pair.split('=') as [string, string]));
}

export function chunkOf(text: string): Chunk {
  const columns = new SampleColumns();
  for (const sample of text.split(' ')) {
    const [time, value = 0] = sample.split('=').map(Number);
    columns.push(time!, value);
  }
  return encodeSamples(kernels, columns, 0, columns.length, columns.length)[0]!;
}

export function textOf({ encoding, bytes }: Chunk): string {
  const columns = new SampleColumns();
  decoder.decode(encoding, bytes, -Infinity, Infinity, columns);
  const samples: string[] = [];
  for (let i = 0; i < columns.length; i++) {
    const value = columns.values[i]!;
    samples.push(value === 0 ? `${columns.timestamps[i]}` : `${columns.timestamps[i]}=${value}`);
  }
  return samples.join(' ');
}

/** What of the sources is written into a block of [minMs, maxMs). Series without chunks are left out. */
export function merged(sources: CompactionSource[], minMs = -Infinity, maxMs = Infinity): Record<string, string[]> {
  const out: Record<string, string[]> = {};
  for (const { labels, chunks } of mergeSeries(sources, minMs, maxMs, new ChunkRecoder(kernels))) {
    const texts: string[] = [];
    for (const chunk of chunks) {
      const text = textOf(chunk);
      const times = text.split(' ').map((sample) => Number(sample.split('=')[0]));
      if (times[0] !== chunk.minTimeMs || times.at(-1) !== chunk.maxTimeMs) texts.push(`wrong times for ${text}`);
      texts.push(text);
    }
    if (texts.length > 0) out[[...labels].map((pair) => pair.join('=')).join(' ')] = texts;
  }
  return out;
}
