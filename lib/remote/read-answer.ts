import { setImmediate as nextTurn } from 'node:timers/promises';
import { Annotations, Labels, PromletError, SampleColumns } from '../model/index.ts';
import type { Queryable, SelectHints, Series } from '../storage/index.ts';
import type { WireCodec } from './codec.ts';
import { SAMPLES_CONTENT_TYPE, STREAMED_CONTENT_TYPE } from './content-types.ts';
import { matchesAll, storageMatchers, withExternalLabels } from './external-labels.ts';
import { REMOTE_READ_LIMITS, type RemoteReadLimits } from './limits.ts';
import { ProtoWriter } from './proto-writer.ts';
import { decodeReadRequest, negotiateResponseType, type ReadQuery, ResponseType } from './read-request.ts';
import { writeHistogram } from './histogram-message.ts';
import { SeriesFrames, writeLabels } from './series-frames.ts';

export interface RemoteReadDeps {
  readonly queryable: Queryable;
  readonly codec: WireCodec;
  /** Added to every series; asked for at each request, because a reload may change them. */
  readonly externalLabels?: () => Labels;
  readonly limits?: Partial<RemoteReadLimits>;
}

export interface ReadAnswer {
  readonly headers: Readonly<Record<string, string>>;
  /** Blocks of about 64 KiB, encoded as they are asked for. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Complete once `body` is exhausted. */
  readonly annotations: Annotations;
}

/** Bytes encoded between two turns of the event loop: well below a millisecond of work. */
const BLOCK_BYTES = 64 << 10;
/** Series without samples cost time too. */
const SERIES_PER_TURN = 512;

/**
 * Answers one request (Prometheus `storage/remote/read_handler.go`). Series of a streamed answer are in the order of
 * their stored labels; external labels, added later, may change that order slightly, here as in Prometheus.
 *
 * @param body of the request, as received
 * @param signal ends the selection; give it when the client is gone
 * @throws PromletError as `decodeReadRequest`, and what the storage throws; so does the iteration of `body`, which also
 *   throws `remote/answer-too-large` (SAMPLES)
 */
export function answerRead(deps: RemoteReadDeps, body: Uint8Array, signal: AbortSignal): ReadAnswer {
  const limits = { ...REMOTE_READ_LIMITS, ...deps.limits };
  const request = decodeReadRequest(body, deps.codec, limits);
  const annotations = new Annotations();
  const selection = (query: ReadQuery): AsyncIterable<SelectedSeries> => select(deps, query, annotations, signal);
  if (negotiateResponseType(request.acceptedResponseTypes) === ResponseType.streamedXorChunks) {
    return {
      headers: { 'Content-Type': STREAMED_CONTENT_TYPE },
      body: streamChunks(request.queries, selection, deps.codec, limits),
      annotations,
    };
  }
  return {
    headers: { 'Content-Type': SAMPLES_CONTENT_TYPE, 'Content-Encoding': 'snappy' },
    body: sendSamples(request.queries, selection, deps.codec, limits),
    annotations,
  };
}

interface SelectedSeries {
  readonly labels: Labels;
  readonly series: Series;
}

type Selection = (query: ReadQuery) => AsyncIterable<SelectedSeries>;

async function* select(
  deps: RemoteReadDeps,
  query: ReadQuery,
  annotations: Annotations,
  signal: AbortSignal,
): AsyncGenerator<SelectedSeries> {
  const external = deps.externalLabels?.() ?? Labels.EMPTY;
  const hasExternal = external.size > 0;
  const querier = deps.queryable.querier(query.startMs, query.endMs);
  try {
    const matchers = hasExternal ? storageMatchers(query.matchers, external) : query.matchers;
    const set = await querier.select(true, selectHints(query, signal), matchers);
    let count = 0;
    for await (const batch of set.batches) {
      for (const series of batch) {
        if (++count % SERIES_PER_TURN === 0) await nextTurn();
        signal.throwIfAborted();
        const labels = withExternalLabels(series.labels, external);
        if (!hasExternal || matchesAll(labels, query.matchers)) yield { labels, series };
      }
    }
    annotations.merge(set.annotations);
  } finally {
    querier.close();
  }
}

