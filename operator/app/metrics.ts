import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ReflectorMetrics, Resource } from '../../lib/kube/index.ts';

/** The operator's own metrics; named as prometheus-operator's where it has them. */
export class OperatorMetrics implements ReflectorMetrics {
  readonly registry = new Registry();
  readonly #lists = this.#counter('list_operations', 'Lists of the API server.', ['resource']);
  readonly #failedLists = this.#counter('list_operations_failed', 'Lists that failed.', ['resource']);
  readonly #watches = this.#counter('watch_operations', 'Watches of the API server.', ['resource']);
  readonly #failedWatches = this.#counter('watch_operations_failed', 'Watches that failed.', ['resource']);
  readonly #reconciles = this.#counter('reconcile_operations', 'Reconciliations.', ['controller']);
  readonly #failedReconciles = this.#counter('reconcile_errors', 'Reconciliations that failed.', ['controller']);
  readonly #duration = new Histogram({
    name: 'prometheus_operator_reconcile_duration_seconds',
    help: 'Time of a reconciliation.',
    labelNames: ['controller'],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10],
    registers: [this.registry],
  });
  readonly #resources = new Gauge({
    name: 'prometheus_operator_managed_resources',
    help: 'Monitors by whether they were selected or rejected.',
    labelNames: ['resource', 'state'],
    registers: [this.registry],
  });
  readonly #ready = new Gauge({
    name: 'prometheus_operator_ready',
    help: '1 when the first lists are complete.',
    registers: [this.registry],
  });
  readonly #published = new Gauge({
    name: 'promlet_operator_config_published_timestamp_seconds',
    help: 'When the configuration of the agents last changed.',
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name: `prometheus_operator_${name}_total`, help, labelNames, registers: [this.registry] });
  }

  onList(resource: Resource, ok: boolean): void {
    this.#lists.inc({ resource: resource.plural });
    if (!ok) this.#failedLists.inc({ resource: resource.plural });
  }

  onWatchEnd(resource: Resource, ok: boolean): void {
    this.#watches.inc({ resource: resource.plural });
    if (!ok) this.#failedWatches.inc({ resource: resource.plural });
  }

  onReconcile(seconds: number, ok: boolean): void {
    this.#reconciles.inc({ controller: 'promlet' });
    this.#duration.observe({ controller: 'promlet' }, seconds);
    if (!ok) this.#failedReconciles.inc({ controller: 'promlet' });
  }

  /** By resource; resources that are not named have none. */
  setMonitors(counts: ReadonlyMap<string, { readonly selected: number; readonly rejected: number }>): void {
    this.#resources.reset();
    for (const [resource, { selected, rejected }] of counts) {
      this.#resources.set({ resource, state: 'selected' }, selected);
      this.#resources.set({ resource, state: 'rejected' }, rejected);
    }
  }

  setReady(): void {
    this.#ready.set(1);
  }

  onPublished(nowMs: number): void {
    this.#published.set(nowMs / 1000);
  }
}
