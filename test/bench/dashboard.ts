/**
 * A dashboard that several clients look at, at a time: each asks its panels one after the other, again and again, while the
 * server scrapes. How many answers there are, how long they take, and how late the scrapes start.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender, Server } from './contenders.ts';
import { ExporterProcess } from './exporter-process.ts';
import { type Lateness, lateness, timed, type Window } from './lateness.ts';
import { cpuSeconds, memory, resetPeak } from './proc.ts';
import { type QueryCase, queryCases } from './query-cases.ts';
import { ask, type QuerySize, withQueryServers } from './query-servers.ts';
import { quantile } from './table.ts';

export interface DashboardOptions extends QuerySize {
  readonly clients: number;
  readonly seconds: number;
  /** Scraped once a second. */
  readonly targets: number;
  readonly seriesPerTarget: number;
  /** Of scrapes alone, before the clients come. */
  readonly quietSeconds: number;
}

export interface DashboardFigures {
  readonly program: string;
  readonly answers: number;
  /** Requests that were refused or not answered in time. */
  readonly failed: number;
  readonly answersPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the server, per answer; its scrapes are in it. */
  readonly cpuMilliseconds: number;
  readonly peakRssBytes: number;
  readonly quiet: Lateness;
  readonly busy: Lateness;
}

/** Titles of query-cases.ts: what an overview of services shows. */
export const PANELS = [
  'one series, instant',
  'selector, 1 h by 15 s',
  'rate per series, instant',
  'sum by (handler) (rate), instant',
  'sum by (handler) (rate), 1 h by 15 s',
  'histogram_quantile, 1 h by 15 s',
  'topk, instant',
  'max_over_time 1 h, 1 h by 15 s',
  'subquery, 1 h by 15 s',
  'many-to-one join, 1 h by 15 s',
  'regex on ids, instant',
  'values of handler',
] as const;

const SCRAPE_INTERVAL_SECONDS = 1;

/** The figures of each contender, measured one after the other. */
export function run(options: DashboardOptions, contenders: readonly Contender[]): Promise<readonly DashboardFigures[]> {
  return withQueryServers(options, contenders, async (servers, endSeconds) => {
    const cases = queryCases(endSeconds);
    const panels = PANELS.map((title) => cases.find((one) => one.title === title)!);
    const figures: DashboardFigures[] = [];
    for (const server of servers) figures.push(await measure(server, panels, options));
    return figures;
  });
}

async function measure(
  server: Server,
  panels: readonly QueryCase[],
  options: DashboardOptions,
): Promise<DashboardFigures> {
  const { pid } = server;
  const dir = mkdtempSync(join(tmpdir(), 'promlet-dashboard-'));
  const exporter = await ExporterProcess.start(dir, options.seriesPerTarget, { preferred: true });
  try {
    await server.configure(exporter.config(options.targets, SCRAPE_INTERVAL_SECONDS));
    await exporter.scraped(options.targets);
    const quiet = await exporter.window(options.targets, options.quietSeconds);
    resetPeak(pid);
    const cpuBefore = cpuSeconds(pid);
    const counts = { times: [] as number[], failed: 0 };
    const busy = await timed(async () => {
      const endMs = performance.now() + options.seconds * 1000;
      await Promise.all(Array.from({ length: options.clients }, (_, i) => watch(server, panels, i, endMs, counts)));
    });
    const { times, failed } = counts;
    const cpu = cpuSeconds(pid) - cpuBefore;
    const { peakRssBytes } = memory(pid);
    await sleep(SCRAPE_INTERVAL_SECONDS * 1000);
    const arrivals = await exporter.arrivals();
    await server.configure('global: {}\n');
    const late = (window: Window): Lateness => lateness(arrivals, SCRAPE_INTERVAL_SECONDS * 1000, quiet, [window]);
    return {
      program: server.contender.name,
      answers: times.length,
      failed,
      answersPerSecond: times.length / ((busy.untilMs - busy.fromMs) / 1000),
      p50Ms: quantile(times, 0.5),
      p99Ms: quantile(times, 0.99),
      cpuMilliseconds: (cpu * 1000) / times.length,
      peakRssBytes,
      quiet: late(quiet),
      busy: late(busy),
    };
  } finally {
    await exporter.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** One client: begins at a panel of its own, so that not all ask the same at a time. */
async function watch(
  server: Server,
  panels: readonly QueryCase[],
  client: number,
  endMs: number,
  counts: { readonly times: number[]; failed: number },
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    for (let i = client; performance.now() < endMs; i++) {
      const started = performance.now();
      try {
        await ask(server, panels[i % panels.length]!, agent);
        counts.times.push(performance.now() - started);
      } catch {
        counts.failed++;
      }
    }
  } finally {
    agent.destroy();
  }
}
