import { compareUtf8, histogramFault, Labels, PromletError, type SampleColumns } from '../model/index.ts';
import type { WireCodec } from './codec.ts';
import { readHistogram } from './histogram-message.ts';
import { keepRange, mergeRuns } from './merge-samples.ts';
import { ProtoReader } from './proto-reader.ts';
import { readSample } from './sample-message.ts';

/** prompb `Chunk`; `data` is a view of what was received. */
export interface EncodedChunk {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  /** prompb `Chunk.Encoding`. */
  readonly encoding: number;
  readonly data: Uint8Array;
}

/** A series of an answer; its samples stay encoded until they are read. */
export interface RemoteSeries {
  readonly labels: Labels;
  /** Which query of the request it answers. */
  readonly queryIndex: number;
  /** Of what is held for it. */
  readonly sizeBytes: number;
  /**
   * Appends the samples in [minTimeMs, maxTimeMs] to `into`, in order, one per timestamp.
   * @throws PromletError `remote/bad-chunk`, `remote/bad-histogram`, `remote/unsupported-chunk`
   */
  read(codec: WireCodec, minTimeMs: number, maxTimeMs: number, into: SampleColumns): void;
}

/** A series of a STREAMED_XOR_CHUNKS answer. */
export class ChunkedSeries implements RemoteSeries {
  readonly labels: Labels;
  readonly queryIndex: number;
  /** ChunkedSeries messages, checked; a series that spans frames has several. */
  readonly #messages: Uint8Array[];

  constructor(labels: Labels, queryIndex: number, message: Uint8Array) {
    this.labels = labels;
    this.queryIndex = queryIndex;
    this.#messages = [message];
  }

  get sizeBytes(): number {
    return this.#messages.reduce((sum, message) => sum + message.length, 0);
  }

  /** Takes over the chunks of the same series from a later frame. */
  append(continuation: ChunkedSeries): void {
    this.#messages.push(...continuation.#messages);
  }

  /** In order of their start; they may overlap. */
  *chunks(): Generator<EncodedChunk> {
    for (const message of this.#messages) {
      const reader = new ProtoReader(message, 'ChunkedSeries');
      while (reader.more) {
        const key = reader.key();
        if (key !== CHUNK_KEY) {
          reader.skip(key);
          continue;
        }
        const outerEnd = reader.enter();
        yield readChunk(reader);
        reader.leave(outerEnd);
      }
    }
  }

  read(codec: WireCodec, minTimeMs: number, maxTimeMs: number, into: SampleColumns): void {
    const start = into.length;
    for (const chunk of this.chunks()) {
      if (chunk.maxTimeMs < minTimeMs || chunk.minTimeMs > maxTimeMs) continue;
      const middle = into.length;
      codec.decodeChunk(chunk.encoding, chunk.data, minTimeMs, maxTimeMs, into);
      if (!keepRange(into, middle, minTimeMs, maxTimeMs)) {
        throw new PromletError('remote/bad-chunk', `${this.labels.toString()}: timestamps in a chunk do not rise`);
      }
      mergeRuns(into, start, middle);
    }
  }
}

/** A series of a SAMPLES answer. */
export class SampledSeries implements RemoteSeries {
  readonly labels: Labels;
  readonly queryIndex: number;
  /** A TimeSeries message, checked. */
  readonly #message: Uint8Array;

  constructor(labels: Labels, queryIndex: number, message: Uint8Array) {
    this.labels = labels;
    this.queryIndex = queryIndex;
    this.#message = message;
  }

  get sizeBytes(): number {
    return this.#message.length;
  }

  read(_codec: WireCodec, minTimeMs: number, maxTimeMs: number, into: SampleColumns): void {
    const start = into.length;
    this.#readAll(SAMPLE_KEY, minTimeMs, maxTimeMs, into, (reader) => readSample(reader, into));
    const middle = into.length;
    this.#readAll(HISTOGRAM_KEY, minTimeMs, maxTimeMs, into, (reader) => this.#readHistogram(reader, into));
    // Where a series has both at one time it is the float that counts, as in Prometheus.
    mergeRuns(into, start, middle);
  }

  /** Reads the fields of one number: floats and histograms are lists of their own. */
  #readAll(
    wanted: number,
    minTimeMs: number,
    maxTimeMs: number,
    into: SampleColumns,
    readField: (reader: ProtoReader) => void,
  ): void {
    const start = into.length;
    const reader = new ProtoReader(this.#message, 'TimeSeries');
    while (reader.more) {
      const key = reader.key();
      if (key === wanted) readField(reader);
      else reader.skip(key);
    }
    if (!keepRange(into, start, minTimeMs, maxTimeMs)) {
      throw new PromletError('remote/bad-chunk', `${this.labels.toString()}: timestamps do not rise`);
    }
  }

  #readHistogram(reader: ProtoReader, into: SampleColumns): void {
    const outerEnd = reader.enter();
    const { timestampMs, histogram } = readHistogram(reader);
    reader.leave(outerEnd);
    const fault = histogramFault(histogram);
    if (fault !== undefined) throw new PromletError('remote/bad-histogram', `${this.labels.toString()}: ${fault}`);
    into.pushHistogram(timestampMs, histogram);
  }
}

