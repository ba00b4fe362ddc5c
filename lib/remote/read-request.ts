import { Matcher, type MatchType, PromletError } from '../model/index.ts';
import type { WireCodec } from './codec.ts';
import type { RemoteReadLimits } from './limits.ts';
import { ProtoReader } from './proto-reader.ts';
import { ProtoWriter } from './proto-writer.ts';

/** prompb `ReadRequest.ResponseType`. */
export const ResponseType = { samples: 0, streamedXorChunks: 1 } as const;
export type ResponseType = (typeof ResponseType)[keyof typeof ResponseType];

/** prompb `ReadHints`: what PromQL does with the selection. Times in ms. */
export interface ReadHints {
  readonly stepMs: number;
  readonly func: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly grouping: readonly string[];
  readonly by: boolean;
  readonly rangeMs: number;
}

/** prompb `Query`: series that match all matchers, samples from start to end, both inclusive. */
export interface ReadQuery {
  readonly startMs: number;
  readonly endMs: number;
  readonly matchers: readonly Matcher[];
  readonly hints: ReadHints | undefined;
}

/** prompb `ReadRequest`. */
export interface ReadRequest {
  readonly queries: readonly ReadQuery[];
  /** In order of preference, as numbers of ResponseType or of types unknown here; empty means SAMPLES. */
  readonly acceptedResponseTypes: readonly number[];
}

/** Index is prompb `LabelMatcher.Type`. */
const MATCH_TYPES: readonly MatchType[] = ['=', '!=', '=~', '!~'];

/** The body of a request: snappy-compressed protobuf. */
export function encodeReadRequest(request: ReadRequest, codec: WireCodec): Uint8Array {
  const out = new ProtoWriter();
  const part = new ProtoWriter();
  const query = new ProtoWriter();
  for (const { startMs, endMs, matchers, hints } of request.queries) {
    query.clear();
    query.int64(1, startMs);
    query.int64(2, endMs);
    for (const matcher of matchers) {
      part.clear();
      part.int64(1, MATCH_TYPES.indexOf(matcher.type));
      part.string(2, matcher.name);
      part.string(3, matcher.value);
      query.embed(3, part);
    }
    if (hints !== undefined) {
      part.clear();
      part.int64(1, hints.stepMs);
      part.string(2, hints.func);
      part.int64(3, hints.startMs);
      part.int64(4, hints.endMs);
      for (const name of hints.grouping) part.string(5, name);
      part.int64(6, hints.by ? 1 : 0);
      part.int64(7, hints.rangeMs);
      query.embed(4, part);
    }
    out.embed(1, query);
  }
  part.clear();
  for (const type of request.acceptedResponseTypes) part.uvarint(type);
  if (part.length > 0) out.embed(2, part);
  return codec.snappyCompress(out.bytes);
}

/**
 * @param body as received
 * @throws PromletError `remote/bad-snappy`, `remote/bad-protobuf`, `remote/too-large`, `remote/bad-request`,
 *   `model/bad-regex`
 */
export function decodeReadRequest(body: Uint8Array, codec: WireCodec, limits: RemoteReadLimits): ReadRequest {
  const reader = new ProtoReader(codec.snappyDecompress(body, limits.maxRequestBytes, 'read request'), 'ReadRequest');
  const queries: ReadQuery[] = [];
  const acceptedResponseTypes: number[] = [];
  while (reader.more) {
    const key = reader.key();
    if (key === 0x0a) {
      const outerEnd = reader.enter();
      queries.push(readQuery(reader, limits));
      reader.leave(outerEnd);
      atMost(queries.length, limits.maxQueriesPerRequest, 'queries in one request');
    } else if (key === 0x10) {
      acceptedResponseTypes.push(reader.uvarint());
    } else if (key === 0x12) {
      const outerEnd = reader.enter();
      while (reader.more) acceptedResponseTypes.push(reader.uvarint());
      reader.leave(outerEnd);
    } else {
      reader.skip(key);
    }
  }
  return { queries, acceptedResponseTypes };
}

function readQuery(reader: ProtoReader, limits: RemoteReadLimits): ReadQuery {
  let startMs = 0;
  let endMs = 0;
  let hints: ReadHints | undefined;
  const matchers: Matcher[] = [];
  while (reader.more) {
    const key = reader.key();
    if (key === 0x08) {
      startMs = reader.int64Clamped();
    } else if (key === 0x10) {
      endMs = reader.int64Clamped();
    } else if (key === 0x1a) {
      const outerEnd = reader.enter();
      matchers.push(readMatcher(reader));
      reader.leave(outerEnd);
      atMost(matchers.length, limits.maxMatchersPerQuery, 'matchers in one query');
    } else if (key === 0x22) {
      const outerEnd = reader.enter();
      hints = readHints(reader);
      reader.leave(outerEnd);
    } else {
      reader.skip(key);
    }
  }
  if (matchers.length === 0) throw new PromletError('remote/bad-request', 'read request: a query without matchers');
  return { startMs, endMs, matchers, hints };
}

function readMatcher(reader: ProtoReader): Matcher {
  let type = 0;
  let name = '';
  let value = '';
  while (reader.more) {
    const key = reader.key();
    if (key === 0x08) type = reader.uvarint();
    else if (key === 0x12) name = reader.string();
    else if (key === 0x1a) value = reader.string();
    else reader.skip(key);
  }
  const matchType = MATCH_TYPES[type];
  if (matchType === undefined) throw new PromletError('remote/bad-request', `read request: matcher type ${type}`);
  return new Matcher(matchType, name, value);
}

function readHints(reader: ProtoReader): ReadHints {
  const hints = { stepMs: 0, func: '', startMs: 0, endMs: 0, grouping: [] as string[], by: false, rangeMs: 0 };
  while (reader.more) {
    const key = reader.key();
    if (key === 0x08) hints.stepMs = reader.int64Clamped();
    else if (key === 0x12) hints.func = reader.string();
    else if (key === 0x18) hints.startMs = reader.int64Clamped();
    else if (key === 0x20) hints.endMs = reader.int64Clamped();
    else if (key === 0x2a) hints.grouping.push(reader.string());
    else if (key === 0x30) hints.by = reader.uvarint() !== 0;
    else if (key === 0x38) hints.rangeMs = reader.int64Clamped();
    else reader.skip(key);
  }
  return hints;
}

/**
 * The first accepted type that is served; an empty list means SAMPLES.
 * @throws PromletError `remote/bad-request`
 */
export function negotiateResponseType(accepted: readonly number[]): ResponseType {
  if (accepted.length === 0) return ResponseType.samples;
  for (const type of accepted) {
    if (type === ResponseType.samples || type === ResponseType.streamedXorChunks) return type;
  }
  throw new PromletError('remote/bad-request', `none of the response types ${accepted.join(', ')} is served here`);
}

function atMost(count: number, limit: number, what: string): void {
  if (count > limit) throw new PromletError('remote/bad-request', `read request: more than ${limit} ${what}`);
}
