import { type Kernels, layout } from '../../kernels/index.ts';
import { assert, type SampleColumns } from '../../model/index.ts';
import { type Chunk, Encoding } from './chunk.ts';
import { HistogramChunkAppender, HistogramScratch } from './histogram-appender.ts';
import { XorChunkWriter } from './xor-writer.ts';

/** Samples after which a chunk is cut (`seriesToChunkEncoderSplit` of storage/series.go). */
const SAMPLES_PER_CHUNK = 120;

/**
 * Encodes samples [from, to) as chunks, cut as `storage.NewSeriesToChunkEncoder` of Prometheus cuts them: every 120 samples,
 * where floats, integer and float histograms follow one another, and where histograms do not go on (a counter reset,
 * another schema). Times rise. The chunks' bytes have memory of their own.
 * @param samplesPerChunk another count to cut after, for samples that were one chunk before
 */
export function encodeSamples(
  kernels: Kernels,
  columns: SampleColumns,
  from: number,
  to: number,
  samplesPerChunk: number = SAMPLES_PER_CHUNK,
): Chunk[] {
  assert(from >= 0 && to <= columns.length, 'encode: samples that are not there');
  const chunks: Chunk[] = [];
  const { histograms } = columns;
  const xor = new XorChunkWriter(kernels);
  const scratch = new HistogramScratch(kernels);
  const appender = new HistogramChunkAppender(scratch);
  try {
    for (let start = from; start < to;) {
      const end =
        histograms?.[start] === undefined
          ? floatsUntil(columns, start, Math.min(to, start + samplesPerChunk))
          : undefined;
      if (end === undefined) {
        start = appendHistograms(kernels, appender, columns, start, to, chunks, samplesPerChunk);
      } else {
        const bytes = xor.encode(columns.timestamps, columns.values, start, end);
        chunks.push(chunkOf(columns, start, end, Encoding.xor, bytes));
        start = end;
      }
    }
  } finally {
    appender.close();
    scratch.release();
    xor.release();
  }
  return chunks;
}

/** The end of the run of floats that begins at `start`. */
function floatsUntil({ histograms }: SampleColumns, start: number, to: number): number {
  let end = start + 1;
  while (end < to && histograms?.[end] === undefined) end++;
  return end;
}

/** Encodes the run of histograms of one kind that begins at `start`. @returns its end */
function appendHistograms(
  kernels: Kernels,
  appender: HistogramChunkAppender,
  columns: SampleColumns,
  start: number,
  to: number,
  chunks: Chunk[],
  samplesPerChunk: number,
): number {
  const { timestamps, histograms } = columns;
  const integer = histograms![start]!.integer;
  const { arena } = kernels;
  const finish = (end: number): void => {
    const data = appender.block + layout.CHUNK_DATA;
    const bytes = arena.u8.slice(data, data + appender.sizeBytes);
    chunks.push(chunkOf(columns, end - appender.samples, end, appender.encoding, bytes));
    arena.free(appender.block, appender.blockBytes);
  };
  appender.cut(timestamps[start]!, histograms![start]!, 'first');
  let at = start + 1;
  for (; at < to; at++) {
    const histogram = histograms![at];
    if (histogram === undefined || histogram.integer !== integer) break;
    const full = appender.samples >= samplesPerChunk;
    if (!full && appender.append(timestamps[at]!, histogram)) continue;
    finish(at);
    // A full chunk is not looked at: the encoder of Prometheus passes no appender of the chunk before.
    appender.cut(timestamps[at]!, histogram, full ? 'first' : 'refused');
  }
  finish(at);
  return at;
}

function chunkOf(
  { timestamps }: SampleColumns,
  from: number,
  to: number,
  encoding: Encoding,
  bytes: Uint8Array,
): Chunk {
  return { minTimeMs: timestamps[from]!, maxTimeMs: timestamps[to - 1]!, encoding, bytes };
}
