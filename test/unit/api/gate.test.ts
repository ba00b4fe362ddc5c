import assert from 'node:assert/strict';
import { QueryGate } from '../../../lib/api/gate.ts';
import type { Clock } from '../../../lib/env/index.ts';

/** A clock whose timers fire when told to. */
function manualClock() {
  let nowMs = 0;
  const timers = new Map<() => void, number>();
  const clock: Clock = {
    now: () => nowMs,
    monotonicMs: () => nowMs,
    setTimer(callback, delayMs) {
      timers.set(callback, nowMs + delayMs);
      return { cancel: () => timers.delete(callback) };
    },
  };
  const advance = (ms: number) => {
    nowMs += ms;
    for (const [callback, at] of timers) if (at <= nowMs && timers.delete(callback)) callback();
  };
  return { clock, advance, timers };
}

/** Lets everything that is ready run. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

const never = new AbortController().signal;

describe('api: the gate', () => {
  it('lets so many work at a time, the others in order, and says how long they waited and may work', async () => {
    const { clock, advance, timers } = manualClock();
    const gate = new QueryGate(2, clock);
    const log: string[] = [];
    const ends: (() => void)[] = [];
    const start = (name: string) =>
      gate.run(100, never, async (restMs, waitedMs) => {
        log.push(`${name} ${restMs} ${waitedMs}`);
        await new Promise<void>((resolve) => ends.push(resolve));
      });
    const all = ['a', 'b', 'c', 'd'].map(start);
    await settle();
    assert.deepEqual(log, ['a 100 0', 'b 100 0']);
    advance(30);
    ends[1]!();
    await settle();
    assert.deepEqual(log, ['a 100 0', 'b 100 0', 'c 70 30']);
    ends[0]!();
    await settle();
    assert.deepEqual(log.at(-1), 'd 70 30');
    ends[2]!();
    ends[3]!();
    await Promise.all(all);
    assert.equal(timers.size, 0);
    await gate.run(100, never, async () => log.push('e'));
    assert.equal(log.at(-1), 'e');
  });

  it('turns away who waited too long, and who left, without losing a place', async () => {
    const { clock, advance, timers } = manualClock();
    const gate = new QueryGate(1, clock);
    let end = () => {};
    const first = gate.run(1_000, never, () => new Promise<void>((resolve) => (end = resolve)));
    const late = gate.run(50, never, async () => assert.fail('ran'));
    const client = new AbortController();
    const gone = gate.run(500, client.signal, async () => assert.fail('ran'));
    const patient = gate.run(500, never, async () => 'done');
    advance(50);
    await assert.rejects(late, { errorType: 'timeout' });
    client.abort();
    await assert.rejects(gone, { errorType: 'canceled' });
    end();
    await first;
    assert.equal(await patient, 'done');
    assert.equal(timers.size, 0);
  });

  it('frees the place of work that fails', async () => {
    const { clock } = manualClock();
    const gate = new QueryGate(1, clock);
    await assert.rejects(
      gate.run(1, never, () => Promise.reject(new Error('broken'))),
      /broken/,
    );
    assert.equal(await gate.run(1, never, async () => 'next'), 'next');
  });
});
