/** The query log and the metrics of queries, beside those of real Prometheus 3.15 for the same requests. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needPeer } from '../tools/peers.ts';
import { eventually, PATIENCE_MS, SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { DATA_END_MS, writeDemoData } from './side-by-side/demo-data.ts';
import { type Program, startAgentProgram, startPrometheusProgram } from './side-by-side/programs.ts';

const END = DATA_END_MS / 1000;
const FEATURES = '--enable-feature=promql-per-step-stats,promql-experimental-functions';

/** Method, path below the API, parameters. */
const REQUESTS: readonly (readonly [method: 'GET' | 'POST', path: string, params: Record<string, string>])[] = [
  ['GET', 'query', { query: 'demo_num_cpus', time: String(END) }],
  ['GET', 'query', { query: 'sum(rate(demo_cpu_usage_seconds_total[5m]))', time: String(END) }],
  ['POST', 'query', { query: 'demo_num_cpus[10m]', time: String(END), stats: 'all' }],
  ['GET', 'query', { query: 'up +', time: String(END) }],
  ['GET', 'query', { query: 'demo_num_cpus', time: 'never' }],
  ['GET', 'query', { query: 'label_replace(vector(1), "a", "b", "c", "(")', time: String(END) }],
  ['GET', 'query', { query: 'limitk(1, demo_num_cpus)', time: String(END) }],
  ['GET', 'query_range', { query: 'demo_num_cpus', start: String(END - 300), end: String(END), step: '61.5' }],
  [
    'POST',
    'query_range',
    {
      query: 'max_over_time(demo_num_cpus[1m])',
      start: String(END - 60.25),
      end: String(END),
      step: '20',
      stats: 'all',
    },
  ],
  ['GET', 'query_range', { query: 'demo_num_cpus[1m]', start: String(END), end: String(END), step: '1' }],
  ['GET', 'series', { 'match[]': 'demo_num_cpus' }],
];

async function ask(url: string, [method, path, params]: (typeof REQUESTS)[number]): Promise<void> {
  const form = new URLSearchParams(params);
  const response =
    method === 'GET'
      ? await fetch(`${url}/api/v1/${path}?${form.toString()}`)
      : await fetch(`${url}/api/v1/${path}`, { method, body: form });
  await response.text();
}

/** Lines without what depends on the moment: times become 0. */
function linesOf(file: string): unknown[] {
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) =>
      JSON.parse(line, (name, value: unknown) => {
        if (name === 'time' || name === 'source') return typeof value;
        if (name.endsWith('Time') && typeof value === 'number') return 0;
        return name === 'peakSamples' ? typeof value : value;
      }),
    );
}

describe('the query log beside that of Prometheus 3.15', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  const programs: Program[] = [];
  const log = (name: string): string => join(dir, `${name}.queries.log`);
  const configure = (name: string, file: string): void => {
    writeFileSync(join(dir, `${name}.yml`), file === '' ? '{}' : `global: { query_log_file: '${file}' }`);
  };
  const reload = async (): Promise<number[]> =>
    Promise.all(programs.map(async ({ url }) => (await fetch(`${url}/-/reload`, { method: 'POST' })).status));

  before(async function () {
    const prometheus = needPeer(this, 'prometheus');
    dir = mkdtempSync(join(tmpdir(), 'promlet-query-log-'));
    await writeDemoData(join(dir, 'ours'));
    cpSync(join(dir, 'ours'), join(dir, 'theirs'), { recursive: true });
    rmSync(join(dir, 'theirs', 'lock'), { force: true });
    const options = (name: string) => {
      configure(name, `${name}.queries.log`);
      return { configFile: join(dir, `${name}.yml`), dataDir: join(dir, name), logFile: join(dir, `${name}.log`) };
    };
    programs.push(await startAgentProgram(options('ours'), FEATURES));
    programs.push(await startPrometheusProgram(prometheus, options('theirs'), FEATURES));
  });
  after(async () => {
    await Promise.all(programs.map((program) => program.process.stop()));
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  async function lines(file: string, count: number): Promise<unknown[]> {
    return eventually(`${count} lines in ${file}`, PATIENCE_MS, () => {
      const found = linesOf(file);
      return Promise.resolve(found.length >= count && found);
    });
  }

  it('has the same lines for the same requests', async () => {
    for (const request of REQUESTS) for (const { url } of programs) await ask(url, request);
    const theirs = await lines(log('theirs'), 7);
    assert.ok(theirs.length < REQUESTS.length, 'some requests are not logged');
    assert.deepEqual(await lines(log('ours'), theirs.length), theirs);
    assert.ok(JSON.stringify(theirs).includes('totalQueryableSamplesPerStep'));
  });

  it('goes on in a new file after a reload, when the old one was moved away', async () => {
    for (const name of ['ours', 'theirs']) renameSync(log(name), `${log(name)}.old`);
    assert.deepEqual(await reload(), [200, 200]);
    for (const { url } of programs) await ask(url, REQUESTS[0]!);
    assert.deepEqual(await lines(log('ours'), 1), await lines(log('theirs'), 1));
  });

  it('follows the configuration, and refuses one whose file cannot be written', async () => {
    for (const name of ['ours', 'theirs']) configure(name, join(dir, 'missing', 'queries.log'));
    assert.deepEqual(await reload(), [500, 500]);
    for (const name of ['ours', 'theirs']) configure(name, '');
    assert.deepEqual(await reload(), [200, 200]);
    for (const { url } of programs) await ask(url, REQUESTS[0]!);
    const enabled = async ({ url }: Program) => {
      const text = await (await fetch(`${url}/metrics`)).text();
      return /^prometheus_engine_query_log_enabled (\d)$/m.exec(text)?.[1];
    };
    assert.deepEqual(await Promise.all(programs.map(enabled)), ['0', '0']);
    assert.equal((await lines(log('ours'), 1)).length, 1);
  });

  it('comes with the metrics of the engine under the same names and types', async () => {
    const names = async ({ url }: Program): Promise<string[]> => {
      const text = await (await fetch(`${url}/metrics`)).text();
      const found = text.split('\n').filter((line) => /^(# TYPE )?prometheus_engine_query_/.test(line));
      return found.map((line) => (line.startsWith('#') ? line : line.slice(0, line.lastIndexOf(' ')))).sort();
    };
    const [ours, theirs] = await Promise.all(programs.map(names));
    assert.deepEqual(ours, theirs);
    assert.ok(theirs!.length > 50);
  });
});
