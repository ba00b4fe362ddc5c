import { type Encoding, storedEncoding } from '../chunk/index.ts';
import { type Labels, SampleColumns } from '../model/index.ts';
import type { ChunkSeries, Series } from '../storage/index.ts';
import type { WireCodec } from './codec.ts';
import { writeFrame } from './frames.ts';
import { ProtoWriter } from './proto-writer.ts';
import type { ReadQuery } from './read-request.ts';

/**
 * Writes series as frames of a STREAMED_XOR_CHUNKS answer: at most one series in a frame, a large one in several
 * (Prometheus `StreamChunkedReadResponses`).
 */
export class SeriesFrames {
  readonly #codec: WireCodec;
  readonly #frameBytes: number;
  readonly #out: ProtoWriter;
  readonly #columns = new SampleColumns();
  readonly #labels = new ProtoWriter();
  readonly #chunk = new ProtoWriter();
  /** The ChunkedSeries message of the frame that is being filled: labels, then chunks. */
  readonly #series = new ProtoWriter();
  readonly #frame = new ProtoWriter();

  /** @param frameBytes a frame is closed once its series message holds this much */
  constructor(codec: WireCodec, frameBytes: number, out: ProtoWriter) {
    this.#codec = codec;
    this.#frameBytes = frameBytes;
    this.#out = out;
  }

  /**
   * Appends the frames of one series; none when it has no samples. Chunks that the storage holds go out as they are, and
   * may then hold samples outside the range, which clients cut; other series are encoded here.
   * @throws what reading the series throws
   */
  write(queryIndex: number, labels: Labels, series: Series, { startMs, endMs }: ReadQuery): void {
    this.#labels.clear();
    writeLabels(this.#labels, labels);
    this.#startFrame();
    if (isChunkSeries(series)) {
      for (const { minTimeMs, maxTimeMs, encoding, bytes } of series.chunks(startMs, endMs)) {
        this.#addChunk(queryIndex, storedEncoding(encoding), minTimeMs, maxTimeMs, bytes);
      }
    } else {
      this.#columns.clear();
      series.read(this.#columns);
      for (const { minTimeMs, maxTimeMs, encoding, bytes } of this.#codec.encodeChunks(this.#columns)) {
        this.#addChunk(queryIndex, encoding, minTimeMs, maxTimeMs, bytes);
      }
    }
    if (this.#series.length > this.#labels.length) this.#finishFrame(queryIndex);
  }

  /** prompb numbers the encodings as chunkenc does. */
  #addChunk(queryIndex: number, encoding: Encoding, minTimeMs: number, maxTimeMs: number, data: Uint8Array): void {
    if (this.#series.length >= this.#frameBytes && this.#series.length > this.#labels.length) {
      this.#finishFrame(queryIndex);
      this.#startFrame();
    }
    this.#chunk.clear();
    this.#chunk.int64(1, minTimeMs);
    this.#chunk.int64(2, maxTimeMs);
    this.#chunk.int64(3, encoding);
    this.#chunk.message(4, data);
    this.#series.embed(2, this.#chunk);
  }

  #startFrame(): void {
    this.#series.clear();
    this.#series.append(this.#labels);
  }

  #finishFrame(queryIndex: number): void {
    this.#frame.clear();
    this.#frame.embed(1, this.#series);
    this.#frame.int64(2, queryIndex);
    writeFrame(this.#out, this.#frame.bytes, this.#codec.crc32c);
  }
}

function isChunkSeries(series: Series): series is ChunkSeries {
  return 'chunks' in series;
}

const label = new ProtoWriter();

/** `repeated Label labels = 1`. */
export function writeLabels(out: ProtoWriter, labels: Labels): void {
  for (const [name, value] of labels) {
    label.clear();
    label.string(1, name);
    label.string(2, value);
    out.embed(1, label);
  }
}
