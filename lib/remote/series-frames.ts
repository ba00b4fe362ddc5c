import { type Labels, PromletError, SampleColumns } from '../model/index.ts';
import type { Series } from '../storage/index.ts';
import type { WireCodec } from './codec.ts';
import { writeFrame } from './frames.ts';
import { ProtoWriter } from './proto-writer.ts';
import { CHUNK_XOR } from './remote-series.ts';

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
   * Appends the frames of one series; none when it has no samples.
   * @throws PromletError `remote/unsupported-histogram`, and what reading the series throws
   */
  write(queryIndex: number, labels: Labels, series: Series): void {
    this.#columns.clear();
    series.read(this.#columns);
    if (this.#columns.length === 0) return;
    if (this.#columns.histograms !== undefined) {
      throw new PromletError('remote/unsupported-histogram', `${labels.toString()}: histograms are not sent yet`);
    }
    this.#labels.clear();
    writeLabels(this.#labels, labels);
    this.#startFrame();
    this.#codec.encodeXor(this.#columns, (minTimeMs, maxTimeMs, data) => {
      if (this.#series.length >= this.#frameBytes) {
        this.#finishFrame(queryIndex);
        this.#startFrame();
      }
      this.#chunk.clear();
      this.#chunk.int64(1, minTimeMs);
      this.#chunk.int64(2, maxTimeMs);
      this.#chunk.int64(3, CHUNK_XOR);
      this.#chunk.message(4, data);
      this.#series.message(2, this.#chunk.bytes);
    });
    this.#finishFrame(queryIndex);
  }

  #startFrame(): void {
    this.#series.clear();
    this.#series.raw(this.#labels.bytes);
  }

  #finishFrame(queryIndex: number): void {
    this.#frame.clear();
    this.#frame.message(1, this.#series.bytes);
    this.#frame.int64(2, queryIndex);
    writeFrame(this.#out, this.#frame.bytes, this.#codec.crc32c);
  }
}

const label = new ProtoWriter();

/** `repeated Label labels = 1`. */
export function writeLabels(out: ProtoWriter, labels: Labels): void {
  for (const [name, value] of labels) {
    label.clear();
    label.string(1, name);
    label.string(2, value);
    out.message(1, label.bytes);
  }
}
