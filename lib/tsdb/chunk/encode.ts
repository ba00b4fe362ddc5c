import { type Kernels, layout } from '../../kernels/index.ts';
import { assert, type FloatHistogram, type SampleColumns } from '../../model/index.ts';
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
          next = Math.min(end, at + samplesPerChunk);
          push(next, next - at, Encoding.xor, writer.encode(timestamps, values, at, next));
        }
        continue;
      }
      appender.cut(timestamps[at]!, histograms[at]!, 'first');
      for (at++; at < end; at++) {
        const full = appender.samples >= samplesPerChunk;
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
