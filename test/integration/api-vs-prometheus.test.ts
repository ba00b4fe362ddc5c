/** Every endpoint of the HTTP API beside real Prometheus 3.15 on the same data: bodies, status codes and headers. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needPeer } from '../tools/peers.ts';
import { call, eventually, PATIENCE_MS, SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { DATA_END_MS, DATA_START_MS, writeDemoData } from './side-by-side/demo-data.ts';
import { type Program, startAgentProgram, startPrometheusProgram } from './side-by-side/programs.ts';

const START = String(DATA_START_MS / 1000);
const END = String(DATA_END_MS / 1000);

/** A pool without targets, so that nothing is added to the data. */
const CONFIG = `
global: { external_labels: { cluster: one, zone: a } }
scrape_configs:
- job_name: kept
  static_configs: [{ targets: ['127.0.0.1:1'] }]
  relabel_configs:
  - { source_labels: [__address__], regex: '(.*):.*', target_label: host }
  - { source_labels: [job, host], separator: '-', target_label: both, replacement: 'x$1' }
  - { source_labels: [job], modulus: 7, target_label: shard, action: hashmod }
  - { regex: '__meta_(.+)', action: labelmap }
  - { source_labels: [job], regex: gone, action: drop }
  - { source_labels: [job], regex: kept, action: drop }
`;

const FLAGS = ['--web.enable-admin-api', '--web.enable-remote-write-receiver'];

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

