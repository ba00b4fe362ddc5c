import assert from 'node:assert/strict';
import { parseFlags } from '../../../../operator/app/index.ts';

describe('the command line of the operator', () => {
  it('has defaults for everything', () => {
    const flags = parseFlags([]);
    assert.equal(flags.scrapeIntervalMs, 30_000);
    assert.equal(flags.leaderElect, true);
    assert.equal(flags.listenAddress, ':9090');
    assert.deepEqual([flags.queryMaxBytes, flags.queryMaxTotalBytes], [256 << 20, 256 << 20]);
    assert.deepEqual(flags.agentConfigSecret, { namespace: 'promlet', name: 'promlet-agent-config' });
    assert.deepEqual([flags.namespaces, flags.denyNamespaces, flags.externalLabels], [[], [], {}]);
  });

  it('reads every flag', () => {
    const flags = parseFlags([
      '--kubeconfig=/k',
      '--namespaces=a,b',
      '--agent-config-secret=ns/name',
      '--scrape-interval=1m30s',
      '--scrape-timeout=5s',
      '--external-label=cluster=eu',
      '--external-label=zone=a=b',
      '--service-discovery-role=endpointslice',
      '--no-leader-elect',
      '--web.listen-address=[::1]:80',
      '--enable-feature=promql-experimental-functions,promql-per-step-stats',
      '--enable-feature=use-start-timestamps',
      '--query.max-bytes=1MiB',
      '--query.max-total-bytes=2GiB',
      '--log-level=debug',
    ]);
    assert.equal(flags.kubeconfig, '/k');
    assert.deepEqual(flags.namespaces, ['a', 'b']);
    assert.deepEqual(flags.agentConfigSecret, { namespace: 'ns', name: 'name' });
    assert.deepEqual([flags.scrapeIntervalMs, flags.scrapeTimeoutMs], [90_000, 5_000]);
    assert.deepEqual(flags.externalLabels, { cluster: 'eu', zone: 'a=b' });
    assert.equal(flags.serviceDiscoveryRole, 'endpointslice');
    assert.equal(flags.leaderElect, false);
    assert.deepEqual([flags.queryMaxBytes, flags.queryMaxTotalBytes], [1 << 20, 2 * 2 ** 30]);
    assert.equal(flags.listenAddress, '[::1]:80');
    const features = ['promql-experimental-functions', 'promql-per-step-stats', 'use-start-timestamps'];
    assert.deepEqual(flags.enabledFeatures, features);
    assert.equal(flags.corsOrigin, '.*');
    assert.equal(flags.logLevel, 'debug');
  });
});
