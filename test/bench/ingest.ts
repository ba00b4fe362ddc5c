/**
 * Ingest side by side: the same pages scraped by our agent (bundle) and by real Prometheus, each alone, one after the
 * other in one run: CPU per sample in the steady state, RSS idle and full, WAL bytes per sample. Every sample that was
 * served must have arrived, or there are no figures.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../sandbox/ports.ts';
import { ManagedProcess } from '../sandbox/process.ts';
import { eventually } from '../tools/prometheus-api.ts';
import { cpuSeconds, memory } from './proc.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface IngestScale {
  readonly targets: number;
  readonly seriesPerTarget: number;
  readonly intervalSeconds: number;
  /** Idle before the load, and the window that is measured. */
  readonly idleSeconds: number;
  readonly seconds: number;
}

/** Intervals between the last new series and the window: caches, JIT and garbage collectors settle. */
const WARM_UP_INTERVALS = 3;
/** `up` and `scrape_*`, which either program adds to each scrape. */
export const REPORT_SAMPLES = 5;

export interface IngestFigures {
  readonly program: string;
  readonly series: number;
  /** In the window. */
  readonly samples: number;
  /** Pages served since the start; all of their samples arrived. */
  readonly pages: number;
  readonly cpuMicrosPerSample: number;
  readonly idleRssBytes: number;
  /** Median over the window. */
  readonly rssBytes: number;
  readonly peakRssBytes: number;
  readonly walBytesPerSample: number;
}

/** A Prometheus-like server under test. */
export interface Contender {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

export function agentContender(bundleDir: string): Contender {
  return { name: 'promlet agent', command: process.execPath, args: [join(bundleDir, 'agent.mjs')] };
}

/** The agent from source, for a look that all still works. */
export function sourceContender(): Contender {
  return { name: 'promlet agent from source', command: process.execPath, args: [join(ROOT, 'agent', 'main.ts')] };
}

export function prometheusContender(binary: string): Contender {
  return { name: 'prometheus 3.15', command: binary, args: [] };
}

/** Runs each contender alone on the same pages. */
export async function run(scale: IngestScale, contenders: readonly Contender[]): Promise<IngestFigures[]> {
  const dir = mkdtempSync(join(tmpdir(), 'promlet-bench-'));
  try {
    const figures: IngestFigures[] = [];
    for (const contender of contenders) figures.push(await measure(contender, scale, dir));
    return figures;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function measure(contender: Contender, scale: IngestScale, dir: string): Promise<IngestFigures> {
  const exporter = await ManagedProcess.start({
    name: 'exporter',
    command: process.execPath,
    args: [join(ROOT, 'test', 'bench', 'exporter.ts'), `--series=${scale.seriesPerTarget}`],
    logFile: join(dir, 'exporter.log'),
  });
  const own = join(dir, contender.name.replaceAll(' ', '-'));
  mkdirSync(own);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const configFile = join(own, 'config.yml');
  writeFileSync(configFile, 'global: {}\n');
  const server = await ManagedProcess.start({
    name: contender.name,
    command: contender.command,
    args: [
      ...contender.args,
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(own, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-lifecycle',
    ],
    logFile: join(own, 'log'),
  });
  try {
    await eventually(`${contender.name} ready`, 60_000, async () => (await fetch(`${url}/-/ready`)).ok);
    await sleep(scale.idleSeconds * 1_000);
    const idleRssBytes = memory(server.pid).rssBytes;
    const [, exporterPort] = await exporter.waitForOutput(/listening (\d+)/, 10_000);
    writeFileSync(configFile, config(scale, Number(exporterPort)));
    const reload = await fetch(`${url}/-/reload`, { method: 'POST' });
    if (!reload.ok) throw new Error(`${contender.name}: reload: ${await reload.text()}`);
    const wanted = scale.targets * (scale.seriesPerTarget + REPORT_SAMPLES);
    const numSeries = (): Promise<number> => metric(url, 'prometheus_tsdb_head_series');
    await eventually('all series in the head', 120_000, async () => (await numSeries()) >= wanted);
    await sleep(WARM_UP_INTERVALS * scale.intervalSeconds * 1_000);
    const samplesBefore = await appended(url);
    const cpuBefore = cpuSeconds(server.pid);
    const rss: number[] = [];
    const window = Date.now() + scale.seconds * 1_000;
    while (Date.now() < window) {
      await sleep(Math.min(1_000, window - Date.now()));
      rss.push(memory(server.pid).rssBytes);
    }
    const cpu = cpuSeconds(server.pid) - cpuBefore;
    const samples = (await appended(url)) - samplesBefore;
    const { peakRssBytes } = memory(server.pid);
    const pages = await allArrived(url, `http://127.0.0.1:${exporterPort}`, scale);
    return {
      program: contender.name,
      series: await numSeries(),
      samples,
      pages,
      cpuMicrosPerSample: (cpu * 1e6) / samples,
      idleRssBytes,
      rssBytes: median(rss),
      peakRssBytes,
      walBytesPerSample: directoryBytes(join(own, 'data', 'wal')) / (await appended(url)),
    };
  } finally {
    await server.stop();
    await exporter.stop();
  }
}

/** Waits for an instant without a scrape under way. @returns pages served @throws when samples are missing */
async function allArrived(url: string, exporterUrl: string, scale: IngestScale): Promise<number> {
  const served = async (): Promise<number> => Number(await (await fetch(`${exporterUrl}/served`)).text());
  return eventually('every sample served in the head', 20_000, async () => {
    const pages = await served();
    const arrived = await appended(url);
    if (pages !== (await served())) return false;
    const expected = pages * (scale.seriesPerTarget + REPORT_SAMPLES);
    if (arrived !== expected) throw new Error(`${arrived} of ${expected} samples`);
    return pages;
  });
}

function config(scale: IngestScale, port: number): string {
  const jobs = Array.from({ length: scale.targets }, (_, i) => {
    return `  - job_name: target-${i}\n    metrics_path: /target/${i}/metrics\n    static_configs: [{ targets: ['127.0.0.1:${port}'] }]\n`;
  });
  const interval = `global: { scrape_interval: ${scale.intervalSeconds}s, scrape_timeout: ${scale.intervalSeconds}s }`;
  return `${interval}\nscrape_configs:\n${jobs.join('')}`;
}

async function metric(url: string, name: string): Promise<number> {
  const page = await (await fetch(`${url}/metrics`)).text();
  const lines = page.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

const appended = (url: string): Promise<number> => metric(url, 'prometheus_tsdb_head_samples_appended_total');

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

function directoryBytes(dir: string): number {
  return readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
