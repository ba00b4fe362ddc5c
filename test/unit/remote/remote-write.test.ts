import assert from 'node:assert/strict';
import Koa from 'koa';
import { listen, type Listening } from '../../../lib/api/index.ts';
import { createLogger, seededRandom, systemClock } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { type FloatHistogram, Labels, PromletError } from '../../../lib/model/index.ts';
import { createWireCodec, remoteWrite, type RemoteWriteLimits } from '../../../lib/remote/index.ts';
import { readHistogram, writeHistogram } from '../../../lib/remote/histogram-message.ts';
import { ProtoReader } from '../../../lib/remote/proto-reader.ts';
import { ProtoWriter } from '../../../lib/remote/proto-writer.ts';
import { type Appendable, type Appender, AppendResult } from '../../../lib/storage/index.ts';
import { encodeWriteRequest, REMOTE_WRITE_HEADERS, type WrittenSeries } from '../../tools/remote-write.ts';

const codec = createWireCodec(createKernels());

/** Remembers what was committed; refuses what a test tells it to. */
class Recorder implements Appendable {
  committed: string[] = [];
  rollbacks = 0;
  refuse: (labels: Labels) => AppendResult = () => AppendResult.ok;
  commitFault: Error | undefined;

  appender(): Appender {
    const known: Labels[] = [];
    const staged: string[] = [];
    const take = (ref: number, text: string): AppendResult => {
      const labels = known[ref - 1]!;
      const result = this.refuse(labels);
      if (result === AppendResult.ok) staged.push(`${labels.get('i')} ${text}`);
      return result;
    };
    return {
      series: (labels) => {
        if (labels.get('i') === 'full')
          throw new PromletError('storage/series-limit', 'the limit of series is reached');
        return known.push(labels);
      },
      append: (ref, timestampMs, value) => take(ref, `${timestampMs} ${value}`),
      appendColumns: () => 0,
      appendHistogram: (ref, timestampMs, { count }) => take(ref, `${timestampMs} count ${count}`),
      appendExemplar: (ref, { timestampMs }) => take(ref, `exemplar ${timestampMs}`),
      updateMetadata: (ref, { help }) => take(ref, help),
      commit: async () => {
        if (this.commitFault !== undefined) throw this.commitFault;
        this.committed.push(...staged);
      },
      rollback: () => void this.rollbacks++,
    };
  }
}

const series = (i: string, count = 1): WrittenSeries => ({
  labels: Labels.of({ __name__: 'm', i }),
  samples: Array.from({ length: count }, (_, k) => [1000 + k, k] as const),
});

