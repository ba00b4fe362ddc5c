import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { flagValues, parseFlags } from '../../../agent/flags.ts';

const parse = (args: readonly string[], env: Record<string, string> = {}) => parseFlags(args, env, '0.0.0');

describe('agent flags', () => {
  it('have the defaults of Prometheus', () => {
    assert.deepEqual(parse([]), {
      configFile: 'prometheus.yml',
      configSecret: undefined,
      dataDir: 'data/',
      headMemoryLimitBytes: 1 << 30,
      retentionTimeMs: undefined,
      retentionSizeBytes: undefined,
      minBlockDurationMs: 7_200_000,
      maxBlockDurationMs: undefined,
      walSegmentBytes: 128 << 20,
      walCompression: 'snappy',
      walFsyncIntervalMs: 5_000,
      listenAddress: '0.0.0.0:9090',
      externalUrl: undefined,
      enableLifecycle: true,
      enableAdminApi: false,
      enableRemoteWriteReceiver: false,
      corsOrigin: '.*',
      nodeName: undefined,
      kubeconfig: undefined,
      queryTimeoutMs: 30_000,
      queryMaxConcurrency: Math.min(4, availableParallelism()),
      queryMaxSamples: 50_000_000,
      queryMaxBytes: 256 << 20,
      queryMaxTotalBytes: 256 << 20,
      queryLookbackDeltaMs: 300_000,
      enabledFeatures: [],
      promqlFeatures: {},
      perStepStats: false,
      logLevel: 'info',
    });
  });

  it('say how long to keep samples', () => {
    const flags = parse(['--storage.tsdb.retention.time=3d', '--storage.tsdb.retention.size=10GB']);
    assert.equal(flags.retentionTimeMs, 3 * 86_400_000);
    assert.equal(flags.retentionSizeBytes, 10 * 2 ** 30);
    assert.equal(parse(['--no-storage.tsdb.wal-compression']).walCompression, 'none');
    assert.equal(parse(['--storage.tsdb.wal-segment-size=32MB']).walSegmentBytes, 32 << 20);
  });

  it('enable parts of the language by their names, given together or one by one', () => {
    const names = [
      'promql-experimental-functions',
      'promql-per-step-stats',
      'native-histograms',
      'use-start-timestamps',
    ];
    const flags = parse([`--enable-feature=${names.slice(0, 3).join(',')}`, `--enable-feature=${names[3]}`]);
    assert.deepEqual(flags.enabledFeatures, names);
    assert.deepEqual(flags.promqlFeatures, { experimentalFunctions: true, startTimes: true });
    assert.equal(flags.perStepStats, true);
    assert.equal(flagValues(flags)['enable-feature'], names.join(','));
  });

  it('take the node from the environment unless it is given', () => {
    assert.equal(parse([], { NODE_NAME: 'n1' }).nodeName, 'n1');
    assert.equal(parse(['--node-name=n2'], { NODE_NAME: 'n1' }).nodeName, 'n2');
    assert.equal(parse([], { NODE_NAME: '' }).nodeName, undefined);
  });

  it('name a Secret instead of a file', () => {
    const flags = parse(['--kube.config-secret=promlet/agent-config']);
    assert.deepEqual(flags.configSecret, { namespace: 'promlet', name: 'agent-config' });
    assert.equal(flags.configFile, undefined);
  });

  it('turn the lifecycle endpoint off', () => {
    assert.equal(parse(['--no-web.enable-lifecycle']).enableLifecycle, false);
    assert.equal(parse(['--web.enable-lifecycle']).enableLifecycle, true);
  });

  it('turn on what changes data by HTTP', () => {
    const flags = parse(['--web.enable-admin-api', '--web.enable-remote-write-receiver']);
    assert.deepEqual([flags.enableAdminApi, flags.enableRemoteWriteReceiver], [true, true]);
    assert.equal(parse(['--web.cors.origin=https?://a']).corsOrigin, 'https?://a');
  });

  it('read durations, sizes and URLs', () => {
    assert.equal(parse(['--storage.tsdb.head-memory-limit=512MB']).headMemoryLimitBytes, 512 << 20);
    assert.equal(parse(['--query.max-concurrency=20']).queryMaxConcurrency, 20);
    const flags = parse(['--query.timeout=1m30s', '--web.external-url=https://x.example/agent/']);
    assert.equal(flags.queryTimeoutMs, 90_000);
    assert.equal(flags.externalUrl, 'https://x.example/agent');
  });

  it('are shown in their own notation', () => {
    const flags = parse(['--query.timeout=90s', '--kube.config-secret=a/b', '--web.listen-address=:1']);
    const values = flagValues(flags);
    assert.equal(values['query.timeout'], '1m30s');
    assert.equal(values['kube.config-secret'], 'a/b');
    assert.equal(values['storage.tsdb.head-memory-limit'], '1GiB');
    assert.equal(values['query.max-bytes'], '256MiB');
    assert.equal(values['query.max-total-bytes'], '256MiB');
    assert.equal(values['query.max-concurrency'], String(Math.min(4, availableParallelism())));
    assert.equal(values['web.listen-address'], ':1');
  });
});
