/**
 * Ingest side by side: the same pages scraped by our agent (bundle) and by real Prometheus, one after the other in one
 * run: CPU per sample, RSS empty and full, WAL bytes per sample.
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
  readonly seconds: number;
}

export interface IngestFigures {
  readonly program: string;
  readonly series: number;
  readonly samples: number;
  readonly cpuMicrosPerSample: number;
  readonly idleRssBytes: number;
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
    await sleep(2_000);
    const idleRssBytes = memory(server.pid).rssBytes;
    const [, exporterPort] = await exporter.waitForOutput(/listening (\d+)/, 10_000);
    writeFileSync(configFile, config(scale, Number(exporterPort)));
    const reload = await fetch(`${url}/-/reload`, { method: 'POST' });
    if (!reload.ok) throw new Error(`${contender.name}: reload: ${await reload.text()}`);
    const wanted = scale.targets * scale.seriesPerTarget;
    await eventually(
      'all series in the head',
      120_000,
      async () => (await metric(url, 'prometheus_tsdb_head_series')) >= wanted,
    );
    // Steady state only: the first scrape of every series is over.
    await sleep(scale.intervalSeconds * 1_000);
    const samplesBefore = await appended(url);
    const cpuBefore = cpuSeconds(server.pid);
    await sleep(scale.seconds * 1_000);
    const samples = (await appended(url)) - samplesBefore;
    const cpu = cpuSeconds(server.pid) - cpuBefore;
    const { rssBytes, peakRssBytes } = memory(server.pid);
    const total = await appended(url);
    return {
      program: contender.name,
      series: await metric(url, 'prometheus_tsdb_head_series'),
      samples,
      cpuMicrosPerSample: (cpu * 1e6) / samples,
      idleRssBytes,
      rssBytes,
      peakRssBytes,
      walBytesPerSample: directoryBytes(join(own, 'data', 'wal')) / total,
    };
  } finally {
    await server.stop();
    await exporter.stop();
  }
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

function directoryBytes(dir: string): number {
  return readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