describe('remote write', () => {
  let storage: Recorder;
  let listening: Listening;
  const limits: Partial<RemoteWriteLimits> = { maxRequestBytes: 100_000, maxSymbols: 1000, maxEntriesPerSeries: 50 };

  beforeEach(async () => {
    storage = new Recorder();
    const app = new Koa();
    app.silent = true;
    const logger = createLogger('silent');
    const takesLateSamples = (): boolean => false;
    app.use(remoteWrite({ appendable: storage, takesLateSamples, codec, clock: systemClock, logger, limits }));
    listening = await listen(app, '127.0.0.1:0');
  });
  afterEach(() => listening.close());

  async function send(body: Uint8Array, version: 1 | 2): Promise<{ status: number; text: string; written: number }> {
    const response = await fetch(`http://127.0.0.1:${listening.port}/api/v1/write`, {
      method: 'POST',
      headers: { ...REMOTE_WRITE_HEADERS[version], 'Content-Encoding': 'snappy' },
      body: body as Uint8Array<ArrayBuffer>,
    });
    const written = Number(response.headers.get('X-Prometheus-Remote-Write-Samples-Written'));
    return { status: response.status, text: await response.text(), written };
  }
  const write = (all: readonly WrittenSeries[], version: 1 | 2) =>
    send(codec.snappyCompress(encodeWriteRequest(all, version)), version);

  it('stores more than one turn of the event loop takes, in order', async () => {
    const answer = await send(
      codec.snappyCompress(encodeWriteRequest([series('a', 2000), series('b', 2000), series('c', 1000)], 2)),
      2,
    );
    assert.deepEqual([answer.status, answer.written], [204, 5000]);
    assert.equal(storage.committed.length, 5000);
    assert.equal(storage.committed[4999], 'c 1999 999');
  });

  it('stores nothing of version 1.0 when one sample is refused, and all the rest of version 2.0', async () => {
    storage.refuse = (labels) => (labels.get('i') === 'b' ? AppendResult.outOfOrder : AppendResult.ok);
    const first = await write([series('a'), series('b'), series('c')], 1);
    assert.deepEqual([first.status, first.text, storage.committed.length], [400, 'out of order sample\n', 0]);
    assert.equal(storage.rollbacks, 1);
    const second = await write([series('a'), series('b'), series('c')], 2);
    assert.deepEqual([second.status, second.written], [400, 2]);
    assert.equal(second.text, 'out of order sample for series {__name__="m", i="b"}\n');
    assert.deepEqual(storage.committed, ['a 1000 0', 'c 1000 0']);
  });

  for (const version of [1, 2] as const) {
    it(`stores known series when there is no room for new ones, and says so for good (${version}.0)`, async () => {
      const { status, text } = await write([series('a'), series('full'), series('b')], version);
      assert.equal(status, 400);
      assert.match(text, /the limit of series is reached for series \{__name__="m", i="full"\}/);
      assert.deepEqual(storage.committed, ['a 1000 0', 'b 1000 0']);
    });

    it(`asks to try again when storage fails (${version}.0)`, async () => {
      storage.commitFault = new PromletError('storage/wal-write', 'no space');
      const { status, text, written } = await write([series('a')], version);
      assert.deepEqual([status, text, written], [500, 'no space\n', 0]);
    });

    it(`answers every cut and every flipped byte, and goes on (${version}.0)`, async () => {
      const histograms = [[5, histogram(true)]] as const;
      const exemplars = [{ labels: Labels.of({ t: 'x' }), value: 1, timestampMs: 7 }];
      const body = encodeWriteRequest([{ ...series('a', 2), histograms, exemplars }, series('b')], version).slice();
      const random = seededRandom(version);
      for (let at = 0; at < body.length; at++) {
        const cut = await send(codec.snappyCompress(body.subarray(0, at)), version);
        assert.ok([204, 400].includes(cut.status), `cut at ${at}: ${cut.status} ${cut.text}`);
        const flipped = body.slice();
        flipped[at]! ^= 1 + Math.floor(random() * 255);
        const answer = await send(codec.snappyCompress(flipped), version);
        assert.ok([204, 400].includes(answer.status), `flip at ${at}: ${answer.status} ${answer.text}`);
      }
      assert.equal((await write([series('z')], version)).status, 204);
    });
  }

  it('refuses what small requests would blow up to', async () => {
    const symbols = new ProtoWriter();
    for (let i = 0; i < 5000; i++) symbols.message(4, Buffer.alloc(0));
    assert.match((await send(codec.snappyCompress(symbols.bytes), 2)).text, /more than 1000 symbols/);

    const [request, one] = [new ProtoWriter(), new ProtoWriter()];
    for (let i = 0; i < 1000; i++) one.message(3, Buffer.alloc(0));
    request.embed(1, one);
    assert.match((await send(codec.snappyCompress(request.bytes), 1)).text, /more than 50 exemplars or histograms/);

    const bomb = codec.snappyCompress(new Uint8Array(100_001));
    assert.ok(bomb.length < 10_000);
    assert.equal((await send(bomb, 1)).status, 400);
    assert.equal((await send(new Uint8Array(100_001), 1)).status, 413);
    assert.deepEqual(storage.committed, []);
  });

  it('tells of a few faults, and how many more there are', async () => {
    const empty = new ProtoWriter();
    for (let i = 0; i < 500; i++) empty.message(5, Buffer.alloc(0));
    const { status, text } = await send(codec.snappyCompress(empty.bytes), 2);
    assert.equal(status, 400);
    assert.equal(text.trim().split('\n').length, 21);
    assert.match(text, /and 480 more\n$/);
  });

  it('passes over series of version 1.0 that have too many or too long labels', async () => {
    const many = Object.fromEntries(Array.from({ length: 41 }, (_, i) => [`l${i}`, 'v']));
    const wide = (rest: Record<string, string>): WrittenSeries => ({
      ...series('x'),
      labels: Labels.of({ __name__: 'm', ...rest }),
    });
    const bad = [wide(many), wide({ ['n'.repeat(257)]: 'v' }), wide({ v: 'ü'.repeat(2049) })];
    assert.equal((await write([...bad, series('a')], 1)).status, 204);
    assert.deepEqual(storage.committed, ['a 1000 0']);
    const told = await write([...bad, series('b')], 2);
    assert.deepEqual([told.status, told.written], [400, 1]);
    assert.match(
      told.text,
      /more than 40 labels\n.*label name of more than 256 bytes\n.*label value of more than 4096 bytes/,
    );
  });

  it('passes on what is not for it', async () => {
    assert.equal((await fetch(`http://127.0.0.1:${listening.port}/api/v1/other`, { method: 'POST' })).status, 404);
    assert.equal((await fetch(`http://127.0.0.1:${listening.port}/api/v1/write`)).status, 404);
  });
});

function histogram(integer: boolean): FloatHistogram {
  return {
    ...(integer && { integer }),
    counterResetHint: 'gauge',
    schema: -2,
    zeroThreshold: 0.5,
    zeroCount: 0,
    count: 10,
    sum: -3.5,
    positiveSpans: [
      { offset: -3, length: 2 },
      { offset: 4, length: 1 },
    ],
    negativeSpans: [{ offset: 1, length: 1 }],
    positiveBuckets: Float64Array.of(1, 5, 2),
    negativeBuckets: Float64Array.of(2),
    customValues: Float64Array.of(0.25),
  };
}

describe('the histogram message', () => {
  for (const integer of [true, false]) {
    it(`comes back as it was written, ${integer ? 'of integers' : 'of floats'}`, () => {
      const out = new ProtoWriter();
      writeHistogram(out, -5, histogram(integer));
      assert.deepEqual(readHistogram(new ProtoReader(out.bytes, 'test')), {
        timestampMs: -5,
        histogram: histogram(integer),
      });
    });
  }

  it('reads lists that are not packed', () => {
    const out = new ProtoWriter();
    for (const [key, value] of [
      [12 * 8, 2],
      [12 * 8, 3],
    ] as const) {
      out.uvarint(key);
      out.uvarint(value);
    }
    const { histogram: found } = readHistogram(new ProtoReader(out.bytes, 'test'));
    assert.deepEqual(found.positiveBuckets, Float64Array.of(1, -1));
  });
});
