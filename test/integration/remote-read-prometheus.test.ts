import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { seededRandom } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { formatFloat, Labels, Matcher, parseFloatStrict, SampleColumns, STALE_NAN } from '../../lib/model/index.ts';
import { answerRead, createWireCodec, nodeTransport, readRemote } from '../../lib/remote/index.ts';
import { REMOTE_READ_LIMITS } from '../../lib/remote/limits.ts';
import { decodeReadRequest, encodeReadRequest } from '../../lib/remote/read-request.ts';
import { needPeer } from '../tools/peers.ts';
import { PATIENCE_MS, raw, SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { memoryQueryable, type MemorySeries } from '../unit/remote/memory-queryable.ts';
import { startPrometheusProgram } from './side-by-side/programs.ts';

const run = promisify(execFile);
const codec = createWireCodec(createKernels());
/** An hour of a day in 2020: retention is off in these tests. */
const START_MS = 1_600_000_000_000;
const RANGE_MS = 7_200_000;
const RESPONSE_TYPES = [
  ['SAMPLES', 0],
  ['STREAMED_XOR_CHUNKS', 1],
] as const;

/** 60 series of up to 480 samples: counters, gauges, constants, odd intervals, special values. */
function makeSeries(): MemorySeries[] {
  const random = seededRandom(42);
  const special = [NaN, Infinity, -Infinity, -0, 5e-324, 1.7976931348623157e308];
  return Array.from({ length: 60 }, (_, i) => {
    const samples: [number, number][] = [];
    let counter = 0;
    for (let timestampMs = START_MS; timestampMs < START_MS + RANGE_MS;) {
      counter += Math.floor(random() * 100);
      const value = [counter, random() * 1e3, i, special[Math.floor(random() * special.length)]!][i % 4]!;
      samples.push([timestampMs, value]);
      timestampMs += i % 3 === 0 ? 15_000 : 1 + Math.floor(random() * 60_000);
    }
    return { labels: Labels.of({ __name__: `test_${i % 7}`, i: String(i), grüße: i % 2 ? 'a"b\\c\nd' : '' }), samples };
  });
}

/** `labels timestamp value`, sorted: what is compared, sample by sample. */
type Lines = string[];

function lineOf(labels: string, timestampMs: number, value: number): string {
  return `${labels} ${timestampMs} ${Object.is(value, -0) ? '-0' : value}`;
}

/** Runs Prometheus on `dir/data` until `use` is through. */
async function withPrometheus(
  binary: string,
  dir: string,
  config: string,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const configFile = join(dir, 'prometheus.yml');
  writeFileSync(configFile, config);
  const options = { configFile, dataDir: join(dir, 'data'), logFile: join(dir, 'log') };
  const prometheus = await startPrometheusProgram(binary, options);
  try {
    await use(prometheus.url);
  } finally {
    await prometheus.process.stop();
  }
}

describe('remote read and real Prometheus', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  const transport = nodeTransport({ maxIdlePerHost: 2, connectTimeoutMs: PATIENCE_MS });
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-remote-read-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  after(() => transport.close());

  it('reads from it every sample that promtool dumps, in both response types', async function () {
    const promtool = needPeer(this, 'promtool');
    const prometheus = needPeer(this, 'prometheus');
    const openMetrics = join(dir, 'samples.txt');
    writeFileSync(openMetrics, openMetricsOf(makeSeries()));
    const data = join(dir, 'data');
    await run(promtool, ['tsdb', 'create-blocks-from', 'openmetrics', '-q', openMetrics, data]);
    mkdirSync(join(data, 'wal'));
    const { stdout } = await run(promtool, ['tsdb', 'dump', data], { maxBuffer: 1 << 26 });
    const expected = stdout.trim().split('\n').map(lineOfDump).sort();
    assert.ok(expected.length > 10_000, `${expected.length} samples are enough to mean something`);

    await withPrometheus(prometheus, dir, '{}', async (url) => {
      for (const [name, type] of RESPONSE_TYPES) {
        const found = (await readAll(`${url}/api/v1/read`, type)).sort();
        assert.equal(found.length, expected.length, name);
        // Prometheus's encoder takes -0 for the default value and leaves it out of SAMPLES.
        const sent = name === 'SAMPLES' ? expected.map((line) => line.replace(/ -0$/, ' 0')).sort() : expected;
        assert.deepEqual(found, sent, name);
      }
    });
  });

  async function readAll(url: string, type: number): Promise<Lines> {
    const matchers = [new Matcher('=~', '__name__', 'test_.*')];
    const query = { startMs: START_MS, endMs: START_MS + RANGE_MS, matchers, hints: undefined };
    const request = { queries: [query], acceptedResponseTypes: [type] };
    const answer = await readRemote({ transport, codec }, url, request, AbortSignal.timeout(PATIENCE_MS));
    const lines: Lines = [];
    for await (const batch of answer.batches) {
      for (const series of batch) {
        const columns = new SampleColumns();
        series.read(codec, query.startMs, query.endMs, columns);
        for (let i = 0; i < columns.length; i++) {
          lines.push(lineOf(series.labels.toString(), columns.timestamps[i]!, columns.values[i]!));
        }
      }
    }
    return lines;
  }

  for (const [name, type] of RESPONSE_TYPES) {
    it(`answers its remote_read with exactly our samples: ${name}`, async function () {
      const prometheus = needPeer(this, 'prometheus');
      // PromQL leaves stale markers out of a range, which shows that they arrived as such.
      const source = makeSeries().map(({ labels, samples }) => ({
        labels,
        samples: samples.map(([timestampMs, value], i) => [timestampMs, i % 17 === 5 ? STALE_NAN : value] as const),
      }));
      const expected = source
        .flatMap(({ labels, samples }) =>
          samples
            .filter((_, i) => i % 17 !== 5)
            .map(([timestampMs, value]) => lineOf(labels.toString(), timestampMs, value)),
        )
        .sort();
      const server = await serve(source, type);
      const { port } = server.address() as AddressInfo;
      const config = `remote_read: [{ url: 'http://127.0.0.1:${port}/read', read_recent: true }]`;
      try {
        await withPrometheus(prometheus, dir, config, async (url) => {
          const selector = `{__name__=~"test_.*"}[${RANGE_MS / 1000 + 1}s]`;
          const series = await raw(url, selector, (START_MS + RANGE_MS) / 1000);
          const found = series
            .flatMap(({ metric, values }) => {
              const labels = Labels.of(metric).toString();
              return values.map(([seconds, value]) =>
                lineOf(labels, Math.round(seconds * 1000), parseFloatStrict(value)!),
              );
            })
            .sort();
          assert.equal(found.length, expected.length);
          assert.deepEqual(found, expected);
        });
      } finally {
        server.closeAllConnections();
        server.close();
      }
    });
  }

  /** Our server, made to answer in the given type whatever the client prefers. */
  async function serve(source: readonly MemorySeries[], type: number): Promise<Server> {
    const server = createServer((request, response) => {
      void (async () => {
        const body = Buffer.concat(await request.toArray());
        const { queries } = decodeReadRequest(body, codec, REMOTE_READ_LIMITS);
        const rewritten = encodeReadRequest({ queries, acceptedResponseTypes: [type] }, codec);
        const deps = { queryable: memoryQueryable(source), codec };
        const answer = answerRead(deps, rewritten, new AbortController().signal);
        response.writeHead(200, answer.headers);
        await pipeline(answer.body, response);
      })().catch((error: unknown) => response.destroy(error as Error));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server;
  }
});

/** OpenMetrics text; families together, timestamps in seconds. */
function openMetricsOf(source: readonly MemorySeries[]): string {
  const families = Map.groupBy(source, ({ labels }) => labels.get('__name__'));
  let text = '';
  for (const [name, members] of families) {
    text += `# TYPE ${name} gauge\n`;
    for (const { labels, samples } of members) {
      const rest = labels
        .without(new Set(['__name__']))
        .toString()
        .replaceAll(', ', ',');
      for (const [timestampMs, value] of samples)
        text += `${name}${rest} ${formatFloat(value)} ${timestampMs / 1000}\n`;
    }
  }
  return `${text}# EOF\n`;
}

/** `{__name__="a", b="c"} 1.5 1600000000000` of `promtool tsdb dump`, in our form. */
function lineOfDump(line: string): string {
  const [, labels, value, timestampMs] = /^(\{.*\}) (\S+) (\d+)$/.exec(line)!;
  return lineOf(labels!, Number(timestampMs), parseFloatStrict(value!)!);
}
