import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { seededRandom } from '../../lib/env/index.ts';
import { freePort } from '../sandbox/ports.ts';
import { ManagedProcess } from '../sandbox/process.ts';
import { needPeer } from '../tools/peers.ts';
import { eventually, PATIENCE_MS, raw, type RawSeries } from '../tools/prometheus-api.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const KILLS = 20;
const SEED = 20_261_122;
const SERIES_PER_TARGET = 50;
const TARGETS = 4;
const EVERYTHING = '{__name__=~".+"}[1d]';

/** Series → `seconds value` lines. */
type Samples = Map<string, string[]>;

function key(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function samplesOf(series: readonly RawSeries[]): Samples {
  return new Map(series.map(({ metric, values }) => [key(metric), values.map(([t, v]) => `${t} ${Number(v)}`)]));
}

function count(samples: Samples): number {
  return [...samples.values()].reduce((sum, list) => sum + list.length, 0);
}

/** Every sample of `before` is in `after`, at its place. */
function assertContains(after: Samples, before: Samples, when: string): void {
  for (const [series, samples] of before) {
    const now = new Set(after.get(series));
    const lost = samples.filter((sample) => !now.has(sample));
    assert.deepEqual(lost, [], `${when}: lost of ${series}`);
  }
}

describe('an agent killed with SIGKILL while it scrapes', function () {
  this.timeout(1_800_000);
  let dir: string;
  let page: Server;
  let agent: ManagedProcess | undefined;

  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-kill-'));
  });

  after(async () => {
    await agent?.stop('SIGKILL');
    page?.close();
    page?.closeAllConnections();
    rmSync(dir, { recursive: true, force: true });
  });

  it(`has every committed sample after each of ${KILLS} kills, for us, for promtool and for real Prometheus`, async function () {
    const promtool = needPeer(this, 'promtool');
    const prometheus = needPeer(this, 'prometheus');
    page = await counterPage();
    const { port: pagePort } = page.address() as { port: number };
    const configFile = join(dir, 'agent.yml');
    writeFileSync(configFile, config(pagePort));
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const random = seededRandom(SEED);

    let committed: Samples = new Map();
    for (let kill = 0; kill <= KILLS; kill++) {
      agent = await startAgent(dir, configFile, port);
      const now = await readEverything(url);
      assertContains(now, committed, `after kill ${kill}`);
      if (kill === KILLS) break;
      await new Promise((resolve) => setTimeout(resolve, random() * 800));
      // What a query answers has been committed; the kill may come at any moment after it.
      committed = await eventually('a scrape of all targets', PATIENCE_MS, async () => {
        const found = samplesOf(await raw(url, EVERYTHING, Date.now() / 1000));
        return count(found) >= count(now) + TARGETS * SERIES_PER_TARGET && found;
      });
      await new Promise((resolve) => setTimeout(resolve, random() * 120));
      await agent.stop('SIGKILL');
    }

    // Everything on disk, read by three programs: our own answer, promtool's dump, and a real server on a copy.
    await agent!.stop('SIGTERM');
    const copy = join(dir, 'copy');
    cpSync(join(dir, 'data'), copy, { recursive: true });
    const quietConfig = join(dir, 'quiet.yml');
    writeFileSync(quietConfig, 'global: {}\n');
    agent = await startAgent(dir, quietConfig, port);
    const ours = await readEverything(url);
    await agent.stop('SIGTERM');
    assertContains(ours, committed, 'our own answer');
    const dumped = parseDump((await run(promtool, ['tsdb', 'dump', copy], { maxBuffer: 1 << 28 })).stdout);
    assertContains(dumped, committed, 'promtool tsdb dump');
    const served = await servedByPrometheus(prometheus, copy, dir);
    assert.deepEqual(sorted(dumped), sorted(ours), 'promtool dumps exactly what we answer');
    assert.deepEqual(sorted(served), sorted(ours), 'real Prometheus answers exactly what we answer');
  });
});

function startAgent(dir: string, configFile: string, port: number): Promise<ManagedProcess> {
  return ManagedProcess.start({
    name: 'agent',
    command: process.execPath,
    args: [
      join(ROOT, 'agent', 'main.ts'),
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    cwd: ROOT,
    logFile: join(dir, 'agent.log'),
  });
}

/** All samples of a server, once it is ready. */
function readEverything(url: string): Promise<Samples> {
  return eventually(`answers of ${url}`, PATIENCE_MS, async () => {
    const ready = await fetch(`${url}/-/ready`);
    return ready.ok && samplesOf(await raw(url, EVERYTHING, Date.now() / 1000));
  });
}

function sorted(samples: Samples): [string, string[]][] {
  return [...samples].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A page of counters that grow with every scrape; one series name changes each time. */
async function counterPage(): Promise<Server> {
  let scrapes = 0;
  const server = createServer((_request, response) => {
    scrapes++;
    const lines = Array.from(
      { length: SERIES_PER_TARGET - 1 },
      (_, i) => `kill_total{i="${i}"} ${scrapes * (i + 1)}.25`,
    );
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(`# TYPE kill_total counter\n${lines.join('\n')}\nkill_churn{scrape="${Math.floor(scrapes / 8)}"} 1\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function config(port: number): string {
  const jobs = Array.from({ length: TARGETS }, (_, i) => {
    return `  - job_name: job${i}\n    static_configs:\n      - targets: ['127.0.0.1:${port}']\n`;
  });
  return `global:\n  scrape_interval: 100ms\n  scrape_timeout: 100ms\nscrape_configs:\n${jobs.join('')}`;
}

/** Lines `{__name__="x", a="b"} value milliseconds`. Stale markers are left out: the query API does not show them. */
function parseDump(text: string): Samples {
  const samples: Samples = new Map();
  for (const line of text.split('\n')) {
    const match = /^\{(.*)\} (\S+) (\d+)$/.exec(line);
    if (match === null || match[2] === 'NaN') continue;
    const labels = Object.fromEntries(
      [...match[1]!.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!]),
    );
    const series = key(labels);
    const list = samples.get(series) ?? [];
    list.push(`${Number(match[3]) / 1000} ${Number(match[2])}`);
    samples.set(series, list);
  }
  return samples;
}

async function servedByPrometheus(command: string, dataDir: string, dir: string): Promise<Samples> {
  const port = await freePort();
  const configFile = join(dir, 'prometheus.yml');
  writeFileSync(configFile, 'global: {}\n');
  const server = await ManagedProcess.start({
    name: 'prometheus',
    command,
    args: [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${dataDir}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--query.max-samples=100000000',
    ],
    logFile: join(dir, 'prometheus.log'),
  });
  try {
    return await readEverything(`http://127.0.0.1:${port}`);
  } finally {
    await server.stop();
  }
}
