/**
 * Ingest side by side: the same pages scraped by each server alone, one after the other in one run: CPU per sample in the
 * steady state, RSS idle and full, bytes on disk per sample; then SIGKILL, the time until it answers again, and how many
 * of the samples it had taken are gone. Every sample that was served must have arrived, or there are no figures.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, PATIENCE_MS } from '../tools/prometheus-api.ts';
import { type Contender, dataDirOf, Server } from './contenders.ts';
import { ExporterProcess } from './exporter-process.ts';
import { cpuSeconds, memory } from './proc.ts';
import { median } from './table.ts';

/** The exporter spreads its series over so many names. */
const METRIC_NAMES = 10;

export interface IngestScale {
  readonly targets: number;
  readonly seriesPerTarget: number;
  readonly intervalSeconds: number;
  /** Between the last new series and the window: caches, JIT and garbage collectors settle. */
  readonly warmUpIntervals: number;
  /** Idle before the load, and the window that is measured. */
  readonly idleSeconds: number;
  readonly seconds: number;
}

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
  /** Of the whole data directory, when the last sample had arrived. */
  readonly diskBytesPerSample: number;
  /** From the start after SIGKILL to the first answer. */
  readonly readySeconds: number;
  /** While it got ready. */
  readonly restartPeakRssBytes: number;
  /** Of the samples on the pages served, those that it does not answer with after SIGKILL. */
  readonly lostSamples: number;
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

type SteadyFigures = Omit<IngestFigures, 'readySeconds' | 'restartPeakRssBytes' | 'lostSamples'>;

async function measure(contender: Contender, scale: IngestScale, dir: string): Promise<IngestFigures> {
  const exporter = await ExporterProcess.start(dir, scale.seriesPerTarget);
  const own = join(dir, contender.name.replaceAll(' ', '-'));
  const server = await Server.start(contender, own);
  try {
    const steady = await measureSteady(server, scale, exporter, own);
    await server.kill();
    return { ...steady, ...(await measureRestart(contender, own, steady.pages * scale.seriesPerTarget)) };
  } finally {
    await server.stop();
    await exporter.stop();
  }
}

/** Ends with all pages held back and every sample arrived. */
async function measureSteady(
  server: Server,
  scale: IngestScale,
  exporter: ExporterProcess,
  dir: string,
): Promise<SteadyFigures> {
  const { contender, pid } = server;
  await server.ready();
  await sleep(scale.idleSeconds * 1_000);
  const idleRssBytes = memory(pid).rssBytes;
  await server.configure(exporter.config(scale.targets, scale.intervalSeconds));
  const perScrape = scale.seriesPerTarget + contender.reportSamples;
  await eventually(
    'every target scraped',
    PATIENCE_MS,
    async () => (await server.appended()) >= scale.targets * perScrape,
  );
  await sleep(scale.warmUpIntervals * scale.intervalSeconds * 1_000);
  const samplesBefore = await server.appended();
  const cpuBefore = cpuSeconds(pid);
  const rss: number[] = [];
  const window = Date.now() + scale.seconds * 1_000;
  let samples = 0;
  // Longer where the machine is so busy that not every target was scraped meanwhile.
  while (samples < scale.targets * perScrape) {
    await sleep(Math.min(1_000, Math.max(100, window - Date.now())));
    rss.push(memory(pid).rssBytes);
    if (Date.now() >= window) samples = (await server.appended()) - samplesBefore;
  }
  const cpu = cpuSeconds(pid) - cpuBefore;
  const { peakRssBytes } = memory(pid);
  const series = await server.series();
  const pages = await allArrived(server, exporter, scale.seriesPerTarget);
  return {
    program: contender.name,
    series,
    samples,
    pages,
    cpuMicrosPerSample: (cpu * 1e6) / samples,
    idleRssBytes,
    rssBytes: median(rss),
    // The kernel keeps the peak in steps, so that it may lie below what was read a moment before.
    peakRssBytes: Math.max(peakRssBytes, ...rss),
    diskBytesPerSample: directoryBytes(dataDirOf(dir)) / (pages * perScrape),
  };
}

async function measureRestart(
  contender: Contender,
  dir: string,
  expected: number,
): Promise<Pick<IngestFigures, 'readySeconds' | 'restartPeakRssBytes' | 'lostSamples'>> {
  const started = performance.now();
  const server = await Server.start(contender, dir);
  try {
    await server.ready();
    const readySeconds = (performance.now() - started) / 1e3;
    const restartPeakRssBytes = memory(server.pid).peakRssBytes;
    return { readySeconds, restartPeakRssBytes, lostSamples: expected - (await samplesIn(server)) };
  } finally {
    await server.stop();
  }
}

/** Holds all further pages back and waits for the samples of those before. @returns pages served */
async function allArrived(server: Server, exporter: ExporterProcess, seriesPerTarget: number): Promise<number> {
  const pages = await exporter.hold();
  return eventually('every sample served in the server', PATIENCE_MS, async () => {
    const arrived = await samplesIn(server);
    if (arrived !== pages * seriesPerTarget) throw new Error(`${arrived} of ${pages * seriesPerTarget} samples`);
    return pages;
  });
}

/** How many samples of pages a server answers with: those that it adds itself, for pages held back too, are others. */
async function samplesIn(server: Server): Promise<number> {
  let samples = 0;
  for (let i = 0; i < METRIC_NAMES; i++) {
    samples += await server.scalar(`sum(count_over_time(http_server_requests_total_${i}[1h]))`);
  }
  return samples;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Of all files in it; a server may delete some meanwhile. */
export function directoryBytes(dir: string): number {
  return readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce(
      (sum, entry) => sum + (statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
}
