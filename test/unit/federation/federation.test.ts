import assert from 'node:assert/strict';
import http from 'node:http';
import * as fc from 'fast-check';
import { storedEncoding } from '../../../lib/chunk/index.ts';
import { type Clock, systemClock, type Timer } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { Labels, Matcher, SampleColumns } from '../../../lib/model/index.ts';
import { createWireCodec } from '../../../lib/remote/index.ts';
import { type ChunkSeries, collectSeries, type Queryable, type SelectHints } from '../../../lib/storage/index.ts';
import {
  type AgentsDirectory,
  createFederation,
  type FederationLimits,
  type PartialResponse,
  staticDirectory,
} from '../../../operator/federation/index.ts';
import { memoryQueryable, type MemorySeries } from '../remote/memory-queryable.ts';
import { type FakeAgent, startAgent, startBrokenAgent } from './fake-agent.ts';

const kernels = createKernels();
const codec = createWireCodec(kernels);
const UP = [new Matcher('=', '__name__', 'up')];
const HINTS: SelectHints = { startMs: 0, endMs: 10_000 };

function up(node: string, ...samples: [number, number][]): MemorySeries {
  return { labels: Labels.of({ __name__: 'up', node }), samples };
}

interface Setting extends PartialResponse {
  readonly clock?: Clock;
  readonly limits?: Partial<FederationLimits>;
  readonly missing?: AgentsDirectory['missing'];
}

/** Runs `use` on the federation of the given agents, which are then closed. */
async function federate(
  agents: Readonly<Record<string, FakeAgent>>,
  setting: Setting,
  use: (queryable: Queryable, federation: ReturnType<typeof createFederation>) => Promise<void>,
): Promise<void> {
  const urls = Object.fromEntries(Object.entries(agents).map(([node, { url }]) => [node, url]));
  const directory = { ...staticDirectory(urls), ...(setting.missing && { missing: setting.missing }) };
  const federation = createFederation({
    directory,
    kernels,
    clock: setting.clock ?? systemClock,
    limits: { agentTimeoutMs: 60_000, connectTimeoutMs: 60_000, ...setting.limits },
    partialResponseDefault: true,
  });
  try {
    await use(federation.queryable(setting), federation);
  } finally {
    federation.close();
    await Promise.all(Object.values(agents).map((agent) => agent.close()));
  }
}

function samplesOf({ timestamps, values, length }: SampleColumns): [number, number][] {
  return Array.from({ length }, (_, k) => [timestamps[k]!, values[k]!]);
}

/** Everything a selection gives, in order: label sets with their samples, then warnings. Chunks must hold the same. */
async function answerOf(
  queryable: Queryable,
  matchers: readonly Matcher[] = UP,
  [minTimeMs, maxTimeMs]: readonly [number, number] = [0, 10_000],
) {
  const querier = queryable.querier(minTimeMs, maxTimeMs);
  const set = await querier.select(true, { startMs: minTimeMs, endMs: maxTimeMs }, matchers);
  const series = (await collectSeries(set)).map((one) => {
    const columns = new SampleColumns();
    one.read(columns);
    const samples = samplesOf(columns);
    if ('chunks' in one) {
      const decoded = new SampleColumns();
      for (const { encoding, bytes } of (one as ChunkSeries).chunks(minTimeMs, maxTimeMs)) {
        codec.decodeChunk(storedEncoding(encoding), bytes, minTimeMs, maxTimeMs, decoded);
      }
      assert.deepEqual(samplesOf(decoded), samples);
    }
    return [one.labels.toString(), samples] as const;
  });
  querier.close();
  return { series, warnings: set.annotations.warnings };
}