async function send(base: string, path: string, init: RequestInit = {}): Promise<Reply> {
  const response = await fetch(base + path, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** What a line of api-requests.txt asks. */
function requestOf(line: string): { path: string; init: RequestInit } {
  const [method = '', path = '', form] = line.replaceAll('$START', START).replaceAll('$END', END).split(' ');
  const init = form === undefined ? { method } : { method, body: new URLSearchParams(form) };
  return { path: `/api/v1/${path}`, init };
}

/** A body as a value; what depends on the moment, or on how a program keeps its data, is left out of it. */
function comparable(path: string, { text }: Reply): unknown {
  const isCounted = path.includes('status/tsdb?') || path.endsWith('status/tsdb');
  try {
    return JSON.parse(text, (name, value: unknown) => {
      if (name === 'timings') return Object.keys(value as object);
      // What is held at a time is another number in every engine.
      if (name === 'peakSamples') return undefined;
      if (path.endsWith('walreplay') && typeof value === 'number') return 0;
      if (isCounted && name === 'memoryInBytesByLabelName') return (value as unknown[]).length;
      // Equal counts come in any order.
      if (isCounted && Array.isArray(value)) return (value as { value: number }[]).map((entry) => entry.value);
      return value;
    });
  } catch {
    return text;
  }
}

describe('the HTTP API beside Prometheus 3.15', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  let ours: Program;
  let theirs: Program;

  const both = <T>(work: (url: string) => Promise<T>): Promise<[T, T]> =>
    Promise.all([work(ours.url), work(theirs.url)]);

  before(async function () {
    const prometheus = needPeer(this, 'prometheus');
    dir = mkdtempSync(join(tmpdir(), 'promlet-api-'));
    await writeDemoData(join(dir, 'ours'));
    cpSync(join(dir, 'ours'), join(dir, 'theirs'), { recursive: true });
    rmSync(join(dir, 'theirs', 'lock'), { force: true });
    const configFile = join(dir, 'prometheus.yml');
    writeFileSync(configFile, CONFIG);
    const options = (name: string) => ({ configFile, dataDir: join(dir, name), logFile: join(dir, `${name}.log`) });
    [ours, theirs] = await Promise.all([
      startAgentProgram(options('ours'), ...FLAGS),
      startPrometheusProgram(prometheus, options('theirs'), ...FLAGS),
    ]);
    await eventually('both know the target that is dropped', PATIENCE_MS, async () => {
      const answers = await both((url) => call<{ droppedTargets: unknown[] }>(url, 'targets'));
      return answers.every(({ data }) => data.droppedTargets.length === 1);
    });
  });
  after(async () => {
    await Promise.all([ours?.process.stop(), theirs?.process.stop()]);
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  const lines = readFileSync(new URL('side-by-side/api-requests.txt', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  assert.ok(lines.length > 120);
  for (const line of lines) {
    it(`answers alike: ${line}`, async () => {
      const { path, init } = requestOf(line);
      const [mine, other] = await both((url) => send(url, path, init));
      assert.equal(mine.status, other.status, mine.text);
      if (other.status === 405) return;
      assert.equal(mine.headers.get('content-type'), other.headers.get('content-type'));
      assert.deepEqual(comparable(path, mine), comparable(path, other));
    });
  }

  it('sends the headers of cross-origin requests and of caches', async () => {
    const names = ['access-control-allow-origin', 'access-control-allow-methods', 'access-control-allow-headers'];
    for (const path of ['/api/v1/query?query=1', '/api/v1/query?query=(', '/api/v1/status/walreplay']) {
      const init = { headers: { origin: 'http://elsewhere' } };
      const [mine, other] = await both((url) => send(url, path, init));
      for (const name of [...names, 'access-control-expose-headers']) {
        assert.equal(mine.headers.get(name), other.headers.get(name), `${path} ${name}`);
      }
      assert.match(mine.headers.get('vary')!, /Origin/);
    }
    const [mine, other] = await both((url) => send(url, '/api/v1/query', { method: 'OPTIONS' }));
    assert.deepEqual([mine.status, mine.text], [other.status, other.text]);
  });

  it('has the same words for its life', async () => {
    for (const [method, path] of [
      ['GET', '/-/reload'],
      ['GET', '/-/quit'],
      ['POST', '/-/reload'],
      ['PUT', '/-/reload'],
      ['HEAD', '/-/ready'],
      ['HEAD', '/-/healthy'],
    ] as const) {
      const [mine, other] = await both((url) => send(url, path, { method }));
      assert.deepEqual([mine.status, mine.text], [other.status, other.text], `${method} ${path}`);
    }
    for (const path of ['/-/ready', '/-/healthy']) {
      const [mine, other] = await both((url) => send(url, path));
      assert.equal(mine.text, other.text.replace('Prometheus Server', 'Promlet'), path);
    }
  });

  it('tells of itself in the same fields', async () => {
    const shapeOf = (value: unknown): unknown =>
      typeof value === 'object' && value !== null
        ? Object.fromEntries(Object.entries(value).map(([name, item]) => [name, typeof item]))
        : typeof value;
    for (const path of ['status/buildinfo', 'status/runtimeinfo', 'status/config']) {
      const [mine, other] = await both((url) => call<object>(url, path));
      assert.deepEqual(shapeOf(mine.data), shapeOf(other.data), path);
    }
    const [mine, other] = await both((url) => call<Record<string, string>>(url, 'status/flags'));
    const shared = Object.keys(mine.data).filter((name) => name in other.data);
    assert.ok(shared.length > 15, `${shared.length} flags have Prometheus's names`);
    for (const name of ['web.enable-admin-api', 'web.enable-remote-write-receiver', 'web.cors.origin']) {
      assert.equal(mine.data[name], other.data[name], name);
    }
  });

  it('has the features of the language that Prometheus has', async () => {
    type Features = Readonly<Record<string, Readonly<Record<string, boolean>>>>;
    const [mine, other] = (await both((url) => call<Features>(url, 'features'))).map(({ data }) => data);
    for (const group of ['promql', 'promql_functions', 'promql_operators']) {
      assert.deepEqual(mine![group], other![group], group);
    }
    for (const [name, isOn] of Object.entries(mine!['api']!)) assert.equal(other!['api']![name], isOn, name);
  });

  it('deletes series and makes snapshots alike, which Prometheus opens', async function () {
    const prometheus = needPeer(this, 'prometheus');
    const post = (url: string, path: string, form: Record<string, string>): Promise<Reply> =>
      send(url, `/api/v1/admin/tsdb/${path}`, { method: 'POST', body: new URLSearchParams(form) });
    const middle = String((DATA_START_MS + DATA_END_MS) / 2000);
    const selector = '{__name__=~"demo_num_cpus|odd_constant"}';
    const samples = async (url: string): Promise<unknown> => {
      const { data } = await call<{ result: { metric: Record<string, string> }[] }>(url, 'query', {
        query: `${selector}[1h]`,
        time: END,
      });
      return data.result.map((one) => JSON.stringify(one)).sort();
    };
    const whole = await samples(theirs.url);
    const gone = await both((url) => post(url, 'delete_series', { 'match[]': selector, start: middle, end: END }));
    assert.deepEqual(
      gone.map(({ status, text }) => [status, text]),
      [
        [204, ''],
        [204, ''],
      ],
    );
    const [mine, other] = await both(samples);
    assert.deepEqual(mine, other);
    assert.notDeepEqual(other, whole);

    const names = (await both((url) => post(url, 'snapshot', {}))).map(
      ({ text }) => (JSON.parse(text) as { data: { name: string } }).data.name,
    );
    for (const name of names) assert.match(name, /^\d{8}T\d{6}Z-[0-9a-f]{16}$/);
    const dataDir = join(dir, 'ours', 'snapshots', names[0]!);
    const opened = await startPrometheusProgram(prometheus, {
      configFile: join(dir, 'prometheus.yml'),
      dataDir,
      logFile: join(dir, 'snapshot.log'),
    });
    try {
      assert.deepEqual(await samples(opened.url), other);
    } finally {
      await opened.process.stop();
    }
    const cleaned = await both((url) => post(url, 'clean_tombstones', {}));
    assert.deepEqual(
      cleaned.map(({ status }) => status),
      [204, 204],
    );
    assert.deepEqual(await samples(ours.url), other);
  });

  it('ends when it is told to', async () => {
    const reply = await send(ours.url, '/-/quit', { method: 'POST' });
    assert.equal(reply.text, 'Requesting termination... Goodbye!');
    await eventually('the agent ended', PATIENCE_MS, async () => !ours.process.running);
    assert.equal(ours.process.exitCode, 0);
  });
});
