/** The exporter in a process of its own, the configuration that scrapes it, and how late its pages were asked for. */
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ManagedProcess } from '../sandbox/process.ts';
import { quantile } from './table.ts';

const SCRIPT = fileURLToPath(new URL('exporter.ts', import.meta.url));
/** Its times should not depend on how busy the machine is. */
const PRIORITY = -10;

export class ExporterProcess {
  readonly #process: ManagedProcess;
  readonly #address: string;

  private constructor(exporter: ManagedProcess, address: string) {
    this.#process = exporter;
    this.#address = address;
  }

  /** @param dir of its log */
  static async start(dir: string, seriesPerTarget: number): Promise<ExporterProcess> {
    const exporter = await ManagedProcess.start({
      name: 'exporter',
      command: process.execPath,
      args: [SCRIPT, `--series=${seriesPerTarget}`],
      logFile: join(dir, 'exporter.log'),
    });
    const [, port] = await exporter.waitForOutput(/listening (\d+)/, 10_000);
    return new ExporterProcess(exporter, `127.0.0.1:${port}`);
  }

  /** Puts it before other processes, where that is allowed. */
  preferred(): this {
    try {
      setPriority(this.#process.pid, PRIORITY);
    } catch {
      // An ordinary user may not; the times are then a little later for all.
    }
    return this;
  }

  /** A Prometheus configuration that scrapes so many targets. */
  config(targets: number, intervalSeconds: number): string {
    const jobs = Array.from({ length: targets }, (_, i) => {
      return `  - job_name: target-${i}\n    metrics_path: /target/${i}/metrics\n    static_configs: [{ targets: ['${this.#address}'] }]\n`;
    });
    const interval = `global: { scrape_interval: ${intervalSeconds}s, scrape_timeout: ${intervalSeconds}s }`;
    return `${interval}\nscrape_configs:\n${jobs.join('')}`;
  }

  /** Answers no further page. @returns how many it has served */
  async hold(): Promise<number> {
    await this.#get('hold');
    return Number(await this.#get('served'));
  }

  /** When the pages of each target were asked for, in ms since the epoch. */
  async arrivals(): Promise<Arrivals> {
    return new Map(Object.entries(JSON.parse(await this.#get('arrivals')) as Record<string, number[]>));
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  async #get(path: string): Promise<string> {
    return (await fetch(`http://${this.#address}/${path}`)).text();
  }
}

export type Arrivals = ReadonlyMap<string, readonly number[]>;

/** A window of time, in ms since the epoch. */
export interface Window {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Of the scrapes of all targets in a window. */
export interface Lateness {
  readonly scrapes: number;
  /** That were due, but did not come before the next was. */
  readonly skipped: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A timer may fire so much before its time. */
const EARLY_MS = 5;

/**
 * How much later than due scrapes arrived. A target is due once an interval, at the same offset into it; the earliest of
 * its arrivals in a quiet window tells which.
 * @throws when a target was not scraped in the quiet window
 */
export function lateness(arrivals: Arrivals, intervalMs: number, quiet: Window, window: Window): Lateness {
  const lateMs: number[] = [];
  let skipped = 0;
  for (const [target, times] of arrivals) {
    const dueMs = firstDueMs(target, times, intervalMs, quiet);
    const first = Math.ceil((window.fromMs - dueMs) / intervalMs);
    const end = Math.floor((window.untilMs - dueMs) / intervalMs);
    const late = new Map<number, number>();
    for (const timeMs of times) {
      const slot = Math.floor((timeMs - dueMs + EARLY_MS) / intervalMs);
      if (slot >= first && slot < end) late.set(slot, Math.max(0, timeMs - dueMs - slot * intervalMs));
    }
    lateMs.push(...late.values());
    skipped += Math.max(0, end - first) - late.size;
  }
  return {
    scrapes: lateMs.length,
    skipped,
    p50Ms: quantile(lateMs, 0.5),
    p99Ms: quantile(lateMs, 0.99),
    maxMs: quantile(lateMs, 1),
  };
}

function firstDueMs(target: string, times: readonly number[], intervalMs: number, { fromMs, untilMs }: Window): number {
  const seen = times.filter((timeMs) => timeMs >= fromMs && timeMs < untilMs);
  if (seen.length === 0) throw new Error(`${target} was not scraped while all was quiet`);
  const offsets = seen.map((timeMs) => {
    const ms = (timeMs - seen[0]!) % intervalMs;
    return ms > intervalMs / 2 ? ms - intervalMs : ms;
  });
  return seen[0]! + Math.min(...offsets);
}