/** The times of interest are the query's own: a client's hints may leave theirs at 0. */
function selectHints({ startMs, endMs, hints }: ReadQuery, signal: AbortSignal): SelectHints {
  if (hints === undefined) return { startMs, endMs, signal };
  const { stepMs, rangeMs, func, grouping, by } = hints;
  return { startMs, endMs, stepMs, rangeMs, func, grouping, by, signal };
}

async function* streamChunks(
  queries: readonly ReadQuery[],
  selection: Selection,
  codec: WireCodec,
  limits: RemoteReadLimits,
): AsyncGenerator<Uint8Array> {
  const block = new ProtoWriter(2 * BLOCK_BYTES);
  const frames = new SeriesFrames(codec, limits.frameBytes, block);
  for (const [queryIndex, query] of queries.entries()) {
    for await (const { labels, series } of selection(query)) {
      frames.write(queryIndex, labels, series, query);
      if (block.length < BLOCK_BYTES) continue;
      yield block.take();
      await nextTurn();
    }
  }
  if (block.length > 0) yield block.take();
}

/**
 * ReadResponse needs its length in front, so it is held whole, but compressed: piece by piece, each piece's elements
 * without its own length. That is valid snappy, because elements refer back within their piece only.
 */
async function* sendSamples(
  queries: readonly ReadQuery[],
  selection: Selection,
  codec: WireCodec,
  limits: RemoteReadLimits,
): AsyncGenerator<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let totalBytes = 0;
  for (const query of queries) {
    const start = pieces.length;
    // Filled in below, when the result's length is known.
    pieces.push(NOTHING);
    let resultBytes = 0;
    const compress = (bytes: Uint8Array): void => {
      resultBytes += bytes.length;
      if (totalBytes + resultBytes > limits.maxSamplesAnswerBytes) {
        throw new PromletError(
          'remote/answer-too-large',
          `the answer has more than ${limits.maxSamplesAnswerBytes} bytes; select less, or accept STREAMED_XOR_CHUNKS`,
        );
      }
      pieces.push(snappyElements(codec.snappyCompress(bytes)));
    };
    const plain = new ProtoWriter(2 * BLOCK_BYTES);
    for await (const { labels, series } of selection(query)) {
      writeTimeSeries(plain, labels, series);
      if (plain.length < BLOCK_BYTES) continue;
      compress(plain.bytes);
      plain.clear();
      await nextTurn();
    }
    if (plain.length > 0) compress(plain.bytes);
    const header = new ProtoWriter(16);
    header.uvarint(0x0a);
    header.uvarint(resultBytes);
    pieces[start] = snappyElements(codec.snappyCompress(header.bytes));
    totalBytes += header.length + resultBytes;
  }
  const length = new ProtoWriter(16);
  length.uvarint(totalBytes);
  yield length.take();
  yield* pieces;
}

const NOTHING = new Uint8Array(0);

/** A compressed block without the length in front. */
function snappyElements(block: Uint8Array): Uint8Array {
  let lengthBytes = 1;
  while (block[lengthBytes - 1]! >= 0x80) lengthBytes++;
  return block.subarray(lengthBytes);
}

const columns = new SampleColumns();
const sample = new ProtoWriter();
const timeSeries = new ProtoWriter();

function writeTimeSeries(out: ProtoWriter, labels: Labels, series: Series): void {
  columns.clear();
  series.read(columns);
  if (columns.length === 0) return;
  const { histograms } = columns;
  timeSeries.clear();
  writeLabels(timeSeries, labels);
  for (let i = 0; i < columns.length; i++) {
    sample.clear();
    const histogram = histograms?.[i];
    if (histogram !== undefined) {
      writeHistogram(sample, columns.timestamps[i]!, histogram);
      timeSeries.embed(4, sample);
      continue;
    }
    sample.double(1, columns.values[i]!);
    sample.int64(2, columns.timestamps[i]!);
    timeSeries.embed(2, sample);
  }
  out.embed(1, timeSeries);
}
