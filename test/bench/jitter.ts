/**
 * How late scrapes start while a heavy query runs in a loop and the head is compacted: each server alone, on a copy of a
 * directory whose log holds two hours of some time ago. The scrapes make its head span enough for those to become a block.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PATIENCE_MS } from '../tools/prometheus-api.ts';
import { type Contender, dataDirOf, Server } from './contenders.ts';
import { ExporterProcess } from './exporter-process.ts';
import { type History, writeHistory } from './history.ts';
import { type Lateness, lateness, timed, type Window } from './lateness.ts';
import { memory, resetPeak } from './proc.ts';
import { median } from './table.ts';

export interface JitterOptions {
  /** Of the history: 80 series × 480 scrapes each, of which the query reads a quarter. */
  readonly historyTargets: number;
  /** Scraped once a second. */
  readonly targets: number;
  readonly seriesPerTarget: number;
  /** Of scrapes alone, after the last query. */
  readonly quietSeconds: number;
  /** Of queries, at least, from when every target is being scraped. */
  readonly seconds: number;
  /** So long the queries go on until all is compacted; 0: that is not waited for. */
  readonly compactionWithinSeconds: number;
}

export interface JitterFigures {
  readonly program: string;
  /** That one query reads. */
  readonly samples: number;
  readonly queries: number;
  readonly queryMilliseconds: number;
  readonly peakRssBytes: number;
  readonly quiet: Lateness;
  readonly busy: Lateness;
  /** While blocks were written, too. */
  readonly compacting: Lateness;
  readonly compactionSeconds: number;
}

const HOUR_MS = 3_600_000;
const BLOCK_MS = 2 * HOUR_MS;
const STEP_MS = 15_000;
/** Of the four methods that the workload has. */
const PART = 'http_requests_total{method="GET"}';
const SCRAPES = BLOCK_MS / STEP_MS;
const SCRAPE_INTERVAL_SECONDS = 1;
const POLL_MS = 10;
/** No block was begun for so long: all are written. */
const SETTLED_MS = 5_000;

export async function run(options: JitterOptions, contenders: readonly Contender[]): Promise<readonly JitterFigures[]> {
  const dir = mkdtempSync(join(tmpdir(), 'promlet-jitter-'));
  try {
    const startMs = Math.floor((Date.now() - 3 * BLOCK_MS) / BLOCK_MS) * BLOCK_MS;
    const shape = { targets: options.historyTargets, scrapes: SCRAPES, stepMs: STEP_MS, startMs };
    const history: History = { dir: join(dir, 'history'), ...shape };
    const samples = (await writeHistory(history)).samples / 4;
    const figures: JitterFigures[] = [];
    for (const contender of contenders) {
      const own = join(dir, contender.name.replaceAll(' ', '-'));
      mkdirSync(own);
      cpSync(history.dir, dataDirOf(own), { recursive: true });
      figures.push(await measure(contender, own, options, history, samples));
      rmSync(own, { recursive: true, force: true });
    }
    return figures;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function measure(
  contender: Contender,
  dir: string,
  options: JitterOptions,
  history: History,
  samples: number,
): Promise<JitterFigures> {
  const exporter = await ExporterProcess.start(dir, options.seriesPerTarget, { preferred: true });
  const server = await Server.start(contender, dir);
  const blocks = new BlockWatch(dataDirOf(dir));
  try {
    await server.ready(300_000);
    resetPeak(server.pid);
    const times: number[] = [];
    const busy = await timed(async () => {
      await server.configure(exporter.config(options.targets, SCRAPE_INTERVAL_SECONDS));
      let begun = performance.now();
      do {
        times.push(await readAll(server, history, samples));
        if (performance.now() - begun > PATIENCE_MS) throw new Error('not every target is scraped');
      } while (!(await exporter.wasScraped(options.targets)));
      begun = performance.now();
      const goesOn = (): boolean => {
        const seconds = (performance.now() - begun) / 1000;
        return seconds < options.seconds || (!blocks.settled && seconds < options.compactionWithinSeconds);
      };
      while (goesOn()) times.push(await readAll(server, history, samples));
    });
    const { written } = blocks;
    if (options.compactionWithinSeconds > 0 && !blocks.settled) {
      throw new Error(`${contender.name} did not compact its head within ${options.compactionWithinSeconds} s`);
    }
    const { peakRssBytes } = memory(server.pid);
    const quiet = await exporter.window(options.targets, options.quietSeconds);
    const arrivals = await exporter.arrivals();
    const late = (...windows: readonly Window[]): Lateness =>
      lateness(arrivals, SCRAPE_INTERVAL_SECONDS * 1000, quiet, windows);
    return {
      program: contender.name,
      samples,
      queries: times.length,
      queryMilliseconds: median(times),
      peakRssBytes,
      quiet: late(quiet),
      busy: late(busy),
      compacting: late(...written),
      compactionSeconds: written.reduce((sum, { fromMs, untilMs }) => sum + untilMs - fromMs, 0) / 1000,
    };
  } finally {
    blocks.stop();
    await server.stop();
    await exporter.stop();
  }
}

/** @returns the milliseconds that a query over all samples takes */
async function readAll(server: Server, history: History, samples: number): Promise<number> {
  const started = performance.now();
  // A range begins behind its start.
  const endSeconds = (history.startMs + BLOCK_MS - 1) / 1000;
  const found = await server.scalar(`sum(count_over_time(${PART}[2h]))`, endSeconds);
  if (found !== samples) throw new Error(`${server.contender.name} answers with ${found} of ${samples} samples`);
  return performance.now() - started;
}

/** Sees when blocks of a data directory are written. */
class BlockWatch {
  readonly #dir: string;
  readonly #timer: NodeJS.Timeout;
  readonly #written: Window[] = [];
  #begunMs: number | undefined;

  constructor(dir: string) {
    this.#dir = dir;
    this.#timer = setInterval(() => {
      this.#look();
    }, POLL_MS);
  }

  /** From the appearance of each unfinished block to its renaming. */
  get written(): readonly Window[] {
    return this.#written;
  }

  get settled(): boolean {
    const last = this.#written.at(-1);
    return last !== undefined && this.#begunMs === undefined && Date.now() - last.untilMs > SETTLED_MS;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const isWriting = readdirSync(this.#dir).some((name) => name.endsWith('.tmp-for-creation'));
    if (isWriting) this.#begunMs ??= Date.now();
    else if (this.#begunMs !== undefined) {
      this.#written.push({ fromMs: this.#begunMs, untilMs: Date.now() });
      this.#begunMs = undefined;
    }
  }
}
