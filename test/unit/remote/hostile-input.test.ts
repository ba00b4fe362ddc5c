import assert from 'node:assert/strict';
import { seededRandom } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { type FloatHistogram, Labels, Matcher, PromletError, SampleColumns } from '../../../lib/model/index.ts';
import { answerRead, createWireCodec, readRemote, type HttpTransport } from '../../../lib/remote/index.ts';
import { writeHistogram } from '../../../lib/remote/histogram-message.ts';
import { encodeReadRequest } from '../../../lib/remote/read-request.ts';
import { ProtoWriter } from '../../../lib/remote/proto-writer.ts';
import { writeFrame } from '../../../lib/remote/frames.ts';
import { memoryQueryable } from './memory-queryable.ts';

const codec = createWireCodec(createKernels());
const MATCHERS = [new Matcher('=', '__name__', 'up')];
const QUERY = { startMs: 0, endMs: 1e13, matchers: MATCHERS, hints: undefined };
const STREAMED = 'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse';

/** The client against an answer of the given bytes, in pieces of `pieceBytes`. */
async function readAnswer(body: Uint8Array, contentType = STREAMED, pieceBytes = 1 << 20, maxFrameBytes = 1 << 16) {
  const transport: HttpTransport = {
    request: async () => ({
      status: 200,
      headers: { 'content-type': contentType },
      trailers: {},
      body: (async function* () {
        for (let i = 0; i < body.length; i += pieceBytes) yield body.subarray(i, i + pieceBytes);
      })(),
    }),
    close: () => undefined,
  };
  const client = { transport, codec, limits: { maxFrameBytes, maxAnswerBytes: 1 << 20 } };
  const request = { queries: [QUERY], acceptedResponseTypes: [] };
  const answer = await readRemote(client, 'http://agent', request, new AbortController().signal);
  const found: [string, number][] = [];
  for await (const batch of answer.batches) {
    for (const series of batch) {
      const columns = new SampleColumns();
      series.read(codec, 0, 1e13, columns);
      found.push([series.labels.toString(), columns.length]);
    }
  }
  return found;
}

async function serve(body: Uint8Array, limits = {}): Promise<Buffer> {
  const source = [1, 2, 3].map((i) => ({
    labels: Labels.of({ __name__: 'up', i: String(i) }),
    samples: Array.from({ length: 300 }, (_, k) => [k * 15_000, Math.sqrt(k)] as const),
  }));
  const deps = { queryable: memoryQueryable(source), codec, limits };
  const pieces: Uint8Array[] = [];
  for await (const piece of answerRead(deps, body, new AbortController().signal).body) pieces.push(piece);
  return Buffer.concat(pieces);
}

const request = (types: readonly number[]): Uint8Array =>
  encodeReadRequest({ queries: [QUERY], acceptedResponseTypes: types }, codec);

function frameOf(payload: Uint8Array): Uint8Array {
  const out = new ProtoWriter();
  writeFrame(out, payload, codec.crc32c);
  return out.take();
}

/** A ChunkedReadResponse of one series with the given labels and chunk bytes. */
function response(labels: readonly (readonly [string, string])[], chunk = new Uint8Array(0), encoding = 1): Uint8Array {
  const [frame, series, part] = [new ProtoWriter(), new ProtoWriter(), new ProtoWriter()];
  for (const [name, value] of labels) {
    part.clear();
    part.string(1, name);
    part.string(2, value);
    series.message(1, part.bytes);
  }
  part.clear();
  part.int64(2, 1e12);
  part.int64(3, encoding);
  part.message(4, chunk);
  series.message(2, part.bytes);
  frame.message(1, series.bytes);
  return frame.take();
}

const UP = [['__name__', 'up']] as const;
const EXPECTED = [1, 2, 3].map((i) => [`{__name__="up", i="${i}"}`, 300]);