/** `chunks` of ChunkedSeries and `samples` of TimeSeries share their number. */
const LABEL_KEY = 0x0a;
const CHUNK_KEY = 0x12;
const SAMPLE_KEY = 0x12;
const HISTOGRAM_KEY = 0x22;

function readChunk(reader: ProtoReader): EncodedChunk {
  let minTimeMs = 0;
  let maxTimeMs = 0;
  let encoding = 0;
  let data: Uint8Array = EMPTY;
  while (reader.more) {
    const key = reader.key();
    if (key === 0x08) minTimeMs = reader.int64();
    else if (key === 0x10) maxTimeMs = reader.int64();
    else if (key === 0x18) encoding = reader.uvarint();
    else if (key === 0x22) data = reader.slice();
    else reader.skip(key);
  }
  return { minTimeMs, maxTimeMs, encoding, data };
}

const EMPTY = new Uint8Array(0);

/**
 * One ChunkedReadResponse. Every field is walked once, so that what is read later is known to be well-formed.
 * @throws PromletError `remote/bad-protobuf`, `remote/bad-labels`
 */
export function readChunkedResponse(frame: Uint8Array, maxLabels: number): ChunkedSeries[] {
  const reader = new ProtoReader(frame, 'ChunkedReadResponse');
  const found: { labels: Labels; message: Uint8Array }[] = [];
  let queryIndex = 0;
  while (reader.more) {
    const key = reader.key();
    if (key === 0x0a) {
      const outerEnd = reader.enter();
      const message = reader.bytes.subarray(reader.position, reader.end);
      found.push({ labels: readSeries(reader, maxLabels, CHUNKED), message });
      reader.leave(outerEnd);
    } else if (key === 0x10) {
      queryIndex = reader.uvarint();
    } else {
      reader.skip(key);
    }
  }
  return found.map(({ labels, message }) => new ChunkedSeries(labels, queryIndex, message));
}

/**
 * A ReadResponse; series per query as they came, which is not sorted.
 * @throws PromletError `remote/bad-protobuf`, `remote/bad-labels`
 */
export function readSamplesResponse(bytes: Uint8Array, maxLabels: number): SampledSeries[][] {
  const reader = new ProtoReader(bytes, 'ReadResponse');
  const results: SampledSeries[][] = [];
  while (reader.more) {
    const key = reader.key();
    if (key !== 0x0a) {
      reader.skip(key);
      continue;
    }
    const outerEnd = reader.enter();
    results.push(readQueryResult(reader, results.length, maxLabels));
    reader.leave(outerEnd);
  }
  return results;
}

function readQueryResult(reader: ProtoReader, queryIndex: number, maxLabels: number): SampledSeries[] {
  const series: SampledSeries[] = [];
  while (reader.more) {
    const key = reader.key();
    if (key !== 0x0a) {
      reader.skip(key);
      continue;
    }
    const outerEnd = reader.enter();
    const message = reader.bytes.subarray(reader.position, reader.end);
    series.push(new SampledSeries(readSeries(reader, maxLabels, SAMPLED), queryIndex, message));
    reader.leave(outerEnd);
  }
  return series;
}

/** What reads the fields of a series that are not labels, by their keys. */
type Contents = ReadonlyMap<number, (reader: ProtoReader) => unknown>;

const CHUNKED: Contents = new Map([[CHUNK_KEY, readChunk]]);
const SAMPLED: Contents = new Map<number, (reader: ProtoReader) => unknown>([
  [SAMPLE_KEY, skipFields],
  [HISTOGRAM_KEY, readHistogram],
]);

/** Walks a ChunkedSeries or TimeSeries: both have labels in field 1. */
function readSeries(reader: ProtoReader, maxLabels: number, contents: Contents): Labels {
  const pairs: string[] = [];
  while (reader.more) {
    const key = reader.key();
    const readContent = contents.get(key);
    if (key !== LABEL_KEY && readContent === undefined) {
      reader.skip(key);
      continue;
    }
    const outerEnd = reader.enter();
    if (readContent === undefined) readLabel(reader, pairs);
    else readContent(reader);
    reader.leave(outerEnd);
    if (pairs.length > 2 * maxLabels) reader.fail(`a series of more than ${maxLabels} labels`);
  }
  return new Labels(pairs);
}

function skipFields(reader: ProtoReader): void {
  while (reader.more) reader.skip(reader.key());
}

/** Appends a label; names must rise, which also excludes duplicates. An empty value means there is no such label. */
function readLabel(reader: ProtoReader, pairs: string[]): void {
  let name = '';
  let value = '';
  while (reader.more) {
    const key = reader.key();
    if (key === 0x0a) name = reader.string();
    else if (key === 0x12) value = reader.string();
    else reader.skip(key);
  }
  const previous = pairs.at(-2);
  if (previous !== undefined && compareUtf8(previous, name) >= 0) {
    throw new PromletError('remote/bad-labels', `label names do not rise: ${previous}, ${name}`);
  }
  if (value !== '') pairs.push(name, value);
}
