import { type Clock, type Logger, systemClock } from '../env/index.ts';
import { assert, errorMessage } from '../model/index.ts';
import { isKubeError } from './api-error.ts';
import { sleep } from './backoff.ts';
import type { KubeClient } from './client.ts';
import type { KubeObject } from './objects.ts';
import { LEASES } from './resources.ts';

/** `coordination.k8s.io/v1` Lease, as far as elections use it. Times are RFC 3339 with microseconds. */
export interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string | null;
    readonly renewTime?: string | null;
    readonly leaseTransitions?: number;
  };
}

export interface LeaderElectorOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'update'>;
  readonly namespace: string;
  /** Of the Lease. */
  readonly name: string;
  /** Unique among the candidates: the pod's name. */
  readonly identity: string;
  readonly logger: Logger;
  /** Called when we become leader; the signal is aborted when we are it no more. Not awaited. */
  readonly onStartedLeading: (signal: AbortSignal) => void;
  readonly onStoppedLeading?: () => void;
  /** How long others wait for a silent leader. Default 15 s. */
  readonly leaseDurationMs?: number;
  /** How long a leader tries to renew before it steps down; below the lease duration. Default 10 s. */
  readonly renewDeadlineMs?: number;
  /** Between attempts. Default 2 s. */
  readonly retryPeriodMs?: number;
  readonly clock?: Clock;
}

/**
 * One leader among the candidates that share a Lease. Follows client-go `tools/leaderelection`: the lease counts from
 * when this process saw it change, by its own monotonic clock, so clocks of other machines do not matter; every write
 * carries the resourceVersion that was read, so of two candidates one fails.
 */
export class LeaderElector {
  readonly #options: LeaderElectorOptions;
  readonly #clock: Clock;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #observed: Lease | undefined;
  #observedAtMs = 0;
  #leading: AbortController | undefined;

  constructor(options: LeaderElectorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000;
    assert(this.#leaseDurationMs > this.#renewDeadlineMs, 'election: lease duration must exceed the renew deadline');
    assert(this.#renewDeadlineMs > this.#retryPeriodMs, 'election: renew deadline must exceed the retry period');
  }

  get isLeader(): boolean {
    return this.#leading !== undefined;
  }

  /** The holder last seen, '' when there is none. */
  get leader(): string {
    return this.#observed?.spec?.holderIdentity ?? '';
  }

  start(): void {
    assert(this.#running === undefined, 'election: started twice');
    this.#running = this.#run();
  }

  /** Steps down and gives the lease back, so that the next leader need not wait for it to run out. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      while (!signal.aborted && !(await this.#tryAcquireOrRenew())) {
        await sleep(this.#clock, this.#retryPeriodMs, signal);
      }
      if (signal.aborted && this.leader !== this.#options.identity) return;
      this.#startLeading();
      await this.#renewUntilLost();
      this.#stopLeading();
    }
    await this.#release();
  }

  async #renewUntilLost(): Promise<void> {
    const { signal } = this.#stop;
    let renewedAtMs = this.#clock.monotonicMs();
    while (!signal.aborted) {
      await sleep(this.#clock, this.#retryPeriodMs, signal);
      if (signal.aborted) return;
      const attemptAtMs = this.#clock.monotonicMs();
      const remainingMs = renewedAtMs + this.#renewDeadlineMs - attemptAtMs;
      if (remainingMs > 0 && (await this.#tryAcquireOrRenew(remainingMs))) renewedAtMs = attemptAtMs;
      else if (this.leader !== this.#options.identity) return;
      if (this.#clock.monotonicMs() - renewedAtMs >= this.#renewDeadlineMs) return;
    }
  }

  #startLeading(): void {
    const { identity, name, logger, onStartedLeading } = this.#options;
    logger.info({ identity, lease: name }, 'became leader');
    this.#leading = new AbortController();
    onStartedLeading(this.#leading.signal);
  }

  #stopLeading(): void {
    const { identity, name, logger, onStoppedLeading } = this.#options;
    logger.info({ identity, lease: name }, 'stopped leading');
    this.#leading?.abort();
    this.#leading = undefined;
    onStoppedLeading?.();
  }

  /** One attempt. @returns whether the lease is ours now */
  async #tryAcquireOrRenew(timeoutMs = this.#renewDeadlineMs): Promise<boolean> {
    const { name, logger } = this.#options;
    try {
      return await this.#attempt(timeoutMs);
    } catch (error) {
      if (isKubeError(error, 'kube/conflict') || isKubeError(error, 'kube/already-exists')) {
        logger.debug({ lease: name }, 'another candidate was faster');
      } else {
        logger.warn({ lease: name, error: errorMessage(error) }, 'lease not reachable');
      }
      return false;
    }
  }

  async #attempt(timeoutMs: number): Promise<boolean> {
    const { client, namespace, name, identity } = this.#options;
    const options = { timeoutMs };
    const current = await this.#read(timeoutMs);
    if (current === undefined) {
      const lease: Lease = { metadata: { namespace, name }, spec: this.#record(undefined) };
      this.#observe(await client.create<Lease>(LEASES, lease, options));
      return true;
    }
    if (current.metadata.resourceVersion !== this.#observed?.metadata.resourceVersion) this.#observe(current);
    const holder = current.spec?.holderIdentity ?? '';
    const heldByOther = holder !== '' && holder !== identity;
    if (heldByOther && this.#clock.monotonicMs() < this.#observedAtMs + this.#durationOf(current)) return false;
    this.#observe(await client.update<Lease>(LEASES, { ...current, spec: this.#record(current) }, options));
    return true;
  }

  async #read(timeoutMs: number): Promise<Lease | undefined> {
    const { client, namespace, name } = this.#options;
    try {
      return await client.get<Lease>(LEASES, { namespace, name }, { timeoutMs });
    } catch (error) {
      if (isKubeError(error, 'kube/not-found')) return undefined;
      throw error;
    }
  }

  /** Our own duration holds for others as it does in client-go; a lease that was released says one second. */
  #durationOf(lease: Lease): number {
    return Math.min(this.#leaseDurationMs, (lease.spec?.leaseDurationSeconds ?? Infinity) * 1000);
  }

  #record(current: Lease | undefined): NonNullable<Lease['spec']> {
    const { identity } = this.#options;
    const now = microTime(this.#clock.now());
    const before = current?.spec;
    const renewing = before?.holderIdentity === identity;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#leaseDurationMs / 1000),
      acquireTime: renewing ? (before.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (before?.leaseTransitions ?? 0) + (current === undefined || renewing ? 0 : 1),
    };
  }

  #observe(lease: Lease): void {
    this.#observed = lease;
    this.#observedAtMs = this.#clock.monotonicMs();
  }

  async #release(): Promise<void> {
    const { client, identity, name, logger } = this.#options;
    const lease = this.#observed;
    if (lease?.spec?.holderIdentity !== identity) return;
    const now = microTime(this.#clock.now());
    const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, acquireTime: now, renewTime: now };
    try {
      this.#observe(await client.update<Lease>(LEASES, { ...lease, spec }, { timeoutMs: this.#retryPeriodMs }));
    } catch (error) {
      logger.warn({ lease: name, error: errorMessage(error) }, 'lease not released');
    }
  }
}

/** `meta/v1` MicroTime. */
function microTime(timestampMs: number): string {
  return new Date(timestampMs).toISOString().replace('Z', '000Z');
}