describe('remote read client against hostile answers', () => {
  it('reads frames whatever pieces they come in', async () => {
    const stream = await serve(request([1]));
    for (const pieceBytes of [1, 2, 3, 7, 100, 1 << 20]) {
      assert.deepEqual(await readAnswer(stream, STREAMED, pieceBytes), EXPECTED);
    }
  });

  it('joins a series that spans frames', async () => {
    const stream = await serve(request([1]), { frameBytes: 1 });
    assert.ok(stream.length > (await serve(request([1]))).length, 'more frames were written');
    assert.deepEqual(await readAnswer(stream), EXPECTED);
  });

  it('refuses a stream cut off anywhere but between frames', async () => {
    const stream = await serve(request([1]), { frameBytes: 1 });
    let wholeFrames = 0;
    for (let length = 0; length < stream.length; length++) {
      try {
        await readAnswer(stream.subarray(0, length));
        wholeFrames++;
      } catch (error) {
        assert.ok(error instanceof PromletError && error.code === 'remote/truncated-stream', String(error));
      }
    }
    assert.equal(wholeFrames, 9, 'the start, and the end of every frame but the last of 3 × 3');
  });

  it('refuses every flipped bit', async () => {
    const stream = await serve(request([1]));
    const random = seededRandom(11);
    for (let i = 0; i < 500; i++) {
      const bit = Math.floor(random() * stream.length * 8);
      const damaged = Buffer.from(stream);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      await assert.rejects(
        readAnswer(damaged),
        (error) => error instanceof PromletError && error.code.startsWith('remote/'),
      );
    }
  });

  const payloads: Record<string, [payload: Uint8Array, code: string]> = {
    'labels out of order': [
      response([
        ['b', '1'],
        ['a', '1'],
      ]),
      'remote/bad-labels',
    ],
    'a label twice': [
      response([
        ['a', '1'],
        ['a', '2'],
      ]),
      'remote/bad-labels',
    ],
    'a length beyond the message': [Uint8Array.of(0x0a, 0x7f, 0x0a), 'remote/bad-protobuf'],
    'a varint without end': [new Uint8Array(12).fill(0xff), 'remote/bad-protobuf'],
    'a group': [Uint8Array.of(0x0b), 'remote/bad-protobuf'],
    'field number 0': [Uint8Array.of(0x02, 0x00), 'remote/bad-protobuf'],
    'a name that is not UTF-8': [Uint8Array.of(0x0a, 5, 0x0a, 3, 0x0a, 1, 0xff), 'remote/bad-protobuf'],
    'an empty chunk': [response(UP), 'remote/bad-chunk'],
    'a chunk that claims 65535 samples': [response(UP, Uint8Array.of(0xff, 0xff, 0, 0)), 'remote/bad-chunk'],
    'a histogram chunk cut off': [response(UP, Uint8Array.of(0, 1, 2), 2), 'remote/bad-chunk'],
    'a chunk of an unknown encoding': [response(UP, Uint8Array.of(0, 1, 2), 7), 'remote/unsupported-chunk'],
  };
  for (const [what, [payload, code]] of Object.entries(payloads)) {
    it(`refuses ${what} in a frame whose checksum is right`, async () => {
      await assert.rejects(readAnswer(frameOf(payload)), { code });
    });
  }

  it('refuses histograms that cannot be, however many buckets they claim', async () => {
    const valid: FloatHistogram = {
      counterResetHint: 'unknown',
      schema: 20,
      zeroThreshold: 0,
      zeroCount: 0,
      count: 3,
      sum: 0,
      positiveSpans: [{ offset: 5, length: 2 }],
      negativeSpans: [],
      positiveBuckets: Float64Array.of(1, 2),
      negativeBuckets: new Float64Array(0),
      customValues: new Float64Array(0),
    };
    const answer = (changes: Partial<FloatHistogram>) => {
      const histogram = new ProtoWriter();
      writeHistogram(histogram, 5, { ...valid, ...changes });
      const [series, result, answered] = [new ProtoWriter(), new ProtoWriter(), new ProtoWriter()];
      series.embed(4, histogram);
      result.embed(1, series);
      answered.embed(1, result);
      return readAnswer(codec.snappyCompress(answered.bytes), 'application/x-protobuf');
    };
    assert.deepEqual(await answer({}), [['{}', 1]]);
    for (const changes of [
      { schema: 99 },
      { schema: 5, positiveBuckets: Float64Array.of(1, -2) },
      { positiveSpans: [{ offset: 5, length: 2 ** 50 }] },
      { positiveSpans: [{ offset: 5, length: 1 }] },
    ]) {
      await assert.rejects(answer(changes), { code: 'remote/bad-histogram' });
    }
  });

  it('refuses a series of too many labels', async () => {
    const labels = Array.from({ length: 300 }, (_, i) => [String(i).padStart(3, '0'), 'x'] as const);
    await assert.rejects(readAnswer(frameOf(response(labels))), { code: 'remote/bad-protobuf', message: /256 labels/ });
  });

  it('survives random bytes behind a right checksum', async () => {
    const random = seededRandom(5);
    for (let i = 0; i < 3_000; i++) {
      const payload = Buffer.from(
        response(
          [['a', '1']],
          Uint8Array.from({ length: 40 }, () => random() * 256),
        ),
      );
      for (let k = 0; k < 2; k++) payload[Math.floor(random() * payload.length)] = random() * 256;
      try {
        await readAnswer(frameOf(payload));
      } catch (error) {
        assert.ok(error instanceof PromletError && error.code.startsWith('remote/'), String(error));
      }
    }
  });

  it('refuses a frame above the limit before its content has come', async () => {
    await assert.rejects(readAnswer(Uint8Array.of(0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0)), {
      code: 'remote/frame-too-large',
      message: /frame 0 of 268435455 bytes, the limit is 65536/,
    });
    await assert.rejects(readAnswer(new Uint8Array(6).fill(0xff)), { code: 'remote/corrupt-frame' });
  });

  it('refuses an answer above the limit', async () => {
    await assert.rejects(readAnswer(new Uint8Array((1 << 20) + 1)), { code: 'remote/too-large' });
  });
});

