import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import http from 'node:http';
import Koa from 'koa';
import { createLogger, seededRandom } from '../../../lib/env/index.ts';
import type { Chunk } from '../../../lib/chunk/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { Annotations, Labels, Matcher, PromletError, SampleColumns, STALE_NAN } from '../../../lib/model/index.ts';
import { createWireCodec, nodeTransport, readRemote, remoteRead, type ReadQuery } from '../../../lib/remote/index.ts';
import type { ChunkSeries, Queryable, RawChunk } from '../../../lib/storage/index.ts';
import { until } from '../../tools/until.ts';
import { HistogramWalk } from '../../tools/histogram-walk.ts';
import { columnsText, floatText, histogramText } from '../../tools/samples.ts';
import { memoryQueryable, type MemorySeries } from './memory-queryable.ts';

const codec = createWireCodec(createKernels());
const transport = nodeTransport({ maxIdlePerHost: 2, connectTimeoutMs: 60_000 });
const EVERYTHING: ReadQuery = {
  startMs: -1e12,
  endMs: 1e13,
  matchers: [new Matcher('=~', '__name__', '.+')],
  hints: undefined,
};
const RESPONSE_TYPES = [
  ['SAMPLES', [0]],
  ['STREAMED_XOR_CHUNKS', [1]],
] as const;

function randomSeries(seed: number, count: number): MemorySeries[] {
  const random = seededRandom(seed);
  const special = [NaN, Infinity, -Infinity, 0, -0, STALE_NAN, 5e-324, 1.7976931348623157e308];
  return Array.from({ length: count }, (_, i) => {
    const samples: [number, number][] = [];
    let timestampMs = Math.floor(random() * 1e12) - 1e11;
    const sampleCount = Math.floor(random() * 600);
    for (let j = 0; j < sampleCount; j++) {
      timestampMs += random() < 0.7 ? 15_000 : 1 + Math.floor(random() ** 8 * 1e9);
      const value = random() < 0.1 ? special[Math.floor(random() * special.length)]! : random() * 1e6;
      samples.push([timestampMs, value]);
    }
    return {
      labels: Labels.of({ __name__: 'metric', i: String(i), '\u{1f600}ü': random() < 0.5 ? 'ß\n' : '' }),
      samples,
    };
  });
}

/** Integers, floats and gauges in turn; half of the series begin with floats. */
function histogramSeries(seed: number, count: number): MemorySeries[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const walk = new HistogramWalk(random, { integer: i % 3 === 0, gauge: i % 3 === 1 });
    const floats = i % 2 === 0 ? 0 : 50;
    return {
      labels: Labels.of({ __name__: 'histogram', i: String(i) }),
      samples: Array.from({ length: floats }, (_, k) => [k * 15_000, random()] as const),
      histograms: Array.from({ length: 300 }, (_, k) => [(floats + k) * 15_000, walk.next()] as const),
    };
  });
}

/** Bits, not values: NaNs differ, and so do the two zeros. */
function bitsOf(samples: readonly (readonly [number, number])[]): string[] {
  const scratch = new DataView(new ArrayBuffer(8));
  return samples.map(([timestampMs, value]) => {
    scratch.setFloat64(0, value);
    // Engines may set the quiet bit of a signalling NaN when they move it.
    if (Number.isNaN(value)) scratch.setUint8(1, scratch.getUint8(1) | 0x08);
    return `${timestampMs} ${scratch.getBigUint64(0).toString(16)}`;
  });
}

