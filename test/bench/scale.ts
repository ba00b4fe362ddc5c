/**
 * The scale example of the field: services × 10 instances × 20 APIs × 4 methods, a scrape every 30 s, written through the
 * real appender as fast as it goes. The clock follows the data and maintenance runs every minute of it, so that chunks go on
 * file, the head is compacted, the log is cut and blocks are merged as they would be in that time. In a process of its
 * own, for its memory: `node --expose-gc test/bench/scale.ts [services] [hours,hours…]`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createLogger, nodeFileSystem } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { Engine, type QueryResult } from '../../lib/promql/index.ts';
import { openTsdb, type Tsdb } from '../../lib/tsdb/index.ts';
import { DataClock } from './data-clock.ts';
import { directoryBytes } from './ingest.ts';
import { memory, resetPeak } from './proc.ts';
import { median } from './table.ts';
import { SERIES_PER_TARGET, TargetWorkload } from './workload.ts';

export interface ScaleOptions {
  readonly services: number;
  /** How much data there is when figures are taken, ascending. */
  readonly hours: readonly number[];
}

/** What it is like with so many hours of data. */
export interface ScaleFigures {
  readonly hours: number;
  readonly series: number;
  readonly samples: number;
  /** Spent on writing and maintenance since the beginning, queries left out. */
  readonly seconds: number;
  /** While the last hour of data was written: median. While data was written and while it was queried: the highest. */
  readonly rssBytes: number;
  readonly peakRssBytes: number;
  readonly queryPeakRssBytes: number;
  readonly blocks: number;
  readonly blockBytes: number;
  readonly logBytes: number;
  readonly headChunkBytes: number;
  readonly queries: readonly QueryFigures[];
}

export interface QueryFigures {
  readonly title: string;
  /** Median of three. */
  readonly milliseconds: number;
  /** Of the answer's values. */
  readonly sum: number;
}

const STEP_MS = 30_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const INSTANCES_PER_SERVICE = 10;
/** A multiple of every block's length. */
const START_MS = 1_699_920_000_000;
const RSS_INTERVAL_MS = 10 * MINUTE_MS;
const QUERY_RUNS = 3;

/** Runs in a process of its own. @param report takes each set of figures as it comes */
export async function run({ services, hours }: ScaleOptions, report: (figures: ScaleFigures) => void): Promise<void> {
  const script = fileURLToPath(import.meta.url);
  await reported(process.execPath, ['--expose-gc', script, String(services), hours.join(',')], undefined, report);
}

/** The same on Prometheus's own storage and engine, compiled when it is first run. @throws when there is no Go */
export async function runPrometheus(
  { services, hours }: ScaleOptions,
  report: (figures: ScaleFigures) => void,
): Promise<void> {
  const cwd = fileURLToPath(new URL('../tools/prometheus', import.meta.url));
  await reported('go', ['run', './scale', `-services=${services}`, `-hours=${hours.join(',')}`], cwd, report);
}

async function reported(
  command: string,
  args: readonly string[],
  cwd: string | undefined,
  report: (figures: ScaleFigures) => void,
): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], ...(cwd === undefined ? {} : { cwd }) });
  const ended = new Promise<number | null>((resolve, reject) => child.once('close', resolve).once('error', reject));
  // It is awaited when there are no more lines.
  ended.catch(() => undefined);
  for await (const line of createInterface({ input: child.stdout })) report(JSON.parse(line) as ScaleFigures);
  const status = await ended;
  if (status !== 0) throw new Error(`${command} ended with status ${status}`);
}

class ScaleRun {
  readonly #dir: string;
  readonly #db: Tsdb;
  readonly #clock: DataClock;
  readonly #workloads: readonly TargetWorkload[];
  readonly #refs: Uint32Array[] = [];
  readonly #results = new Uint8Array(SERIES_PER_TARGET);
  #rss: number[] = [];
  #timeMs = START_MS;
  #samples = 0;
  #spentMs = 0;

  constructor(dir: string, db: Tsdb, clock: DataClock, services: number) {
    this.#dir = dir;
    this.#db = db;
    this.#clock = clock;
    this.#workloads = Array.from({ length: services * INSTANCES_PER_SERVICE }, (_, i) => new TargetWorkload(i));
  }

