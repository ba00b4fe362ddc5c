import assert from 'node:assert/strict';
import { parseFlags } from '../../../agent/flags.ts';

const parse = (args: readonly string[], env: Record<string, string> = {}) => parseFlags(args, env, '0.0.0');

describe('agent flags', () => {
  it('have the defaults of Prometheus', () => {
    assert.deepEqual(parse([]), {
      configFile: 'prometheus.yml',
      configSecret: undefined,
      dataDir: 'data/',
      listenAddress: { host: '0.0.0.0', port: 9090 },
      externalUrl: undefined,
      enableLifecycle: true,
      nodeName: undefined,
      kubeconfig: undefined,
      queryTimeoutMs: 30_000,
      queryMaxSamples: 50_000_000,
      queryLookbackDeltaMs: 300_000,
      logLevel: 'info',
    });
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

  const addresses: readonly [string, string | undefined, number][] = [
    [':9091', undefined, 9091],
    ['127.0.0.1:0', '127.0.0.1', 0],
    ['[::1]:80', '::1', 80],
    ['localhost:65535', 'localhost', 65_535],
  ];
  for (const [text, host, port] of addresses) {
    it(`listen on ${text}`, () => {
      assert.deepEqual(parse([`--web.listen-address=${text}`]).listenAddress, { host, port });
    });
  }

  it('read durations and URLs', () => {
    const flags = parse(['--query.timeout=1m30s', '--web.external-url=https://x.example/agent/']);
    assert.equal(flags.queryTimeoutMs, 90_000);
    assert.equal(flags.externalUrl, 'https://x.example/agent');
  });
});