describe('remote read server against hostile requests', () => {
  const bodies: Record<string, [body: Uint8Array, code: string]> = {
    'an empty body': [new Uint8Array(0), 'remote/bad-snappy'],
    'a body that is not snappy': [Buffer.from('hello, this is not snappy'), 'remote/bad-snappy'],
    'a false length of 2 GiB': [Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07, 0), 'remote/too-large'],
    'a length that is too small': [Uint8Array.of(2, 8, 1, 2, 3), 'remote/bad-snappy'],
    'a length that is too large': [Uint8Array.of(4, 8, 1, 2, 3), 'remote/bad-snappy'],
    'a copy from before the start': [Uint8Array.of(5, 0, 1, 1, 9), 'remote/bad-snappy'],
    'a snappy bomb': [codec.snappyCompress(new Uint8Array(2 << 20)), 'remote/too-large'],
    'a query without matchers': [codec.snappyCompress(Uint8Array.of(0x0a, 0)), 'remote/bad-request'],
    'an unknown matcher type': [codec.snappyCompress(Uint8Array.of(0x0a, 4, 0x1a, 2, 0x08, 9)), 'remote/bad-request'],
    'a regex that does not compile': [
      codec.snappyCompress(Uint8Array.of(0x0a, 7, 0x1a, 5, 0x08, 2, 0x1a, 1, 0x28)),
      'model/bad-regex',
    ],
    'only unknown response types': [request([7]), 'remote/bad-request'],
  };
  for (const [what, [body, code]] of Object.entries(bodies)) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(serve(body), { code });
    });
  }

  it('refuses more queries or matchers than the limits', async () => {
    await assert.rejects(serve(request([1]), { maxMatchersPerQuery: 0 }), { code: 'remote/bad-request' });
    await assert.rejects(serve(request([1]), { maxQueriesPerRequest: 0 }), { code: 'remote/bad-request' });
  });

  it('refuses a SAMPLES answer above the limit and advises to stream', async () => {
    await assert.rejects(serve(request([0]), { maxSamplesAnswerBytes: 4_000 }), {
      code: 'remote/answer-too-large',
      message: /accept STREAMED_XOR_CHUNKS/,
    });
  });
});
