import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import http from 'node:http';
import Koa from 'koa';
import { createLogger, seededRandom } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { Labels, Matcher, SampleColumns, STALE_NAN } from '../../../lib/model/index.ts';
import { createWireCodec, nodeTransport, readRemote, remoteRead, type ReadQuery } from '../../../lib/remote/index.ts';
import { memoryQueryable, type MemorySeries } from './memory-queryable.ts';

const codec = createWireCodec(createKernels());
const transport = nodeTransport({ maxIdlePerHost: 2, connectTimeoutMs: 5000 });
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
  use: (url: string) => Promise<void>,
): Promise<void> {
  const app = new Koa();
  app.use(remoteRead({ queryable: memoryQueryable([]), codec, logger: createLogger('silent'), ...options }));
  const handle = app.callback();
  const server = http.createServer((request, response) => void handle(request, response)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/read`);
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
    AbortSignal.timeout(10_000),
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
});