async function serve(
  options: Partial<Parameters<typeof remoteRead>[0]>,
  use: (url: string, server: http.Server) => Promise<void>,
): Promise<void> {
  const app = new Koa();
  app.use(remoteRead({ queryable: memoryQueryable([]), codec, logger: createLogger('silent'), ...options }));
  const handle = app.callback();
  const server = http.createServer((request, response) => void handle(request, response)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/read`, server);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

async function readAll(url: string, types: readonly number[], queries: readonly ReadQuery[] = [EVERYTHING]) {
  const answer = await readRemote(
    { transport, codec },
    url,
    { queries, acceptedResponseTypes: types },
    AbortSignal.timeout(60_000),
  );
  const series: { labels: string; queryIndex: number; samples: string[] }[] = [];
  for await (const batch of answer.batches) {
    for (const one of batch) {
      const query = queries[one.queryIndex]!;
      const columns = new SampleColumns();
      one.read(codec, query.startMs, query.endMs, columns);
      const samples = Array.from({ length: columns.length }, (_, i): [number, number] => [
        columns.timestamps[i]!,
        columns.values[i]!,
      ]);
      series.push({ labels: one.labels.toString(), queryIndex: one.queryIndex, samples: bitsOf(samples) });
    }
  }
  return { series, warnings: answer.annotations.warnings };
}

describe('remote read over HTTP', () => {
  after(() => transport.close());

  for (const [name, types] of RESPONSE_TYPES) {
    it(`gives back every series and every sample bit for bit: ${name}`, async () => {
      const source = randomSeries(7, 40);
      await serve({ queryable: memoryQueryable(source) }, async (url) => {
        const { series, warnings } = await readAll(url, types);
        const expected = source
          .filter(({ samples }) => samples.length > 0)
          .sort((a, b) => a.labels.compare(b.labels))
          .map(({ labels, samples }) => ({ labels: labels.toString(), queryIndex: 0, samples: bitsOf(samples) }));
        assert.deepEqual(series, expected);
        assert.deepEqual(warnings, []);
      });
    });
  }

  for (const [name, types] of RESPONSE_TYPES) {
    it(`gives back native histograms of every kind, and floats of the same series: ${name}`, async () => {
      const source = histogramSeries(11, 24);
      await serve({ queryable: memoryQueryable(source) }, async (url) => {
        const query = { ...EVERYTHING, startMs: 10_000, endMs: 4_500_000 };
        const request = { queries: [query], acceptedResponseTypes: types };
        const answer = await readRemote({ transport, codec }, url, request, AbortSignal.timeout(60_000));
        const found: Record<string, unknown> = {};
        for await (const batch of answer.batches) {
          for (const one of batch) {
            const columns = new SampleColumns();
            columns.push(-7, 7);
            one.read(codec, query.startMs, query.endMs, columns);
            found[one.labels.toString()] = columnsText(columns, 1);
          }
        }
        const inRange = ([timestampMs]: readonly [number, unknown]): boolean =>
          timestampMs >= query.startMs && timestampMs <= query.endMs;
        const expected = source.map(({ labels, samples, histograms = [] }) => [
          labels.toString(),
          [
            ...samples.filter(inRange).map(([timestampMs, value]) => [timestampMs, floatText(value)]),
            ...histograms.filter(inRange).map(([timestampMs, value]) => [timestampMs, histogramText(value)]),
          ],
        ]);
        assert.deepEqual(found, Object.fromEntries(expected));
      });
    });
  }

  it('answers several queries in one request, each with its own range', async () => {
    const source = [series('a', [1, 2, 3]), series('b', [1, 2, 3])];
    const queries = [rangeQuery('.+', 1, 2), rangeQuery('b', 2, 3), rangeQuery('none', 0, 9), rangeQuery('b', 3, 3)];
    await serve({ queryable: memoryQueryable(source) }, async (url) => {
      for (const [, types] of RESPONSE_TYPES) {
        const answer = await readAll(url, types, queries);
        assert.deepEqual(
          answer.series.map(({ labels, queryIndex, samples }) => `${queryIndex} ${labels} ${samples.length}`),
          ['0 {__name__="a"} 2', '0 {__name__="b"} 2', '1 {__name__="b"} 2', '3 {__name__="b"} 1'],
        );
      }
    });
  });

  it('sends stored chunks as they are, and merges those that overlap', async () => {
    const chunkOf = (timestamps: readonly number[]): RawChunk => {
      const columns = new SampleColumns();
      for (const timestampMs of timestamps) columns.push(timestampMs, timestampMs);
      const [{ minTimeMs, maxTimeMs, bytes }] = codec.encodeChunks(columns) as [Chunk];
      return { minTimeMs, maxTimeMs, encoding: 'xor', bytes };
    };
    const stored: ChunkSeries = {
      labels: Labels.of({ __name__: 'a' }),
      chunks: () => [chunkOf([1, 3, 5]), chunkOf([2, 3, 6, 9])],
      read: () => assert.fail('the chunks are there'),
    };
    const empty: ChunkSeries = { ...stored, labels: Labels.of({ __name__: 'b' }), chunks: () => [] };
    const queryable: Queryable = {
      querier: () => ({
        ...memoryQueryable([]).querier(0, 0),
        select: async () => ({
          batches: (async function* () {
            yield [stored, empty];
          })(),
          annotations: new Annotations(),
        }),
      }),
    };
    await serve({ queryable }, async (url) => {
      const answer = await readAll(url, [1], [rangeQuery('a', 2, 6)]);
      assert.deepEqual(
        answer.series.map((one) => [one.labels, one.samples.map((sample) => sample.split(' ')[0])]),
        [['{__name__="a"}', ['2', '3', '5', '6']]],
      );
    });
  });

  it('adds external labels, and matches them', async () => {
    const own = { labels: Labels.of({ __name__: 'b', cluster: 'own' }), samples: [[1, 1]] as const };
    const options = {
      queryable: memoryQueryable([series('a', [1]), own]),
      externalLabels: () => Labels.of({ cluster: 'c1' }),
    };
    const cases: [matchers: Matcher[], found: string[]][] = [
      [[new Matcher('=', 'cluster', 'c1')], ['{__name__="a", cluster="c1"}']],
      [[new Matcher('=~', 'cluster', 'c1|x')], ['{__name__="a", cluster="c1"}']],
      [[new Matcher('!=', 'cluster', 'c1')], ['{__name__="b", cluster="own"}']],
      [[new Matcher('=', 'cluster', '')], []],
      [[new Matcher('=~', '__name__', '.+')], ['{__name__="a", cluster="c1"}', '{__name__="b", cluster="own"}']],
    ];
    await serve(options, async (url) => {
      for (const [matchers, found] of cases) {
        const answer = await readAll(url, [1], [{ startMs: 0, endMs: 9, matchers, hints: undefined }]);
        assert.deepEqual(
          answer.series.map(({ labels }) => labels),
          found,
          matchers.join(),
        );
      }
    });
  });

  it('sends the warnings of the storage along', async () => {
    await serve({ queryable: memoryQueryable([series('a', [1])], ['block 7 is damaged']) }, async (url) => {
      for (const [, types] of RESPONSE_TYPES) {
        assert.deepEqual((await readAll(url, types)).warnings, ['block 7 is damaged']);
      }
    });
  });

  it('breaks the connection off when the storage fails in the middle', async () => {
    const queryable = memoryQueryable(randomSeries(3, 200));
    const failing: Queryable = {
      querier: (minTimeMs, maxTimeMs) => {
        const querier = queryable.querier(minTimeMs, maxTimeMs);
        return {
          ...querier,
          async select(sorted, hints, matchers) {
            const set = await querier.select(sorted, hints, matchers);
            const batches = (async function* () {
              yield* set.batches;
              throw new PromletError('tsdb/corrupt-chunk', 'a chunk is damaged');
            })();
            return { ...set, batches };
          },
        };
      },
    };
    await serve({ queryable: failing }, async (url) => {
      await assert.rejects(readAll(url, [1]), { message: 'aborted' });
      await assert.rejects(readAll(url, [0]), { code: 'remote/http-status', message: /500: a chunk is damaged/ });
    });
  });

  it('encodes no more than the client takes, and closes the querier when it is gone', async () => {
    let batchCount = 0;
    let response: http.ServerResponse;
    let mostUnsentBytes = 0;
    const closed = Promise.withResolvers<void>();
    const long = series(
      'a',
      Array.from({ length: 5_000 }, (_, i) => i * 60_000 + (i % 7)),
    );
    const endless: Queryable = {
      querier: () => ({
        ...memoryQueryable([]).querier(0, 0),
        async select() {
          const batches = (async function* () {
            for (;;) {
              const labels = Labels.of({ __name__: 'a', i: String(batchCount++).padStart(9, '0') });
              yield [{ labels, read: (into: SampleColumns) => long.samples.forEach((s) => into.push(...s)) }];
              mostUnsentBytes = Math.max(mostUnsentBytes, response.writableLength);
            }
          })();
          return { batches, annotations: new Annotations() };
        },
        close: () => closed.resolve(),
      }),
    };
    await serve({ queryable: endless }, async (url, server) => {
      server.prependListener('request', (_, asked: http.ServerResponse) => (response = asked));
      const request = { queries: [EVERYTHING], acceptedResponseTypes: [1] };
      const answer = await readRemote({ transport, codec }, url, request, new AbortController().signal);
      const batches = answer.batches[Symbol.asyncIterator]();
      await batches.next();
      await until(() => response.writableLength > 0);
      // What should not be encoded would be by then.
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.ok(mostUnsentBytes < 64 << 10, `${mostUnsentBytes} bytes of ${batchCount} series that nobody took`);
      await batches.return!();
      await closed.promise;
    });
  });

  it('answers what it is asked wrongly with a status, and passes on what is not its own', async () => {
    await serve({}, async (url) => {
      const ask = async (method: string, body: string | null, path = '') => {
        const response = await fetch(url + path, { method, body });
        return [response.status, await response.text()];
      };
      assert.deepEqual(await ask('GET', null), [405, 'Method Not Allowed']);
      assert.deepEqual(await ask('POST', 'hello'), [400, 'read request: 5 bytes that are not valid snappy\n']);
      assert.equal((await ask('POST', 'x'.repeat(2 << 20)))[0], 413);
      assert.deepEqual(await ask('POST', 'hello', '/other'), [404, 'Not Found']);
    });
  });
});

function series(name: string, timestamps: readonly number[]): MemorySeries {
  return { labels: Labels.of({ __name__: name }), samples: timestamps.map((timestampMs) => [timestampMs, 1]) };
}

function rangeQuery(pattern: string, startMs: number, endMs: number): ReadQuery {
  return { startMs, endMs, matchers: [new Matcher('=~', '__name__', pattern)], hints: undefined };
}
