/**
 * Native histograms on two agents, asked for by the operator's federation and by real Prometheus as a client of remote
 * read: all must answer as one Prometheus that holds everything.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createLogger, seededRandom, systemClock } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { type FloatHistogram, Labels } from '../../lib/model/index.ts';
import { createWireCodec, remoteRead } from '../../lib/remote/index.ts';
import { REMOTE_READ_LIMITS } from '../../lib/remote/limits.ts';
import { decodeReadRequest, encodeReadRequest } from '../../lib/remote/read-request.ts';
import { createFederation, type Federation, staticDirectory } from '../../operator/federation/index.ts';
import { differenceOf } from '../tools/compare-replies.ts';
import { HistogramWalk } from '../tools/histogram-walk.ts';
import { needPeer } from '../tools/peers.ts';
import { PATIENCE_MS, SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import type { Reply } from '../tools/query-twins.ts';
import { encodeWriteRequest, REMOTE_WRITE_HEADERS, type WrittenSeries } from '../tools/remote-write.ts';
import { serve, testDeps, type TestServer } from '../unit/api/fixture.ts';
import { type Program, startAgentProgram, startPrometheusProgram } from './side-by-side/programs.ts';

const codec = createWireCodec(createKernels());
const STEP_MS = 15_000;
const SAMPLES = 200;
const BLOCK_MS = 2 * 3600_000;
/** So that the newest start of a block that can be has 41 minutes before and 9 after it: chunks are cut there. */
const START_MS = Math.floor((Date.now() - 9 * 60_000) / BLOCK_MS) * BLOCK_MS - 41 * 60_000;
const START = START_MS / 1000;
const END = START + (SAMPLES * STEP_MS) / 1000;
const RECEIVER = '--web.enable-remote-write-receiver';

const QUERIES = [
  'nh',
  'nh{kind="floats"}',
  'rate(nh[2m])',
  'increase(nh{kind!="gauges"}[5m])',
  'delta(nh{kind="gauges"}[5m])',
  'sum by (kind) (nh)',
  'sum(rate(nh{kind=~"integers|floats"}[1m]))',
  'avg(nh{kind="floats"})',
  'count(nh)',
  'histogram_count(nh)',
  'histogram_sum(rate(nh[5m]))',
  'histogram_avg(nh)',
  'histogram_quantile(0.9, rate(nh[5m]))',
  // Whether bounds of several series are reconciled, or given up, depends on the order of the series, too.
  'histogram_quantile(0.5, sum by (kind) (rate(nh{kind!="bounds"}[5m])))',
  'histogram_fraction(0, 10, nh)',
  'histogram_stddev(nh)',
  'resets(nh[10m])',
  // What counts as a change depends on the empty buckets that a chunk keeps.
  'changes(nh{place!="both"}[10m])',
  'sum_over_time(nh[3m])',
  'avg_over_time(nh[3m])',
  'last_over_time(nh[3m])',
  'count_over_time(nh[10m])',
  'rate(nh[2m:30s])',
  'nh{kind="integers"} + nh{kind="integers"}',
  'nh * 2',
  'nh{kind="mixed"}',
  'rate(nh{kind="mixed"}[5m])',
];

interface Sent {
  readonly a: WrittenSeries[];
  readonly b: WrittenSeries[];
}

/** Series of either agent alone, and some whose first half is on one and whose second half is on the other. */
function makeSeries(): Sent {
  const random = seededRandom(3);
  const timeMs = (i: number): number => START_MS + i * STEP_MS;
  const kinds = {
    integers: { integer: true, custom: false },
    floats: { integer: false, custom: false },
    gauges: { integer: false, gauge: true, custom: false },
    bounds: { integer: true },
  };
  const sent: Sent = { a: [], b: [] };
  for (const [kind, options] of Object.entries(kinds)) {
    for (const place of ['a', 'b', 'both'] as const) {
      const walk = new HistogramWalk(random, { ...options, breaks: place !== 'both' });
      const labels = Labels.of({ __name__: 'nh', kind, place });
      const histograms = Array.from({ length: SAMPLES }, (_, i) => [timeMs(i), sameZero(walk.next())] as const);
      if (place !== 'both') {
        sent[place].push({ labels, histograms });
        continue;
      }
      sent.a.push({ labels, histograms: histograms.slice(0, SAMPLES / 2) });
      sent.b.push({ labels, histograms: histograms.slice(SAMPLES / 2) });
    }
  }
  const walk = new HistogramWalk(random, { integer: true, breaks: false, custom: false });
  sent.a.push({
    labels: Labels.of({ __name__: 'nh', kind: 'mixed', place: 'a' }),
    samples: Array.from({ length: 80 }, (_, i) => [timeMs(i), i] as const),
    histograms: Array.from({ length: 60 }, (_, i) => [timeMs(80 + i), sameZero(walk.next())] as const),
  });
  return sent;
}

/** Sums of histograms whose zero buckets differ depend on the order of the series, which is any. */
function sameZero(histogram: FloatHistogram): FloatHistogram {
  return { ...histogram, zeroThreshold: 0 };
}

async function write(url: string, series: readonly WrittenSeries[]): Promise<void> {
  const body = codec.snappyCompress(encodeWriteRequest(series, 1));
  const response = await fetch(`${url}/api/v1/write`, {
    method: 'POST',
    headers: { ...REMOTE_WRITE_HEADERS[1], 'Content-Encoding': 'snappy' },
    body: body as Uint8Array<ArrayBuffer>,
  });
  assert.equal(response.status, 204, await response.text());
}