  /** Writes until there is data for so long. */
  async writeTo(hours: number): Promise<void> {
    const endMs = START_MS + hours * HOUR_MS;
    const started = performance.now();
    for (; this.#timeMs < endMs; this.#timeMs += STEP_MS) {
      await this.#scrapeAll();
      this.#clock.advance(this.#timeMs + STEP_MS);
      if (this.#clock.now() % MINUTE_MS === 0) await this.#db.compact();
      if (this.#clock.now() % RSS_INTERVAL_MS === 0) this.#rss.push(memory(process.pid).rssBytes);
      await nextTurn();
    }
    this.#spentMs += performance.now() - started;
  }

  async figures(hours: number): Promise<ScaleFigures> {
    const db = this.#db;
    const blocks = db.blocks();
    const rss = this.#rss.slice(-HOUR_MS / RSS_INTERVAL_MS);
    const { peakRssBytes } = memory(process.pid);
    resetPeak(process.pid);
    const queries = await this.#queries(hours);
    const queryPeakRssBytes = memory(process.pid).peakRssBytes;
    // What queries left behind is not writing's.
    globalThis.gc?.();
    resetPeak(process.pid);
    return {
      hours,
      series: db.stats().numSeries,
      samples: this.#samples,
      seconds: this.#spentMs / 1e3,
      rssBytes: median(rss),
      peakRssBytes,
      queryPeakRssBytes,
      blocks: blocks.length,
      blockBytes: blocks.reduce((sum, { ulid }) => sum + directoryBytes(join(this.#dir, ulid)), 0),
      logBytes: directoryBytes(join(this.#dir, 'wal')),
      headChunkBytes: directoryBytes(join(this.#dir, 'chunks_head')),
      queries,
    };
  }

  async #scrapeAll(): Promise<void> {
    const db = this.#db;
    const targets = this.#workloads.length;
    for (let target = 0; target < targets; target++) {
      const workload = this.#workloads[target]!;
      const appender = db.appender();
      const refs = (this.#refs[target] ??= Uint32Array.from({ length: SERIES_PER_TARGET }, (_, i) =>
        appender.series(workload.labels(i)),
      ));
      const timeMs = this.#timeMs + Math.floor((target * STEP_MS) / targets);
      const refused = appender.appendColumns(refs, workload.scrape(), SERIES_PER_TARGET, timeMs, this.#results);
      if (refused > 0) throw new Error(`${refused} samples refused at ${timeMs}`);
      await appender.commit();
      this.#samples += SERIES_PER_TARGET;
    }
  }

  async #queries(hours: number): Promise<QueryFigures[]> {
    const endMs = this.#timeMs;
    const spanMs = hours * HOUR_MS;
    const engine = new Engine({ maxSamples: Infinity, maxBytes: Infinity, timeoutMs: 10 * MINUTE_MS });
    const instant = (query: string) => () => engine.instant(this.#db, query, endMs);
    const range = (query: string, overMs: number, stepMs: number) => () =>
      engine.range(this.#db, query, endMs - overMs, endMs, stepMs);
    const one = 'http_requests_total{instance="10.0.0.3:8080",api="/api/v1/resource-7",method="GET"}';
    const all = 'sum(http_requests_total)';
    const figures = [
      await timed(`${all}, now`, instant(all)),
      await timed('sum by (job) (rate([5m])), 1 h by 1 min', range(rateBy('job'), HOUR_MS, MINUTE_MS)),
      await timed(
        'topk(5, sum by (api) (rate([5m]))), all in 60',
        range(`topk(5, ${rateBy('api')})`, spanMs, spanMs / 60),
      ),
      await timed('one series, all in 1,000', range(one, spanMs, Math.max(STEP_MS, Math.ceil(spanMs / 1000)))),
      await timed(
        'sum(increase()) of one job over all',
        instant(`sum(increase(http_requests_total{job="service-0"}[${hours}h]))`),
      ),
    ];
    const expected = this.#workloads.reduce((sum, { values }) => sum + values.reduce((a, b) => a + b, 0), 0);
    if (figures[0]!.sum !== expected) throw new Error(`${all} is ${figures[0]!.sum}, not ${expected}`);
    return figures;
  }
}

function rateBy(label: string): string {
  return `sum by (${label}) (rate(http_requests_total[5m]))`;
}

async function timed(title: string, query: () => Promise<QueryResult>): Promise<QueryFigures> {
  const times: number[] = [];
  let sum = NaN;
  for (let i = 0; i < QUERY_RUNS; i++) {
    const started = performance.now();
    sum = sumOf(await query());
    times.push(performance.now() - started);
  }
  return { title, milliseconds: median(times), sum };
}

function sumOf({ value }: QueryResult): number {
  if (value.type === 'vector') return value.samples.reduce((sum, sample) => sum + sample.value, 0);
  if (value.type !== 'matrix') return NaN;
  return value.series.reduce((sum, { values }) => sum + values.reduce((a, b) => a + b, 0), 0);
}

async function main(services: number, hours: readonly number[]): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'promlet-scale-'));
  const clock = new DataClock(START_MS);
  try {
    const db = await openTsdb({
      dir,
      fileSystem: nodeFileSystem,
      clock,
      logger: createLogger('error'),
      kernels: createKernels(),
    });
    const scale = new ScaleRun(dir, db, clock, services);
    for (const size of hours) {
      await scale.writeTo(size);
      console.log(JSON.stringify(await scale.figures(size)));
    }
    await db.close();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(Number(process.argv[2] ?? 100), (process.argv[3] ?? '1').split(',').map(Number));
}
