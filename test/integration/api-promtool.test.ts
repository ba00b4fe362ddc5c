/** Real promtool, as a client of our API and as the judge of the configuration we write. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PrometheusDriver as Client } from 'prometheus-query';
import { parseConfig, serializeConfig } from '../../lib/config/index.ts';
import { needPeer } from '../tools/peers.ts';
import { PATIENCE_MS, SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { memoryQueryable, NOW_MS, serve, SERIES, testDeps, type TestServer } from '../unit/api/fixture.ts';

const run = promisify(execFile);
const NOW = String(NOW_MS / 1000);

describe('api: promtool as a client', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let server: TestServer;
  before(async () => {
    server = await serve(testDeps(memoryQueryable(SERIES)));
  });
  after(() => server.close());

  const cases: readonly (readonly [what: string, args: (url: string) => string[], output: string])[] = [
    [
      'query instant',
      (url) => ['query', 'instant', '--time', NOW, url, 'sum by (job) (http_requests_total)'],
      `{job="app"} => 60 @[${NOW}]\n`,
    ],
    [
      'query range',
      (url) => [
        'query',
        'range',
        '--start',
        String(NOW_MS / 1000 - 60),
        '--end',
        NOW,
        '--step',
        '60s',
        url,
        'max(http_requests_total)',
      ],
      `{} =>\n27 @[${NOW_MS / 1000 - 60}]\n30 @[${NOW}]\n`,
    ],
    [
      'query series',
      (url) => ['query', 'series', '--match', 'http_requests_total{instance="b"}', '--start', '1600000000', url],
      '{__name__="http_requests_total", dotted.name="x", instance="b", job="app"}\n',
    ],
    ['query labels', (url) => ['query', 'labels', '--start', '1600000000', '--end', NOW, url, 'instance'], 'a\nb\nc\n'],
    ['check healthy', (url) => ['check', 'healthy', '--url', url], 'SUCCESS:  Promlet is Healthy.'],
    ['check ready', (url) => ['check', 'ready', '--url', url], 'SUCCESS:  Promlet is Ready.'],
  ];
  for (const [what, args, output] of cases) {
    it(`understands promtool ${what}`, async function () {
      const promtool = needPeer(this, 'promtool');
      const { stdout, stderr } = await run(promtool, args(server.url));
      assert.equal((stdout + stderr).trim(), output.trim());
    });
  }

  it('tells promtool what is wrong with a query', async function () {
    const promtool = needPeer(this, 'promtool');
    await assert.rejects(run(promtool, ['query', 'instant', server.url, 'sum(']), (error: { stderr: string }) => {
      assert.match(error.stderr, /bad_data.*parse error/s);
      return true;
    });
  });
});

describe('api: the npm package prometheus-query as a client', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let server: TestServer;
  let client: Client;
  before(async () => {
    server = await serve(testDeps(memoryQueryable(SERIES)));
    client = new Client({
      endpoint: server.url,
      timeout: PATIENCE_MS,
      // Not through a proxy that the environment may name.
      requestInterceptor: { onFulfilled: (config) => ({ ...config, proxy: false }) },
    });
  });
  after(() => server.close());

  it('queries an instant and a range', async () => {
    const instant = await client.instantQuery('sum by (job) (http_requests_total)', NOW_MS);
    assert.equal(instant.resultType, 'vector');
    assert.equal(instant.result[0].metric.labels.job, 'app');
    assert.equal(instant.result[0].value.value, 60);
    const range = await client.rangeQuery('max(http_requests_total)', NOW_MS - 60_000, NOW_MS, 60);
    assert.deepEqual(
      range.result[0].values.map(({ value }: { value: number }) => value),
      [27, 30],
    );
  });

  it('lists series, label names and label values', async () => {
    const series = await client.series(['http_requests_total{instance="b"}'], NOW_MS - 600_000, NOW_MS);
    assert.equal(series[0]!.name, 'http_requests_total');
    assert.deepEqual(await client.labelNames(), ['__name__', 'dotted.name', 'instance', 'job']);
    assert.deepEqual(await client.labelValues('instance'), ['a', 'b', 'c']);
  });

  it('asks for rules, alerts and the state of the program', async () => {
    assert.deepEqual(await client.rules(), []);
    assert.deepEqual(await client.alerts(), []);
    assert.equal((await client.statusBuildinfo()).version, '0.1.0');
  });

  it('is told what is wrong with a query', async () => {
    await assert.rejects(client.instantQuery('sum('), (error: object) => JSON.stringify(error).includes('parse error'));
  });
});

describe('config: promtool as the judge', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  it('accepts what we write, defaults and all', async function () {
    const promtool = needPeer(this, 'promtool');
    const directory = await mkdtemp(join(tmpdir(), 'promlet-config-'));
    try {
      const draft = {
        global: { scrape_interval: 15_000, external_labels: { cluster: 'yes' } },
        scrape_configs: [
          {
            job_name: 'serviceMonitor/default/app/0',
            scrape_interval: 30_000,
            body_size_limit: 16 * 1024 * 1024,
            basic_auth: { username: 'u', password: '0123' },
            kubernetes_sd_configs: [
              {
                role: 'pod' as const,
                selectors: [{ role: 'pod' as const, label: 'app in (a,b)', field: 'spec.nodeName=$(NODE_NAME)' }],
              },
            ],
            relabel_configs: [
              { source_labels: ['__meta_kubernetes_pod_label_app'], regex: '(a|b);true', action: 'keep' as const },
              { source_labels: ['__tmp_hash'], target_label: '__tmp_hash', modulus: 1, action: 'hashmod' as const },
            ],
          },
        ],
      };
      const written = await serializeConfig(draft);
      const whole = await serializeConfig(await parseConfig(written));
      for (const [name, text] of Object.entries({ written, whole })) {
        const file = join(directory, `${name}.yml`);
        await writeFile(file, text);
        const { stdout } = await run(promtool, ['check', 'config', file]);
        assert.match(stdout, /SUCCESS/);
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
