/** Odd monitors beside a good one, and agents that come and go while they are asked. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { namespace } from '../sandbox/objects.ts';
import { Sandbox } from '../sandbox/sandbox.ts';
import { call, eventually, instant, type InstantSample } from '../tools/prometheus-api.ts';

const PATIENCE_MS = 20_000;

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

describe('the operator, odd monitors and flapping agents', function () {
  this.timeout(90_000);
  let dir: string;
  let sandbox: Sandbox;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-odd-'));
    sandbox = await Sandbox.create({ dir });
    await Promise.all([
      sandbox.startOperator(),
      ...['node-a', 'node-b'].flatMap((node) => [
        sandbox.startAgent(node),
        sandbox.addWorkload({ app: 'frontend', node, namespace: 'shop' }),
      ]),
    ]);
    sandbox.applyManifest('frontend-servicemonitor.yaml');
    await eventually('the good monitor is scraped', PATIENCE_MS, async () => (await goodJobs()).length === 2);
  });
  after(async () => {
    await sandbox?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const goodJobs = (): Promise<InstantSample[]> => instant(sandbox.operatorUrl, 'up{job="frontend"} == 1');

  const monitor = (name: string, endpoints: readonly object[], more: object = {}, inNamespace = 'shop') => ({
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'ServiceMonitor',
    metadata: { name, namespace: inNamespace },
    spec: { selector: { matchLabels: { app: 'frontend' } }, endpoints, ...more },
  });

  /** Keeps the series of a monitor that is accepted apart from those of the good one. */
  const ownJob = { targetLabel: 'job', replacement: 'odd' };

  function accepted(name: string, inNamespace = 'shop'): Condition | undefined {
    const object = sandbox.api.get('monitoring.coreos.com/v1', 'ServiceMonitor', name, inNamespace) as
      { status?: { conditions?: Condition[]; bindings?: { conditions?: Condition[] }[] } } | undefined;
    const { conditions, bindings } = object?.status ?? {};
    const all = [...(conditions ?? []), ...(bindings ?? []).flatMap((binding) => binding.conditions ?? [])];
    return all.find(({ type }) => type === 'Accepted');
  }

  const ODD: Readonly<Record<string, { readonly object: object; readonly reason?: RegExp }>> = {
    'with a timeout longer than its interval': {
      object: monitor('long-timeout', [{ port: 'http', interval: '2s', scrapeTimeout: '5s' }]),
      reason: /scrapeTimeout|timeout/i,
    },
    'with an invalid relabelling regex': {
      object: monitor('bad-regex', [{ port: 'http', relabelings: [{ regex: '(', targetLabel: 'x' }] }]),
      reason: /invalid regex/,
    },
    'with an invalid target label': {
      object: monitor('bad-label', [{ port: 'http', relabelings: [{ action: 'replace', replacement: 'x' }] }]),
      reason: /target/i,
    },
    'whose labels have the names of object prototypes': {
      object: monitor('prototype', [
        {
          port: 'http',
          interval: '2s',
          relabelings: [
            ownJob,
            { targetLabel: '__proto__', replacement: 'p' },
            { targetLabel: 'constructor', replacement: 'c' },
          ],
        },
      ]),
    },
    'with a name of 253 characters': {
      object: monitor(`${'n'.repeat(249)}-end`, [{ port: 'http', interval: '2s', relabelings: [ownJob] }]),
    },
    'without endpoints': { object: monitor('empty', []) },
  };
  for (const [name, { object, reason }] of Object.entries(ODD)) {
    it(`judges a monitor ${name} by itself`, async () => {
      const { metadata } = object as { metadata: { name: string } };
      const goodBefore = await sampleCount();
      sandbox.api.apply(object as never);
      const condition = await eventually('its condition', PATIENCE_MS, () => Promise.resolve(accepted(metadata.name)));
      assert.equal(condition.status, reason === undefined ? 'True' : 'False', condition.message);
      if (reason !== undefined) assert.match(condition.message ?? '', reason);
      assert.equal(accepted('frontend')?.status, 'True');
      await eventually('the good one is scraped on', PATIENCE_MS, async () => (await sampleCount()) > goodBefore);
      assert.equal((await goodJobs()).length, 2);
      sandbox.api.delete('monitoring.coreos.com/v1', 'ServiceMonitor', metadata.name, 'shop');
    });
  }

  const sampleCount = async (): Promise<number> =>
    Number((await instant(sandbox.operatorUrl, 'sum(count_over_time(up{job="frontend"}[10m]))'))[0]?.value[1] ?? 0);

  it('ends with the last state of a monitor that changes 20 times in a moment', async () => {
    for (let i = 1; i <= 20; i++) {
      sandbox.api.apply(
        monitor('changing', [
          { port: 'http', interval: '2s', relabelings: [ownJob, { targetLabel: 'version', replacement: `v${i}` }] },
        ]),
      );
    }
    await eventually('the last version', PATIENCE_MS, async () => {
      const versions = await instant(sandbox.operatorUrl, 'count by (version) (up{version!=""})');
      return versions.length === 1 && versions[0]!.metric['version'] === 'v20' && versions[0]!.value[1] === '2';
    });
    sandbox.api.delete('monitoring.coreos.com/v1', 'ServiceMonitor', 'changing', 'shop');
  });

  it('drops the monitors of a namespace that goes, and no others', async () => {
    sandbox.api.apply(namespace('leaving'));
    const other = monitor(
      'other',
      [{ port: 'http', interval: '2s', relabelings: [ownJob] }],
      { namespaceSelector: { matchNames: ['shop'] }, selector: { matchLabels: { app: 'frontend' } } },
      'leaving',
    );
    sandbox.api.apply(other);
    await eventually('its condition', PATIENCE_MS, () => Promise.resolve(accepted('other', 'leaving')));
    sandbox.api.delete('v1', 'Namespace', 'leaving');
    await eventually('its targets are gone', PATIENCE_MS, async () => {
      const { data } = await call<{ activeTargets: { scrapePool: string }[] }>(sandbox.operatorUrl, 'targets');
      const pools = new Set(data.activeTargets.map(({ scrapePool }) => scrapePool));
      return [...pools].join() === 'serviceMonitor/shop/frontend/0';
    });
    assert.equal((await goodJobs()).length, 2);
  });

  it('never answers without a node and without a warning while agents flap', async () => {
    let partial = 0;
    const flapped = new AbortController();
    const asking = (async () => {
      while (!flapped.signal.aborted) {
        const answer = await call<{ result: InstantSample[] }>(sandbox.operatorUrl, 'query', {
          query: 'count(count by (node) (last_over_time(up{job="frontend"}[10m])))',
        }).catch((error: unknown) => error as Error);
        // When nobody answers it may be an error: that too says so.
        if (answer instanceof Error) continue;
        const count = Number(answer.data.result[0]?.value[1] ?? 0);
        if (count === 2) continue;
        partial++;
        assert.ok(
          answer.warnings.some((warning) => warning.includes('node-b')),
          `${count} of 2 nodes and the warnings ${JSON.stringify(answer.warnings)}`,
        );
      }
    })();
    asking.catch(() => undefined);
    for (let round = 0; round < 3; round++) {
      await sandbox.agent('node-b').process!.stop('SIGKILL');
      const before = partial;
      await Promise.race([
        asking,
        eventually('a partial answer', PATIENCE_MS, () => Promise.resolve(partial > before)),
      ]);
      await sandbox.startAgent('node-b');
    }
    flapped.abort();
    await asking;
    assert.equal((await goodJobs()).length, 2);
  });
});
