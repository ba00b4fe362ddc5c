import type { Clock, Logger, Timer } from '../../lib/env/index.ts';
import { errorMessage } from '../../lib/model/index.ts';
import type { ConfigRenderer, Publisher } from '../publish/index.ts';
import type { StatusWriter } from '../status/index.ts';
import type { CredentialStore } from './credential-store.ts';
import type { OperatorMetrics } from './metrics.ts';
import type { MonitorWatch } from './monitor-watch.ts';
import type { MonitorResolver, Resolved } from './resolver.ts';

/** Changes that come together are handled together. */
const DEBOUNCE_MS = 50;
/** After a failure; doubled up to the maximum. */
const RETRY_MS = { initial: 500, max: 30_000 };
/** Secrets are read again this often, and a lost config Secret is noticed. */
const RESYNC_MS = 60_000;
/** Statuses written at a time. */
const STATUS_CONCURRENCY = 4;

export interface ControllerOptions {
  readonly watch: Pick<MonitorWatch, 'isComplete' | 'monitors'>;
  readonly resolver: Pick<MonitorResolver, 'resolve'>;
  readonly credentials: Pick<CredentialStore, 'clear'>;
  readonly renderer: Pick<ConfigRenderer, 'join'>;
  readonly publisher: Pick<Publisher, 'publish'>;
  readonly status: Pick<StatusWriter, 'write'>;
  /** Only the leader writes. */
  readonly isLeader: () => boolean;
  readonly metrics: OperatorMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
}

/**
 *     change ─▶ debounce ─▶ resolve monitors ─▶ publish the configuration ─▶ write statuses
 *       ▲                                                                        │ failed
 *       └──────────────────────────────── back off ◀─────────────────────────────┘
 */
export class Controller {
  readonly #options: ControllerOptions;
  #timer: Timer | undefined;
  #resync: Timer | undefined;
  #retryMs = RETRY_MS.initial;
  #running: Promise<void> | undefined;
  #changedMeanwhile = false;
  #stopped = false;

  constructor(options: ControllerOptions) {
    this.#options = options;
  }

  /** Something changed: reconcile soon. */
  trigger(): void {
    if (this.#running === undefined) this.#schedule(DEBOUNCE_MS);
    else this.#changedMeanwhile = true;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#resync?.cancel();
    await this.#running;
  }

  #schedule(delayMs: number): void {
    if (this.#stopped || this.#timer !== undefined) return;
    this.#timer = this.#options.clock.setTimer(() => {
      this.#timer = undefined;
      this.#running = this.#run();
    }, delayMs);
  }

  async #run(): Promise<void> {
    const { clock, metrics, logger } = this.#options;
    const startedMs = clock.monotonicMs();
    let ok = true;
    try {
      await this.#reconcile();
    } catch (error) {
      ok = false;
      logger.error({ error: errorMessage(error) }, 'reconciliation failed, the last configuration stays');
    }
    metrics.onReconcile((clock.monotonicMs() - startedMs) / 1000, ok);
    this.#running = undefined;
    this.#scheduleNext(ok);
  }

  #scheduleNext(ok: boolean): void {
    if (this.#stopped) return;
    if (ok) {
      this.#retryMs = RETRY_MS.initial;
      if (this.#changedMeanwhile) this.#schedule(DEBOUNCE_MS);
    } else {
      this.#schedule(this.#retryMs);
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS.max);
    }
    this.#changedMeanwhile = false;
    this.#resync?.cancel();
    this.#resync = this.#options.clock.setTimer(() => {
      this.#options.credentials.clear();
      this.trigger();
    }, RESYNC_MS);
  }

  async #reconcile(): Promise<void> {
    const { watch, resolver, renderer, publisher, metrics, isLeader, clock } = this.#options;
    if (!watch.isComplete) return;
    metrics.setReady();
    const resolved = await resolver.resolve(watch.monitors());
    countMonitors(metrics, resolved);
    if (!isLeader()) return;
    const yaml = await renderer.join(resolved.map(({ fragment }) => fragment));
    if (await publisher.publish(yaml)) metrics.onPublished(clock.now());
    await this.#writeStatuses(resolved);
  }

  async #writeStatuses(resolved: readonly Resolved[]): Promise<void> {
    const queue = resolved.values();
    const worker = async () => {
      for (const { monitor, rejection } of queue) {
        // A new configuration does not wait for statuses; the next round writes the rest.
        if (this.#changedMeanwhile) return;
        await this.#options.status.write(monitor.resource, monitor.object, rejection);
      }
    };
    await Promise.all(Array.from({ length: STATUS_CONCURRENCY }, worker));
  }
}

function countMonitors(metrics: OperatorMetrics, resolved: readonly Resolved[]): void {
  const counts = new Map<string, { selected: number; rejected: number }>();
  for (const { monitor, rejection } of resolved) {
    const { plural } = monitor.resource;
    const count = counts.get(plural) ?? { selected: 0, rejected: 0 };
    if (rejection === undefined) count.selected++;
    else count.rejected++;
    counts.set(plural, count);
  }
  metrics.setMonitors(counts);
}
