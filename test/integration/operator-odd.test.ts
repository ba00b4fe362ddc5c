/** Odd monitors beside a good one, and agents that come and go while they are asked. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { namespace } from '../sandbox/objects.ts';
import { Sandbox } from '../sandbox/sandbox.ts';
import {
  call,
  eventually,
  goodScrapesSince,
  instant,
  type InstantSample,
  lastGoodScrapes,
  PATIENCE_MS,
  SUITE_TIMEOUT_MS,
} from '../tools/prometheus-api.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

describe('the operator, odd monitors and flapping agents', function () {
  this.timeout(SUITE_TIMEOUT_MS);
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
    await goodOnes();
  });
  after(async () => {
    await sandbox?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Waits until both targets of the good monitor were scraped from now on. */
  const goodOnes = (): Promise<void> => goodScrapesSince(sandbox.operatorUrl, '{job="frontend"}', Date.now() / 1000, 2);

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
      sandbox.api.apply(object as never);
      const condition = await eventually('its condition', PATIENCE_MS, () => Promise.resolve(accepted(metadata.name)));
      assert.equal(condition.status, reason === undefined ? 'True' : 'False', condition.message);
      if (reason !== undefined) assert.match(condition.message ?? '', reason);
      await goodOnes();
      const good = await eventually("the good one's condition", PATIENCE_MS, () =>
        Promise.resolve(accepted('frontend')),
      );
      assert.equal(good.status, 'True');
      sandbox.api.delete('monitoring.coreos.com/v1', 'ServiceMonitor', metadata.name, 'shop');
    });
  }

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
    await eventually('its targets are scraped', PATIENCE_MS, async () => {
      return (await lastGoodScrapes(sandbox.operatorUrl, '{job="odd"}')).length === 2;
    });
    sandbox.api.delete('v1', 'Namespace', 'leaving');
    await eventually('its targets are gone', PATIENCE_MS, async () => {
      const { data } = await call<{ activeTargets: { scrapePool: string }[] }>(sandbox.operatorUrl, 'targets', {
        partial_response: 'false',
      });
      const pools = data.activeTargets.map(({ scrapePool }) => scrapePool);
      return pools.join() === 'serviceMonitor/shop/frontend/0,serviceMonitor/shop/frontend/0';
    });
    await goodOnes();
  });

  it('never answers without a node and without a warning while agents flap', async () => {
    let partial = 0;
    const flapped = new AbortController();
    const asking = (async () => {
      while (!flapped.signal.aborted) {
        const answer = await call<{ result: InstantSample[] }>(sandbox.operatorUrl, 'query', {
          query: 'count by (node) (last_over_time(up{job="frontend"}[1h]))',
        }).catch((error: unknown) => error as Error);
        // When nobody answers it may be an error: that too says so.
        if (answer instanceof Error) continue;
        const nodes = answer.data.result.map(({ metric }) => metric['node']);
        for (const missing of ['node-a', 'node-b'].filter((node) => !nodes.includes(node))) {
          // The other one, too, may be too slow for once.
          if (missing === 'node-b') partial++;
          assert.ok(
            answer.warnings.some((warning) => warning.includes(missing)),
            `${nodes.join()} of 2 nodes and the warnings ${JSON.stringify(answer.warnings)}`,
          );
        }
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
    await goodOnes();
  });
});
