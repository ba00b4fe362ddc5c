import { type Kernels, Scratch } from '../../kernels/index.ts';
import type { Labels } from '../../model/index.ts';
import type { SampleBuffer } from '../head/columns.ts';
import { MAX_RECORD_SAMPLES } from '../limits.ts';
import { encodeExemplars, type LoggedExemplar } from './exemplar-record.ts';
import { FLAG_SNAPPY } from './format.ts';
import { Framer } from './framer.ts';
import { encodeHistograms, type HistogramSamples } from './histogram-record.ts';
import { encodeMetadata, type LoggedMetadata } from './metadata-record.ts';
import { encodeMmapMarkers, type MmapMarker } from './mmap-marker-record.ts';
import { RecordWriter } from './record-writer.ts';
import { type EncodedSeries, encodeScannedSeries, encodeSeries } from './series-record.ts';
import { encodeTombstones, type LoggedTombstone } from './tombstone-record.ts';

/** Bytes of a samples record: header, and per sample two varints and a value. */
const SAMPLES_HEADER_BYTES = 17;
const MAX_SAMPLE_RECORD_BYTES = 23;

/**
 * What is logged in one piece. A reader gets it in the order of the fields, which is that of Prometheus's appender
 * (`log` in tsdb/head_append.go, `collectOOORecords` for the log of out-of-order samples).
 */
export interface WalCommit {
  /** Series that the log does not have yet. */
  readonly series?: { readonly refs: readonly number[]; readonly labelsOf: (ref: number) => Labels };
  /** Series whose labels are encoded already. */
  readonly encodedSeries?: readonly EncodedSeries[];
  readonly metadata?: readonly LoggedMetadata[];
  readonly mmapMarkers?: readonly MmapMarker[];
  readonly samples?: SampleBuffer;
  readonly histograms?: HistogramSamples;
  readonly exemplars?: readonly LoggedExemplar[];
  readonly tombstones?: readonly LoggedTombstone[];
}

/** Encodes, compresses and frames commits in the arena. */
export class CommitFramer {
  readonly #kernels: Kernels;
  readonly #compress: boolean;
  readonly #framer: Framer;
  readonly #record: RecordWriter;
  readonly #samples: Scratch;
  readonly #compressed: Scratch;

  constructor(kernels: Kernels, compress: boolean) {
    this.#kernels = kernels;
    this.#compress = compress;
    this.#framer = new Framer(kernels);
    this.#record = new RecordWriter(kernels.arena);
    this.#samples = new Scratch(kernels.arena);
    this.#compressed = new Scratch(kernels.arena);
  }

  get length(): number {
    return this.#framer.length;
  }

  /** All that was added since `begin`; valid until the next `add`. */
  get bytes(): Uint8Array {
    return this.#framer.bytes;
  }

  /** Begins anew, for bytes that will be written at `fileOffset`. */
  begin(fileOffset: number): void {
    this.#framer.begin(fileOffset);
  }

  add(commit: WalCommit): void {
    const { series, encodedSeries, metadata, mmapMarkers, samples, histograms, exemplars, tombstones } = commit;
    const record = this.#record;
    const emit = (): void => this.#addRecord(record.address, record.length);
    if (series !== undefined) {
      const { refs, labelsOf } = series;
      this.#rows(refs.length, (from) => encodeSeries(refs, labelsOf, from, record));
    }
    if (encodedSeries !== undefined) {
      this.#rows(encodedSeries.length, (from) => encodeScannedSeries(encodedSeries, from, record));
    }
    if (metadata !== undefined) this.#rows(metadata.length, (from) => encodeMetadata(metadata, from, record));
    if (mmapMarkers !== undefined) {
      this.#rows(mmapMarkers.length, (from) => encodeMmapMarkers(mmapMarkers, from, record));
    }
    if (samples !== undefined) this.#addSamples(samples);
    if (histograms !== undefined) encodeHistograms(histograms, record, emit);
    if (exemplars !== undefined) this.#rows(exemplars.length, (from) => encodeExemplars(exemplars, from, record));
    if (tombstones !== undefined) this.#rows(tombstones.length, (from) => encodeTombstones(tombstones, from, record));
  }

  release(): void {
    this.#framer.release();
    this.#record.release();
    this.#samples.release();
    this.#compressed.release();
  }

  /** Adds as many records as the rows need; `encode` fills one and says where the next begins. */
  #rows(count: number, encode: (from: number) => number): void {
    for (let from = 0; from < count;) {
      from = encode(from);
      this.#addRecord(this.#record.address, this.#record.length);
    }
  }

  #addSamples(samples: SampleBuffer): void {
    const { wasm } = this.#kernels;
    for (let i = 0; i < samples.length; i += MAX_RECORD_SAMPLES) {
      const count = Math.min(MAX_RECORD_SAMPLES, samples.length - i);
      const out = this.#samples.reserve(SAMPLES_HEADER_BYTES + count * MAX_SAMPLE_RECORD_BYTES);
      const length = wasm.encodeSamples(
        samples.refs + i * 4,
        samples.times + i * 8,
        samples.values + i * 8,
        count,
        out,
      );
      this.#addRecord(out, length);
    }
  }

  #addRecord(address: number, length: number): void {
    if (this.#compress) {
      const out = this.#compressed.reserve(32 + length + Math.ceil(length / 6));
      const compressed = this.#kernels.wasm.snappyCompress(address, length, out);
      if (compressed < length) {
        this.#framer.add(out, compressed, FLAG_SNAPPY);
        return;
      }
    }
    this.#framer.add(address, length, 0);
  }
}
