/** Against what test/tools/prometheus/chunkcases printed of Prometheus's own packages. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createKernels, layout } from '../../../lib/kernels/index.ts';
import { type FloatHistogram, isStaleNaN, SampleColumns, STALE_NAN } from '../../../lib/model/index.ts';
import { type Chunk, Encoding, sampleCount } from '../../../lib/chunk/chunk.ts';
import { ChunkDecoder } from '../../../lib/chunk/decoder.ts';
import { encodeSamples } from '../../../lib/chunk/encode.ts';
import { HistogramChunkAppender, HistogramScratch } from '../../../lib/chunk/histogram-appender.ts';

type Text = number | string;
type Span = readonly [offset: number, length: number];
type HistogramRow = readonly [
  integer: boolean,
  hint: number,
  schema: number,
  zeroThreshold: Text,
  zeroCount: Text,
  count: Text,
  sum: Text,
  positiveSpans: Span[],
  negativeSpans: Span[],
  positiveBuckets: Text[],
  negativeBuckets: Text[],
  customValues: Text[],
];
/** With a histogram: whether the chunk before was full. */
type SampleRow = readonly [timeMs: number, value: Text | HistogramRow, cut?: boolean];
type ChunkRow = readonly [encoding: Encoding, minMs: number, maxMs: number, bytes: string, decoded: SampleRow[]];

interface Case {
  readonly kind: 'histograms' | 'head' | 'mixed' | 'starts' | 'floats' | 'xor2';
  readonly samples: SampleRow[];
  readonly chunks: ChunkRow[];
}

const HINTS = ['unknown', 'reset', 'not_reset', 'gauge'] as const;

const cases = readFileSync(new URL('./prometheus-chunks.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Case);

describe('tsdb: chunks of Prometheus', function () {
  this.timeout(600_000);
  const kernels = createKernels();
  const decoder = new ChunkDecoder(kernels);

  it('are read as Prometheus reads them, hints included', () => {
    const encodings = new Set<Encoding>();
    for (const { chunks } of cases) {
      for (const [encoding, , , hex, decoded] of chunks) {
        encodings.add(encoding);
        const bytes = Buffer.from(hex, 'hex');
        assert.equal(sampleCount(encoding, bytes), decoded.length);
        const columns = new SampleColumns();
        decoder.decode(encoding, bytes, -Infinity, Infinity, columns);
        assert.deepEqual(plainSamples(columns), plainSamples(columnsOf(decoded)));
      }
    }
    assert.equal(encodings.size, 6);
  });

  it('are written with the same bytes as compaction writes them', () => {
    let compared = 0;
    for (const { kind, samples, chunks } of cases) {
      if (kind === 'head' || kind === 'starts' || kind === 'xor2') continue;
      const columns = columnsOf(samples);
      assert.deepEqual(encodeSamples(kernels, columns, 0, columns.length).map(plainChunk), chunks.map(expected));
      compared += chunks.length;
    }
    assert.ok(compared > 50);
  });

  it('are written with the same bytes as the head writes them', () => {
    const appender = new HistogramChunkAppender(new HistogramScratch(kernels));
    let compared = 0;
    for (const { kind, samples, chunks } of cases) {
      if (kind !== 'head') continue;
      assert.deepEqual(appendAll(appender, samples).map(plainChunk), chunks.map(expected));
      compared += chunks.length;
    }
    assert.ok(compared > 30);
  });

  function appendAll(appender: HistogramChunkAppender, samples: readonly SampleRow[]): Chunk[] {
    const { arena } = kernels;
    const { timestamps, histograms } = columnsOf(samples);
    const chunks: Chunk[] = [];
    let from = 0;
    const complete = (to: number): void => {
      const data = appender.block + layout.CHUNK_DATA;
      const bytes = arena.u8.slice(data, data + appender.sizeBytes);
      chunks.push({
        minTimeMs: timestamps[from]!,
        maxTimeMs: timestamps[to - 1]!,
        encoding: appender.encoding,
        bytes,
      });
      arena.free(appender.block, appender.blockBytes);
      from = to;
    };
    samples.forEach(([timeMs, , cut], i) => {
      const histogram = histograms![i]!;
      if (i > 0 && !cut && appender.append(timeMs, histogram)) return;
      if (i > 0) complete(i);
      appender.cut(timeMs, histogram, i === 0 ? 'first' : cut ? 'full' : 'refused');
    });
    complete(samples.length);
    return chunks;
  }
});

function columnsOf(rows: readonly SampleRow[]): SampleColumns {
  const columns = new SampleColumns();
  for (const [timeMs, value] of rows) {
    if (Array.isArray(value)) columns.pushHistogram(timeMs, histogramOf(value as unknown as HistogramRow));
    else columns.push(timeMs, numberOf(value as Text));
  }
  return columns;
}

function histogramOf(row: HistogramRow): FloatHistogram {
  const [integer, hint, schema, zeroThreshold, zeroCount, count, sum, ...lists] = row;
  const [positiveSpans, negativeSpans, positiveBuckets, negativeBuckets, customValues] = lists;
  const spans = (list: readonly Span[]) => list.map(([offset, length]) => ({ offset, length }));
  return {
    ...(integer ? { integer } : {}),
    counterResetHint: HINTS[hint]!,
    schema,
    zeroThreshold: numberOf(zeroThreshold),
    zeroCount: numberOf(zeroCount),
    count: numberOf(count),
    sum: numberOf(sum),
    positiveSpans: spans(positiveSpans),
    negativeSpans: spans(negativeSpans),
    positiveBuckets: Float64Array.from(positiveBuckets, numberOf),
    negativeBuckets: Float64Array.from(negativeBuckets, numberOf),
    customValues: Float64Array.from(customValues, numberOf),
  };
}

function numberOf(text: Text): number {
  if (typeof text === 'number') return text;
  return text === 'stale' ? STALE_NAN : Number(text.replace('Inf', 'Infinity'));
}

/** Comparable: NaNs by what they mean, typed arrays of any buffer as lists. */
function plainSamples(columns: SampleColumns): unknown[] {
  const plain = (value: number): Text => (isStaleNaN(value) ? 'stale' : value);
  return Array.from({ length: columns.length }, (_, i) => {
    const histogram = columns.histograms?.[i];
    if (histogram === undefined) return [columns.timestamps[i], plain(columns.values[i]!)];
    const { sum, positiveBuckets, negativeBuckets, customValues, ...rest } = histogram;
    const lists = [[...positiveBuckets], [...negativeBuckets], [...customValues]];
    return [columns.timestamps[i], rest, plain(sum), lists];
  });
}

function plainChunk({ encoding, minTimeMs, maxTimeMs, bytes }: Chunk): unknown[] {
  return [encoding, minTimeMs, maxTimeMs, Buffer.from(bytes).toString('hex')];
}

function expected([encoding, minMs, maxMs, bytes]: ChunkRow): unknown[] {
  return [encoding, minMs, maxMs, bytes];
}
