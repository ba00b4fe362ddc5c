import { type Kernels, layout } from '../kernels/index.ts';
import { assert, type FloatHistogram, type SampleColumns } from '../model/index.ts';
import { type Chunk, Encoding } from './chunk.ts';
import { HistogramChunkAppender, HistogramScratch } from './histogram-appender.ts';
import { XorChunkWriter } from './xor-writer.ts';

/** Samples after which a chunk is cut (`seriesToChunkEncoderSplit` of storage/series.go). */
const SAMPLES_PER_CHUNK = 120;
// What an XOR chunk, and a histogram chunk of more than a few samples, has to reach to be cut by size (tsdb/chunkenc/chunk.go).
const FULL_XOR_BYTES = 1024 - 19;
const FULL_HISTOGRAM_BYTES = 1024;
const MIN_HISTOGRAM_SAMPLES = 10;

/**
 * Encodes samples [from, to) as chunks, cut as `storage.NewSeriesToChunkEncoder` of Prometheus cuts them: every 120 samples,
 * where floats, integer and float histograms follow one another, and where histograms do not go on (a counter reset,
 * another schema). Times rise. The chunks' bytes have memory of their own.
 * @param samplesPerChunk another count to cut after, for samples that were one chunk before; or not by count but where
 *   chunks are about 1 KiB, as the out-of-order head's are in Prometheus's blocks (`populateChunksFromIterable`)
 */
export function encodeSamples(
  kernels: Kernels,
  columns: SampleColumns,
  from: number,
  to: number,
  samplesPerChunk: number | 'by size' = SAMPLES_PER_CHUNK,
): Chunk[] {
  assert(from >= 0 && to <= columns.length, 'encode: samples that are not there');
  const { timestamps, values, histograms } = columns;
  const chunks: Chunk[] = [];
  const push = (end: number, count: number, encoding: Encoding, bytes: Uint8Array): void => {
    chunks.push({ minTimeMs: timestamps[end - count]!, maxTimeMs: timestamps[end - 1]!, encoding, bytes });
  };
  const writer = new XorChunkWriter(kernels);
  const scratch = new HistogramScratch(kernels);
  const appender = new HistogramChunkAppender(scratch);
  /** Takes the open chunk of histograms, which ends before sample `end`. */
  const complete = (end: number): void => {
    const data = appender.block + layout.CHUNK_DATA;
    const bytes = kernels.arena.u8.slice(data, data + appender.sizeBytes);
    push(end, appender.samples, appender.encoding, bytes);
    kernels.arena.free(appender.block, appender.blockBytes);
  };
  try {
    for (let at = from; at < to;) {
      const start = at;
      const end = endOfRun(histograms, start, to);
      if (histograms?.[start] === undefined) {
        for (let next = at; at < end; at = next) {
          next =
            samplesPerChunk === 'by size' ? endBySize(writer, columns, at, end) : Math.min(end, at + samplesPerChunk);
          push(next, next - at, Encoding.xor, writer.encode(timestamps, values, at, next));
        }
        continue;
      }
      appender.cut(timestamps[at]!, histograms[at]!, 'first');
      for (at++; at < end; at++) {
        const { samples, sizeBytes } = appender;
        const full =
          samplesPerChunk === 'by size'
            ? sizeBytes > FULL_HISTOGRAM_BYTES && samples > MIN_HISTOGRAM_SAMPLES
            : samples >= samplesPerChunk;
        if (!full && appender.append(timestamps[at]!, histograms[at]!)) continue;
        complete(at);
        // A full chunk is not looked at: Prometheus's encoder passes no appender of the chunk before.
        appender.cut(timestamps[at]!, histograms[at]!, full ? 'first' : 'refused');
      }
      complete(end);
    }
  } finally {
    appender.close();
    scratch.release();
    writer.release();
  }
  return chunks;
}

/** The end of the run of samples of one kind that begins at `start`. */
function endOfRun(histograms: readonly (FloatHistogram | undefined)[] | undefined, start: number, to: number): number {
  if (histograms === undefined) return to;
  const first = histograms[start];
  let end = start + 1;
  while (end < to && (first === undefined) === (histograms[end] === undefined)) {
    if (histograms[end]?.integer !== first?.integer) break;
    end++;
  }
  return end;
}

/** Where the XOR chunk ends that begins at sample `from` and is cut by size: with the sample that makes it full. */
function endBySize(writer: XorChunkWriter, { timestamps, values }: SampleColumns, from: number, to: number): number {
  const isFull = (end: number): boolean => writer.encode(timestamps, values, from, end).length > FULL_XOR_BYTES;
  let notFull = from;
  let end = Math.min(to, from + SAMPLES_PER_CHUNK);
  while (!isFull(end)) {
    if (end === to) return to;
    notFull = end;
    end = Math.min(to, from + 2 * (end - from));
  }
  while (end - notFull > 1) {
    const middle = (notFull + end) >>> 1;
    if (isFull(middle)) end = middle;
    else notFull = middle;
  }
  return end;
}