async function ask(url: string, query: string, isRange: boolean): Promise<Reply> {
  const times = isRange
    ? { start: String(START), end: String(END), step: '37' }
    : { time: String(START + Math.floor((END - START) * 0.6)) };
  const path = isRange ? 'query_range' : 'query';
  const body = new URLSearchParams({ query, ...times });
  return (await (await fetch(`${url}/api/v1/${path}`, { method: 'POST', body })).json()) as Reply;
}

/** Passes remote read requests on, for answers of the given type only. */
async function proxy(target: string, type: number): Promise<Server> {
  const server = createServer((request, response) => {
    void (async () => {
      const { queries } = decodeReadRequest(Buffer.concat(await request.toArray()), codec, REMOTE_READ_LIMITS);
      const body = encodeReadRequest({ queries, acceptedResponseTypes: [type] }, codec);
      const init = { method: 'POST', body: body as Uint8Array<ArrayBuffer> };
      const answer = await fetch(`${target}/api/v1/read`, init);
      const names = ['content-type', 'content-encoding'];
      const headers = names.flatMap((name) => (answer.headers.has(name) ? [[name, answer.headers.get(name)!]] : []));
      response.writeHead(answer.status, Object.fromEntries(headers) as Record<string, string>);
      await pipeline(Readable.fromWeb(answer.body!), response);
    })().catch((error: unknown) => response.destroy(error as Error));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe('native histograms of two agents', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  const programs: Program[] = [];
  let agents: Program[];
  let whole: Program;
  let federation: Federation;
  let operator: TestServer;
  let prometheus: string;

  const options = (name: string, config: string) => {
    const configFile = join(dir, `${name}.yml`);
    writeFileSync(configFile, config);
    return { configFile, dataDir: join(dir, name), logFile: join(dir, `${name}.log`) };
  };

  async function kept(starting: Promise<Program>): Promise<Program> {
    const program = await starting;
    programs.push(program);
    return program;
  }

  before(async function () {
    prometheus = needPeer(this, 'prometheus');
    dir = mkdtempSync(join(tmpdir(), 'promlet-histograms-'));
    const sent = makeSeries();
    const a = await kept(startAgentProgram(options('a', '{}'), RECEIVER));
    const b = await kept(startAgentProgram(options('b', '{}'), RECEIVER));
    whole = await kept(startPrometheusProgram(prometheus, options('whole', '{}'), RECEIVER));
    agents = [a, b];
    for (const [program, series] of [
      [a, sent.a],
      [b, sent.b],
      [whole, sent.a],
      [whole, sent.b],
    ] as const) {
      await write(program.url, series);
    }
    const directory = staticDirectory({ 'node-a': a.url, 'node-b': b.url });
    const kernels = createKernels();
    const limits = { agentTimeoutMs: PATIENCE_MS, connectTimeoutMs: PATIENCE_MS };
    federation = createFederation({ directory, kernels, clock: systemClock, limits, partialResponseDefault: false });
    const queryable = federation.queryable();
    const read = remoteRead({ queryable, codec: createWireCodec(kernels), logger: createLogger('silent') });
    operator = await serve(testDeps(queryable, { remote: () => [read] }));
  });
  after(async () => {
    await operator?.close();
    federation?.close();
    await Promise.all(programs.map((program) => program.process.stop()));
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  /** Holds every answer against that of the Prometheus that has everything. @param matcher added to every selector */
  async function compare(url: string, matcher = 'kind!=""'): Promise<void> {
    const differences: string[] = [];
    let found = 0;
    for (const asked of QUERIES) {
      const query = asked.replaceAll(/\bnh(\{)?/g, (_, open) => `nh{${matcher}${open === undefined ? '}' : ','}`);
      for (const isRange of [false, true]) {
        const [mine, theirs] = await Promise.all([ask(url, query, isRange), ask(whole.url, query, isRange)]);
        const difference = differenceOf(mine, theirs, { tolerance: 1e-9, order: 'none', texts: true });
        if (difference !== undefined) differences.push(`${isRange ? 'range' : 'instant'} ${query}: ${difference}`);
        if (theirs.data !== undefined && theirs.data.result.length > 0) found++;
      }
    }
    assert.deepEqual(differences, []);
    assert.ok(found > QUERIES.length, `${found} answers had something in them`);
  }

  it('are answered for by each agent as by Prometheus', async () => {
    await compare(agents[0]!.url, 'place="a"');
    await compare(agents[1]!.url, 'place="b"');
  });

  it('are answered for by the operator as by one Prometheus', async () => {
    await compare(operator.url);
  });

  for (const [name, type] of [
    ['SAMPLES', 0],
    ['STREAMED_XOR_CHUNKS', 1],
  ] as const) {
    it(`are read by real Prometheus from the agents, and from the operator: ${name}`, async () => {
      for (const [who, sources] of [
        ['agents', agents.map(({ url }) => url)],
        ['operator', [operator.url]],
      ] as const) {
        const proxies = await Promise.all(sources.map((url) => proxy(url, type)));
        const urls = proxies.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
        const config = `remote_read: ${JSON.stringify(urls.map((url, i) => ({ name: `r${i}`, url, read_recent: true })))}`;
        const reader = await startPrometheusProgram(prometheus, options(`reader-${type}-${who}`, config));
        try {
          // Of a series of both kinds Prometheus's client loses the first histogram of a SAMPLES answer, whoever sent it.
          await compare(reader.url, name === 'SAMPLES' ? 'kind!="mixed"' : undefined);
        } finally {
          await reader.process.stop();
          for (const server of proxies) {
            server.closeAllConnections();
            server.close();
          }
        }
      }
    });
  }
});
