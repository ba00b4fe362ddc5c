import type { Clock, Logger, Timer } from '../env/index.ts';
import { errorMessage } from '../model/index.ts';

const MIN_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 60_000;

export interface MaintenanceOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly intervalMs: number;
  /** The work of one turn. What it throws is logged and counted by it; the next turn comes anyway. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

/**
 * Runs what a database does of its own accord, one turn at a time: every interval, and when it is asked to. After a failure
 * requests wait, longer each time (`DB.run` of tsdb/db.go).
 */
export class Maintenance {
  readonly #options: MaintenanceOptions;
  readonly #stop = new AbortController();
  #timer: Timer | undefined;
  #turn: Promise<void> | undefined;
  #requested = false;
  #backoffMs = 0;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
    this.#schedule(options.intervalMs);
  }

  /** Asks for a turn soon; cheap when one is due anyway. */
  request(): void {
    if (this.#requested || this.#turn !== undefined || this.#backoffMs > 0) return;
    this.#requested = true;
    this.#timer?.cancel();
    this.#schedule(0);
  }

  /** Ends the turn under way as soon as it can be ended. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('the database is being closed'));
    this.#timer?.cancel();
    await this.#turn;
  }

  #schedule(delayMs: number): void {
    if (this.#stop.signal.aborted) return;
    this.#timer = this.#options.clock.setTimer(() => {
      this.#requested = false;
      this.#turn = this.#take().finally(() => (this.#turn = undefined));
    }, delayMs);
  }

  async #take(): Promise<void> {
    const { run, logger, intervalMs } = this.#options;
    const { signal } = this.#stop;
    try {
      await run(signal);
      this.#backoffMs = 0;
    } catch (error) {
      if (!signal.aborted) {
        this.#backoffMs = Math.min(MAX_BACKOFF_MS, Math.max(MIN_BACKOFF_MS, this.#backoffMs * 2));
        logger.error({ error: errorMessage(error), retryMs: this.#backoffMs }, 'maintenance of the database failed');
      }
    }
    this.#schedule(this.#backoffMs > 0 ? Math.min(this.#backoffMs, intervalMs) : intervalMs);
  }
}
