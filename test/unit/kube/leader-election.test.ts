import assert from 'node:assert/strict';
import type { Clock, Timer } from '../../../lib/env/index.ts';
import { createLogger } from '../../../lib/env/index.ts';
import { KubeApiError, LeaderElector, type KubeClient, type Lease } from '../../../lib/kube/index.ts';
import { PromletError } from '../../../lib/model/index.ts';

/** Time passes only when a test says so. */
class ManualClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ atMs: number; run: () => void }>();
  now = (): number => 1_700_000_000_000 + this.#nowMs;
  monotonicMs = (): number => this.#nowMs;
  setTimer(run: () => void, delayMs: number): Timer {
    const timer = { atMs: this.#nowMs + delayMs, run };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      await settle();
      const next = [...this.#timers].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#nowMs = next.atMs;
      next.run();
    }
    this.#nowMs = endMs;
    await settle();
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** One Lease with the API server's optimistic locking. */
class LeaseStore {
  lease: Lease | undefined;
  reachable = true;
  #version = 0;

  readonly client = {
    get: () => this.#answer(() => this.lease ?? this.#refuse(404, 'NotFound')),
    create: (_: unknown, lease: Lease) =>
      this.#answer(() => (this.lease === undefined ? this.#write(lease) : this.#refuse(409, 'AlreadyExists'))),
    update: (_: unknown, lease: Lease) =>
      this.#answer(() =>
        lease.metadata.resourceVersion === this.lease?.metadata.resourceVersion
          ? this.#write(lease)
          : this.#refuse(409, 'Conflict'),
      ),
  } as unknown as KubeClient;

  #write(lease: Lease): Lease {
    this.lease = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(++this.#version) } };
    return this.lease;
  }

  #refuse(status: number, reason: string): never {
    throw new KubeApiError('lease', status, { reason });
  }

  async #answer(act: () => Lease): Promise<Lease> {
    if (!this.reachable) throw new PromletError('kube/unreachable', 'no route');
    return act();
  }
}

describe('leader election', () => {
  let clock: ManualClock;
  let store: LeaseStore;
  let log: string[];

  const elector = (identity: string): LeaderElector =>
    new LeaderElector({
      client: store.client,
      namespace: 'promlet',
      name: 'operator',
      identity,
      clock,
      logger: createLogger('silent'),
      onStartedLeading: () => log.push(`${identity} leads`),
      onStoppedLeading: () => log.push(`${identity} stops`),
    });

  beforeEach(() => {
    clock = new ManualClock();
    store = new LeaseStore();
    log = [];
  });

  it('lets one of two candidates lead, and writes the Lease as client-go does', async () => {
    const [a, b] = [elector('a'), elector('b')];
    a.start();
    b.start();
    await clock.advance(60_000);
    assert.equal(Number(a.isLeader) + Number(b.isLeader), 1);
    assert.deepEqual(log, ['a leads']);
    assert.equal(b.leader, 'a');
    const { spec } = store.lease!;
    assert.equal(spec?.leaseDurationSeconds, 15);
    assert.match(spec?.renewTime ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.equal(spec?.acquireTime, '2023-11-14T22:13:20.000000Z');
    assert.equal(spec?.leaseTransitions, 0);
    const stopping = [a.stop(), b.stop()];
    await clock.advance(5_000);
    await Promise.all(stopping);
  });

  it('hands over at once when the leader stops', async () => {
    const [a, b] = [elector('a'), elector('b')];
    a.start();
    await clock.advance(1_000);
    b.start();
    await clock.advance(1_000);
    await a.stop();
    await clock.advance(2_000);
    assert.deepEqual(log, ['a leads', 'a stops', 'b leads']);
    assert.equal(store.lease?.spec?.leaseTransitions, 1);
    await b.stop();
    assert.equal(store.lease?.spec?.holderIdentity, '');
  });

  it('takes over from a silent leader after the lease duration, not before', async () => {
    store.lease = {
      metadata: { namespace: 'promlet', name: 'operator', resourceVersion: 'x' },
      spec: { holderIdentity: 'dead', leaseDurationSeconds: 15, renewTime: '2099-01-01T00:00:00.000000Z' },
    };
    const a = elector('a');
    a.start();
    await clock.advance(14_900);
    assert.deepEqual(log, []);
    await clock.advance(2_000);
    assert.deepEqual(log, ['a leads']);
    await a.stop();
  });

  it('steps down when it cannot renew within the deadline', async () => {
    const a = elector('a');
    a.start();
    await clock.advance(1_000);
    store.reachable = false;
    await clock.advance(8_500);
    assert.equal(a.isLeader, true);
    await clock.advance(3_000);
    assert.equal(a.isLeader, false, 'before others may take over at 15 s');
    store.reachable = true;
    await clock.advance(2_000);
    assert.deepEqual(log, ['a leads', 'a stops', 'a leads']);
    await a.stop();
  });

  it('steps down when another holder is in the Lease', async () => {
    const a = elector('a');
    a.start();
    await clock.advance(1_000);
    store.lease = {
      metadata: { ...store.lease!.metadata, resourceVersion: 'forced' },
      spec: { ...store.lease!.spec, holderIdentity: 'b' },
    };
    await clock.advance(2_000);
    assert.deepEqual(log, ['a leads', 'a stops']);
    await a.stop();
  });
});
