import assert from 'node:assert/strict';
import { type Clock, createLogger } from '../../../../lib/env/index.ts';
import { Controller, type ControllerOptions } from '../../../../operator/app/controller.ts';
import { OperatorMetrics } from '../../../../operator/app/metrics.ts';
import type { Resolved } from '../../../../operator/app/resolver.ts';

/** A clock whose timers run when `advance` says so. */
class ManualClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ atMs: number; callback: () => void }>();

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  setTimer(callback: () => void, delayMs: number) {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const next = [...this.#timers].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#nowMs = next.atMs;
      next.callback();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#nowMs = endMs;
  }
}

describe('the controller', () => {
  let clock: ManualClock;
  let published: string[];
  let cleared: number;
  let failures: number;
  let isLeader: boolean;
  let isComplete: boolean;
  let controller: Controller;

  beforeEach(() => {
    clock = new ManualClock();
    published = [];
    cleared = 0;
    failures = 0;
    isLeader = true;
    isComplete = true;
    const options: ControllerOptions = {
      watch: {
        get isComplete() {
          return isComplete;
        },
        monitors: () => [],
      },
      resolver: { resolve: async (): Promise<Resolved[]> => [] },
      credentials: { clear: () => void cleared++ },
      renderer: { join: async () => 'yaml' },
      publisher: {
        publish: async (yaml) => {
          if (failures-- > 0) throw new Error('away');
          return published.push(yaml) > 0;
        },
      },
      status: { write: async () => undefined },
      isLeader: () => isLeader,
      metrics: new OperatorMetrics(),
      logger: createLogger('silent'),
      clock,
    };
    controller = new Controller(options);
  });

  afterEach(() => controller.stop());

  it('handles changes that come together once, within 100 ms', async () => {
    for (let i = 0; i < 10; i++) controller.trigger();
    await clock.advance(100);
    assert.equal(published.length, 1);
    controller.trigger();
    await clock.advance(100);
    assert.equal(published.length, 2);
  });

  it('tries again after a failure, less and less often', async () => {
    failures = 3;
    controller.trigger();
    await clock.advance(50 + 500 + 1000);
    assert.equal(published.length, 0);
    await clock.advance(2000);
    assert.equal(published.length, 1);
  });

  it('reads Secrets again every minute', async () => {
    controller.trigger();
    await clock.advance(50);
    assert.equal(cleared, 0);
    await clock.advance(60_100);
    assert.equal(cleared, 1);
    assert.equal(published.length, 2);
  });

  it('writes nothing as a follower', async () => {
    isLeader = false;
    controller.trigger();
    await clock.advance(100);
    assert.deepEqual(published, []);
  });

  it('writes nothing before all monitors are known', async () => {
    isComplete = false;
    controller.trigger();
    await clock.advance(100);
    assert.deepEqual(published, []);
  });
});
