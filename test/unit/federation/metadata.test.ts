import assert from 'node:assert/strict';
import { createFederation, type Federation, staticDirectory } from '../../../operator/federation/index.ts';
import { systemClock } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { Labels, Matcher } from '../../../lib/model/index.ts';
import { memoryQueryable, serve, testDeps, type TestServer } from '../api/fixture.ts';

const metric = (name: string, help: string) => ({ name, type: 'counter', unit: '', help });
const series = (node: string) => ({
  labels: Labels.of({ __name__: 'm', node }),
  exemplars: [
    { labels: Labels.of({ trace_id: node }), value: 1.5, timestampMs: 1_700_000_000_123 },
    { labels: Labels.EMPTY, value: NaN, timestampMs: 1_700_000_001_000 },
  ],
});

describe('federation of what is not series', () => {
  const asked: { minMs: number; maxMs: number; selectors: string[] }[] = [];
  let agents: Record<string, TestServer>;
  let federation: Federation;

  const agent = (node: string, pools: readonly string[]): Promise<TestServer> =>
    serve(
      testDeps(memoryQueryable([]), {
        scrapePools: () => ({ names: pools }),
        targetMetadata: () => ({
          targets: [
            { labels: Labels.of({ instance: node }), metrics: [metric('a_total', `Of ${node}.`), metric('b', '')] },
          ],
        }),
        exemplars: (_, minMs, maxMs, sets) => {
          asked.push({ minMs, maxMs, selectors: sets.map(String) });
          return { series: [series(node)] };
        },
      }),
    );

  before(async () => {
    agents = { 'node-b': await agent('node-b', ['x', 'y']), 'node-a': await agent('node-a', ['y', 'z']) };
    const directory = staticDirectory(Object.fromEntries(Object.entries(agents).map(([node, { url }]) => [node, url])));
    federation = createFederation({
      directory,
      clock: systemClock,
      kernels: createKernels(),
      limits: { agentTimeoutMs: 60_000, connectTimeoutMs: 60_000 },
      partialResponseDefault: true,
    });
  });
  after(async () => {
    federation.close();
    await Promise.all(Object.values(agents).map((server) => server.close()));
  });

  it('unites the pools', async () => {
    assert.deepEqual((await federation.scrapePools()).names.toSorted(), ['x', 'y', 'z']);
  });

  it('lists metadata by target', async () => {
    const { targets } = await federation.metadata();
    assert.deepEqual(
      targets
        .map(({ labels, metrics }) => [labels.get('instance'), metrics[0], metrics.length])
        .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
      [
        ['node-a', metric('a_total', 'Of node-a.'), 2],
        ['node-b', metric('a_total', 'Of node-b.'), 2],
      ],
    );
  });

  it('asks every agent for exemplars of all selectors, and sorts what comes', async () => {
    const sets = [
      [new Matcher('=', '__name__', 'm'), new Matcher('=~', 'weird name', '"|\\\\.+')],
      [new Matcher('=', 'a', 'b')],
    ];
    const found = await federation.exemplars(1_000, 2_500, sets);
    assert.deepEqual(found.series, [series('node-a'), series('node-b')]);
    assert.equal(asked.length, 2);
    for (const one of asked) assert.deepEqual(one, { minMs: 1_000, maxMs: 2_500, selectors: sets.map(String) });
  });

  it('names a node that is missing, or fails for it', async () => {
    await agents['node-b']!.close();
    const found = await federation.metadata();
    assert.equal(found.targets.length, 1);
    assert.match(found.annotations!.warnings[0]!, /node "node-b"/);
    await assert.rejects(federation.metadata({ partialResponse: false }), { code: 'federation/partial' });
    agents['node-b'] = await agent('node-b', []);
  });
});
