/** The exporter in a process of its own, the configuration that scrapes it, and when it was asked for its pages. */
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ManagedProcess } from '../sandbox/process.ts';
import { eventually, PATIENCE_MS } from '../tools/prometheus-api.ts';
import type { Arrivals, Window } from './lateness.ts';

const SCRIPT = fileURLToPath(new URL('exporter.ts', import.meta.url));
const PRIORITY = -10;

export class ExporterProcess {
  readonly #process: ManagedProcess;
  readonly #address: string;

  private constructor(exporter: ManagedProcess, address: string) {
    this.#process = exporter;
    this.#address = address;
  }

  /**
   * @param dir of its log
   * @param options `preferred`: it goes before other processes, where that is allowed, so that its times do not depend on
   * how busy the machine is
   */
  static async start(dir: string, seriesPerTarget: number, options?: { preferred: true }): Promise<ExporterProcess> {
    const exporter = await ManagedProcess.start({
      name: 'exporter',
      command: process.execPath,
      args: [SCRIPT, `--series=${seriesPerTarget}`],
      logFile: join(dir, 'exporter.log'),
    });
    if (options !== undefined) prefer(exporter.pid);
    const [, port] = await exporter.waitForOutput(/listening (\d+)/);
    return new ExporterProcess(exporter, `127.0.0.1:${port}`);
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

  /** Waits until each target was asked twice: a server may begin out of turn. */
  async scraped(targets: number): Promise<void> {
    await eventually('every target scraped', PATIENCE_MS, () => this.wasScraped(targets));
  }

  async wasScraped(targets: number): Promise<boolean> {
    const arrivals = await this.arrivals();
    return arrivals.size === targets && [...arrivals.values()].every((times) => times.length > 1);
  }

  /** Lets so many seconds pass, and more until each target was asked meanwhile: `lateness` wants that of a quiet window. */
  async window(targets: number, seconds: number): Promise<Window> {
    const fromMs = Date.now();
    await sleep(seconds * 1000);
    return eventually('every target scraped in a window', PATIENCE_MS, async () => {
      const untilMs = Date.now();
      const arrivals = await this.arrivals();
      const isIn = (timeMs: number): boolean => timeMs >= fromMs && timeMs < untilMs;
      return (
        arrivals.size === targets && [...arrivals.values()].every((times) => times.some(isIn)) && { fromMs, untilMs }
      );
    });
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  async #get(path: string): Promise<string> {
    return (await fetch(`http://${this.#address}/${path}`)).text();
  }
}

function prefer(pid: number): void {
  try {
    setPriority(pid, PRIORITY);
  } catch {
    // An ordinary user may not: then all times are a little later.
  }
}
