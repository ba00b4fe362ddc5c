import { Annotations, PromletError, shorten } from '../model/index.ts';
import type { WireCodec } from './codec.ts';
import { SAMPLES_CONTENT_TYPE, STREAMED_CONTENT_TYPE } from './content-types.ts';
import { FrameReader } from './frames.ts';
import { REMOTE_CLIENT_LIMITS, type RemoteClientLimits } from './limits.ts';
import { encodeReadRequest, type ReadRequest } from './read-request.ts';
import { type ChunkedSeries, readChunkedResponse, readSamplesResponse, type RemoteSeries } from './remote-series.ts';
import type { HttpAnswer, HttpTransport } from './transport.ts';
import { decodeWarnings, WARNINGS_TRAILER } from './warnings-trailer.ts';

/** Bytes of an error answer that are read for its message. */
const MAX_ERROR_BYTES = 4096;

export interface RemoteReadClient {
  readonly transport: HttpTransport;
  readonly codec: WireCodec;
  readonly limits?: Partial<RemoteClientLimits>;
}

export interface RemoteReadAnswer {
  /**
   * Series, each once, with their samples still encoded. They are sorted by labels within a query when the answer is
   * streamed by a server without external labels; do not rely on it otherwise.
   */
  readonly batches: AsyncIterable<readonly RemoteSeries[]>;
  /** The server's warnings; complete once `batches` is exhausted. */
  readonly annotations: Annotations;
}

/**
 * Asks a remote read endpoint (Prometheus `storage/remote/client.go`), in whichever response type the server chooses of
 * those the request accepts. Resolves when the answer begins.
 *
 * @param url of the endpoint, ending in /api/v1/read
 * @param signal ends the request at any stage, with its reason
 * @throws PromletError `remote/http-status`, `remote/bad-answer`; while iterating also `remote/too-large`,
 *   `remote/truncated-stream`, `remote/corrupt-frame`, `remote/frame-too-large`, `remote/bad-protobuf`,
 *   `remote/bad-labels`, `remote/bad-snappy`
 */
export async function readRemote(
  client: RemoteReadClient,
  url: string,
  request: ReadRequest,
  signal: AbortSignal,
): Promise<RemoteReadAnswer> {
  const limits = { ...REMOTE_CLIENT_LIMITS, ...client.limits };
  const answer = await client.transport.request({
    method: 'POST',
    url,
    headers: {
      'Content-Type': 'application/x-protobuf',
      'Content-Encoding': 'snappy',
      'Accept-Encoding': 'snappy',
      'User-Agent': 'promlet',
      'X-Prometheus-Remote-Read-Version': '0.1.0',
    },
    body: encodeReadRequest(request, client.codec),
    signal,
  });
  if (answer.status !== 200) throw await statusError(answer, url);

  const annotations = new Annotations();
  const contentType = String(answer.headers['content-type'] ?? '');
  if (contentType.startsWith(STREAMED_CONTENT_TYPE)) {
    return { batches: streamedBatches(answer, url, client.codec, limits, annotations), annotations };
  }
  if (contentType.startsWith(SAMPLES_CONTENT_TYPE)) {
    return {
      batches: sampleBatches(answer, url, request.queries.length, client.codec, limits, annotations),
      annotations,
    };
  }
  await discard(answer);
  throw new PromletError('remote/bad-answer', `${url}: content type "${shorten(contentType)}"`);
}

async function* streamedBatches(
  answer: HttpAnswer,
  url: string,
  codec: WireCodec,
  limits: RemoteClientLimits,
  annotations: Annotations,
): AsyncGenerator<readonly RemoteSeries[]> {
  const frames = new FrameReader(codec.crc32c, limits.maxFrameBytes, url);
  // The newest series is held back, because the next frame may bring more of it.
  let newest: ChunkedSeries | undefined;
  for await (const piece of limitedBody(answer, url, limits.maxAnswerBytes)) {
    frames.push(piece);
    const batch: ChunkedSeries[] = [];
    for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
      for (const series of readChunkedResponse(frame, limits.maxLabelsPerSeries)) {
        if (newest !== undefined && newest.queryIndex === series.queryIndex && newest.labels.equals(series.labels)) {
          newest.append(series);
        } else {
          if (newest !== undefined) batch.push(newest);
          newest = series;
        }
      }
    }
    if (batch.length > 0) yield batch;
  }
  frames.finish();
  if (newest !== undefined) yield [newest];
  decodeWarnings(answer.trailers[WARNINGS_TRAILER], annotations);
}

async function* sampleBatches(
  answer: HttpAnswer,
  url: string,
  queryCount: number,
  codec: WireCodec,
  limits: RemoteClientLimits,
  annotations: Annotations,
): AsyncGenerator<readonly RemoteSeries[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of limitedBody(answer, url, limits.maxAnswerBytes)) pieces.push(piece);
  decodeWarnings(answer.trailers[WARNINGS_TRAILER], annotations);
  const bytes = codec.snappyDecompress(Buffer.concat(pieces), limits.maxAnswerBytes, url);
  const results = readSamplesResponse(bytes, limits.maxLabelsPerSeries);
  if (results.length !== queryCount) {
    throw new PromletError('remote/bad-answer', `${url}: ${results.length} results for ${queryCount} queries`);
  }
  yield* results;
}

async function* limitedBody(answer: HttpAnswer, url: string, maxBytes: number): AsyncGenerator<Uint8Array> {
  let received = 0;
  for await (const piece of answer.body) {
    received += piece.length;
    if (received > maxBytes) {
      throw new PromletError('remote/too-large', `${url}: an answer of more than ${maxBytes} bytes`);
    }
    yield piece;
  }
}

async function statusError(answer: HttpAnswer, url: string): Promise<PromletError> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of answer.body) {
    pieces.push(piece);
    size += piece.length;
    if (size >= MAX_ERROR_BYTES) break;
  }
  const text = Buffer.concat(pieces).toString('utf8').trim();
  return new PromletError('remote/http-status', `${url}: HTTP status ${answer.status}: ${shorten(text, 300)}`);
}

/** Closes the connection without reading what is left. */
async function discard(answer: HttpAnswer): Promise<void> {
  for await (const _ of answer.body) break;
}