describe('federation', () => {
  it('answers as one storage holding all the data would', async () => {
    const sample = fc.record({
      timestampMs: fc.integer({ min: 0, max: 2_000 }),
      value: fc.double({ noDefaultInfinity: false }),
      agents: fc.integer({ min: 1, max: 7 }),
    });
    const series = fc.record({
      name: fc.constantFrom('up', 'down'),
      label: fc.constantFrom('', 'a', 'aa', 'b', 'ü', '\u{1f600}', '\ufffd'),
      other: fc.constantFrom('', 'x', 'y'),
      samples: fc.uniqueArray(sample, { selector: ({ timestampMs }) => timestampMs, maxLength: 300 }),
    });
    const dataset = fc.uniqueArray(series, {
      selector: ({ name, label, other }) => `${name} ${label} ${other}`,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(dataset, fc.integer({ min: 0, max: 2_000 }), async (generated, start) => {
        const everything = generated.map(({ name, label, other, samples }) => ({
          labels: Labels.of({ __name__: name, label, other }),
          samples: samples.toSorted((a, b) => a.timestampMs - b.timestampMs),
        }));
        const part = (bit: number): Queryable =>
          memoryQueryable(
            everything.map(({ labels, samples }) => ({
              labels,
              samples: samples.filter(({ agents }) => agents & bit).map((s) => [s.timestampMs, s.value] as const),
            })),
          );
        const whole = memoryQueryable(
          everything.map(({ labels, samples }) => ({
            labels,
            samples: samples.map((s) => [s.timestampMs, s.value] as const),
          })),
        );
        const agents = { a: await startAgent(part(1)), b: await startAgent(part(2)), c: await startAgent(part(4)) };
        await federate(agents, {}, async (queryable) => {
          const range = [start, start + 1_000] as const;
          assert.deepEqual(await answerOf(queryable, UP, range), await answerOf(whole, UP, range));
        });
      }),
      { numRuns: 40, seed: 3 },
    );
  });

  it('takes the sample of the first node where two nodes have the same series and time', async () => {
    const agents = {
      'node-b': await startAgent(memoryQueryable([up('x', [1, 20], [2, 20], [4, 20])])),
      'node-a': await startAgent(memoryQueryable([up('x', [2, 10], [3, 10])])),
    };
    await federate(agents, {}, async (queryable) => {
      const { series } = await answerOf(queryable);
      assert.deepEqual(series, [
        [
          '{__name__="up", node="x"}',
          [
            [1, 20],
            [2, 10],
            [3, 10],
            [4, 20],
          ],
        ],
      ]);
    });
  });

  it('asks no more agents at a time than it may, and all of them', async () => {
    let most = 0;
    let answered = 0;
    const waiting: http.ServerResponse[] = [];
    const slow = () =>
      startBrokenAgent((_, response) => {
        most = Math.max(most, waiting.push(response));
        // One that should not have been asked yet would come while the others wait.
        if (waiting.length === 2 || answered === 8) setTimeout(answerAll, 20);
      });
    const answerAll = (): void => {
      answered += waiting.length;
      for (const response of waiting.splice(0)) response.end('{"status":"success","data":["x"]}');
    };
    const agents = Object.fromEntries(
      await Promise.all(Array.from({ length: 9 }, async (_, i) => [`n${i}`, await slow()])),
    );
    await federate(agents, { limits: { maxConcurrentAgents: 2 } }, async (queryable) => {
      const { values, annotations } = await queryable.querier(0, 1).labelNames({}, []);
      assert.deepEqual([values, annotations.warnings, most, answered], [['x'], [], 2, 9]);
    });
  });

  it('names a killed agent in a warning and gives the data of the others', async () => {
    const killed = await startAgent(memoryQueryable([]));
    const agents = { 'node-a': await startAgent(memoryQueryable([up('node-a', [1, 1])])), 'node-b': killed };
    await killed.close();
    await federate(agents, {}, async (queryable) => {
      const { series, warnings } = await answerOf(queryable);
      assert.deepEqual(series, [['{__name__="up", node="node-a"}', [[1, 1]]]]);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0]!, /^node "node-b": connect ECONNREFUSED/);
    });
  });

  it('makes a missing node an error when partial answers are not wanted', async () => {
    const killed = await startAgent(memoryQueryable([]));
    const agents = { 'node-a': await startAgent(memoryQueryable([up('node-a', [1, 1])])), 'node-b': killed };
    await killed.close();
    await federate(agents, { partialResponse: false }, async (queryable) => {
      await assert.rejects(answerOf(queryable), { code: 'federation/partial', message: /node "node-b": connect/ });
    });
  });

  it('does not wait for a slow agent beyond the deadline', async () => {
    const deadlines = new Set<() => void>();
    const setTimer = (callback: () => void, delayMs: number): Timer => {
      assert.equal(delayMs, 200);
      deadlines.add(callback);
      // The other agent has answered: its deadline is taken back.
      return { cancel: () => deadlines.delete(callback) && deadlines.forEach((isOver) => isOver()) };
    };
    const agents = {
      'node-a': await startAgent(memoryQueryable([up('node-a', [1, 1])])),
      'node-b': await startBrokenAgent(() => undefined),
    };
    const setting = { clock: { ...systemClock, setTimer }, limits: { agentTimeoutMs: 200 } };
    await federate(agents, setting, async (queryable) => {
      const { series, warnings } = await answerOf(queryable);
      assert.equal(series.length, 1);
      assert.deepEqual(warnings, ['node "node-b": no complete answer within 200 ms']);
    });
  });

  it('lists nodes the directory misses, and fails for them when partial answers are not wanted', async () => {
    const missing = () => [{ node: 'node-c', reason: 'it has no agent pod any more' }];
    for (const partialResponse of [true, false]) {
      const agents = { 'node-a': await startAgent(memoryQueryable([up('node-a', [1, 1])])) };
      await federate(agents, { missing, partialResponse }, async (queryable) => {
        if (!partialResponse) return assert.rejects(answerOf(queryable), { code: 'federation/partial' });
        const { warnings } = await answerOf(queryable);
        assert.deepEqual(warnings, ['node "node-c": it has no agent pod any more']);
      });
    }
  });

  it("passes on an agent's own warnings, named by node", async () => {
    const agents = { 'node-a': await startAgent(memoryQueryable([up('node-a', [1, 1])], ['läuft "über"\n'])) };
    await federate(agents, {}, async (queryable) => {
      assert.deepEqual((await answerOf(queryable)).warnings, ['node "node-a": läuft "über"\n']);
      const names = await queryable.querier(0, 10).labelNames({}, []);
      assert.deepEqual(names.annotations.warnings, ['node "node-a": läuft "über"\n']);
    });
  });

  const broken: Record<string, [http.RequestListener, RegExp]> = {
    'an error status': [(_, response) => response.writeHead(500).end('disk on fire\n'), /status 500: disk on fire/],
    'another content type': [(_, response) => response.end('hello'), /content type ""/],
    'a connection that is cut': [(request) => request.socket.destroy(), /socket hang up/],
  };
  for (const [what, [handler, reason]] of Object.entries(broken)) {
    it(`blames the node for ${what}`, async () => {
      const agents = {
        'node-a': await startAgent(memoryQueryable([up('node-a', [1, 1])])),
        'node-b': await startBrokenAgent(handler),
      };
      await federate(agents, {}, async (queryable) => {
        const { series, warnings } = await answerOf(queryable);
        assert.equal(series.length, 1);
        assert.match(warnings.join(), /^node "node-b": /);
        assert.match(warnings.join(), reason);
      });
    });
  }

  it('uses nothing of a stream that is cut between two frames', async () => {
    const whole = await startAgent(memoryQueryable([up('node-b', [1, 1])]));
    const agents = {
      'node-b': await startBrokenAgent((request, response) => {
        const forwarded = http.request(whole.url + request.url, { method: 'POST' }, (answer) => {
          response.writeHead(200, { 'Content-Type': answer.headers['content-type'] });
          answer.once('data', (frame) => response.write(frame, () => request.socket.destroy()));
        });
        request.pipe(forwarded);
      }),
    };
    await federate(agents, {}, async (queryable) => {
      assert.deepEqual(await answerOf(queryable), { series: [], warnings: ['node "node-b": aborted'] });
    });
    await whole.close();
  });

  it('fails the whole query when it needs more bytes than it may hold', async () => {
    const many = Array.from({ length: 50 }, (_, i) => up(`n${i}`, [1, i]));
    const agents = { 'node-a': await startAgent(memoryQueryable(many)) };
    await federate(agents, { limits: { maxQueryBytes: 20_000 } }, async (queryable) => {
      await assert.rejects(answerOf(queryable), { code: 'promql/too-many-bytes' });
    });
  });

  it('gives bytes back when a querier is closed', async () => {
    const many = Array.from({ length: 20 }, (_, i) => up(`n${i}`, [1, i]));
    const agents = { 'node-a': await startAgent(memoryQueryable(many)) };
    await federate(agents, { limits: { maxQueryBytes: 15_000 } }, async (queryable) => {
      for (let i = 0; i < 3; i++) assert.equal((await answerOf(queryable)).series.length, 20);
    });
  });

  it('ends with the reason of an aborted query, and asks nobody again', async () => {
    const query = new AbortController();
    const agents = { 'node-a': await startBrokenAgent(() => query.abort(new Error('query cancelled'))) };
    await federate(agents, {}, async (queryable) => {
      const answer = queryable.querier(0, 10).select(true, { ...HINTS, signal: query.signal }, UP);
      await assert.rejects(answer, { message: 'query cancelled' });
      assert.equal(agents['node-a'].requests.length, 1);
    });
  });

  it('unites label names, label values and series of all agents', async () => {
    const odd = Labels.of({ __name__: 'up', 'k8s.io/name_x': 'v' });
    const agents = {
      'node-a': await startAgent(memoryQueryable([up('node-a', [1, 1]), { labels: odd, samples: [[1, 1]] }])),
      'node-b': await startAgent(memoryQueryable([up('node-b', [1, 1]), up('node-a', [2, 1])])),
    };
    await federate(agents, {}, async (queryable) => {
      const querier = queryable.querier(0, 10_000);
      assert.deepEqual((await querier.labelNames({}, [])).values, ['__name__', 'k8s.io/name_x', 'node']);
      assert.deepEqual((await querier.labelValues('node', {}, UP)).values, ['node-a', 'node-b']);
      assert.deepEqual((await querier.labelValues('node', { limit: 1 }, UP)).values, ['node-a']);
      await querier.labelValues('k8s.io/name_x', {}, UP);
      assert.match(
        agents['node-a'].requests.at(-1)!,
        /^GET \/api\/v1\/label\/U__k8s_2e_io_2f_name__x\/values\?start=0/,
      );
      const set = await querier.select(true, { ...HINTS, func: 'series' }, UP);
      assert.deepEqual(
        (await collectSeries(set)).map(({ labels }) => labels.toString()),
        ['{__name__="up", "k8s.io/name_x"="v"}', '{__name__="up", node="node-a"}', '{__name__="up", node="node-b"}'],
      );
    });
  });

  it('lists the targets of all agents', async () => {
    const active = (instance: string, lastScrape: string) => ({
      discoveredLabels: { __address__: instance },
      labels: { instance },
      scrapePool: 'pool',
      scrapeUrl: `http://${instance}/metrics`,
      globalUrl: `http://${instance}/metrics`,
      lastError: '',
      lastScrape,
      lastScrapeDuration: 0.25,
      health: 'up',
      scrapeInterval: '1m30s',
      scrapeTimeout: '10s',
    });
    const targets = (...activeTargets: object[]) => ({
      activeTargets,
      droppedTargets: [{ discoveredLabels: { a: 'b' }, scrapePool: 'pool' }],
      droppedTargetCounts: { pool: 2 },
    });
    const agents = {
      'node-a': await startAgent(memoryQueryable([]), targets(active('a:1', '2026-01-02T03:04:05.678901234Z'))),
      'node-b': await startAgent(memoryQueryable([]), targets(active('b:1', '0001-01-01T00:00:00Z'))),
      'node-c': await startBrokenAgent((_, response) => response.writeHead(503).end('replaying')),
      'node-d': await startAgent(memoryQueryable([]), targets({ ...active('d:1', ''), scrapeInterval: 'soon' })),
    };
    await federate(agents, {}, async (_, federation) => {
      const snapshot = await federation.targets();
      assert.deepEqual(
        snapshot.active.map(({ labels, lastScrapeMs, lastScrapeDurationMs, scrapeIntervalMs }) => [
          labels.toString(),
          lastScrapeMs,
          lastScrapeDurationMs,
          scrapeIntervalMs,
        ]),
        [
          ['{instance="a:1"}', Date.UTC(2026, 0, 2, 3, 4, 5, 678), 250, 90_000],
          ['{instance="b:1"}', undefined, 250, 90_000],
        ],
      );
      assert.equal(snapshot.dropped.length, 2);
      assert.deepEqual({ ...snapshot.droppedCounts }, { pool: 4 });
      const [replaying, malformed] = snapshot.annotations!.warnings;
      assert.equal(replaying, 'node "node-c": /api/v1/targets: HTTP status 503: replaying');
      assert.match(malformed!, /^node "node-d": not a valid duration string: "soon"/);
    });
  });

  it('asks anew when a kept connection turns out to be closed, and only then', async () => {
    const used = new Set<unknown>();
    const agent = await startBrokenAgent(({ socket }, response) => {
      if (used.has(socket)) return socket.resetAndDestroy();
      used.add(socket);
      response.setHeader('Content-Type', 'application/json');
      response.end('{"status":"success","data":["x"]}');
    });
    await federate({ 'node-a': agent }, {}, async (queryable) => {
      for (let i = 0; i < 3; i++) {
        const { values, annotations } = await queryable.querier(0, 1).labelNames({}, []);
        assert.deepEqual([values, annotations.warnings], [['x'], []]);
      }
      assert.deepEqual([agent.requests.length, used.size], [5, 3]);
    });
  });

  it('keeps its connections between queries', async () => {
    const ports = new Set<number>();
    const agent = await startBrokenAgent((request, response) => {
      ports.add(request.socket.remotePort!);
      response.setHeader('Content-Type', 'application/json');
      response.end('{"status":"success","data":[]}');
    });
    await federate({ 'node-a': agent }, {}, async (queryable) => {
      for (let i = 0; i < 4; i++) await queryable.querier(0, 1).labelNames({}, []);
      assert.equal(ports.size, 1);
    });
  });
});
