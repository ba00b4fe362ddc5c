import assert from 'node:assert/strict';
import type { Clock } from '../../../lib/env/index.ts';
import { systemClock } from '../../../lib/env/index.ts';
import { Labels, STALE_NAN } from '../../../lib/model/index.ts';
import { Engine } from '../../../lib/promql/index.ts';
import { MemoryStorage } from '../../conformance/promqltest/memory-storage.ts';

function storageWith(seriesCount: number, sampleCount: number): MemoryStorage {
  const storage = new MemoryStorage();
  for (let i = 0; i < seriesCount; i++) {
    const labels = Labels.of({ __name__: 'requests_total', instance: `i${i}` });
    for (let s = 0; s < sampleCount; s++) storage.add(labels, s * 15_000, s * (i + 1));
  }
  return storage;
}

describe('The PromQL engine', function () {
  this.timeout(600_000);
  it('answers an instant query with labels, time and value', async () => {
    const { value } = await new Engine().instant(storageWith(1, 10), 'requests_total', 60_000);
    assert.deepEqual(value, {
      type: 'vector',
      samples: [{ labels: Labels.of({ __name__: 'requests_total', instance: 'i0' }), timestampMs: 60_000, value: 4 }],
    });
  });

  it('answers a range query with a matrix sorted by labels', async () => {
    const { value } = await new Engine().range(storageWith(12, 20), 'requests_total', 0, 45_000, 15_000);
    assert.ok(value.type === 'matrix');
    const instances = value.series.map(({ labels }) => labels.get('instance'));
    assert.deepEqual(instances, [...instances].sort());
    assert.deepEqual([...value.series[0]!.timestamps], [0, 15_000, 30_000, 45_000]);
    assert.deepEqual([...value.series[0]!.values], [0, 1, 2, 3]);
  });

  it('looks back less than the lookback delta, and not behind a stale marker', async () => {
    const storage = new MemoryStorage();
    const a = Labels.of({ __name__: 'a' });
    storage.add(a, 0, 1);
    const engine = new Engine({ lookbackDeltaMs: 60_000 });
    const countAt = async (timeMs: number): Promise<number> => {
      const { value } = await engine.instant(storage, 'a', timeMs);
      return value.type === 'vector' ? value.samples.length : -1;
    };
    assert.equal(await countAt(59_999), 1);
    assert.equal(await countAt(60_000), 0);
    storage.add(a, 30_000, STALE_NAN);
    assert.equal(await countAt(29_999), 1);
    assert.equal(await countAt(30_000), 0);
  });

  it('sums windows that slide as it sums them from scratch', async () => {
    const storage = new MemoryStorage();
    const labels = Labels.of({ __name__: 'v' });
    let state = 1;
    for (let i = 0; i < 400; i++) {
      state = (state * 48_271) % 2_147_483_647;
      storage.add(labels, i * 1_000, (state / 1e9) ** (i % 7));
    }
    const engine = new Engine();
    for (const name of ['sum', 'avg', 'min', 'max', 'stddev', 'count', 'last']) {
      const query = `${name}_over_time(v[60s])`;
      const { value } = await engine.range(storage, query, 100_000, 390_000, 1_000);
      assert.ok(value.type === 'matrix');
      const { timestamps, values } = value.series[0]!;
      for (let i = 0; i < timestamps.length; i += 17) {
        const alone = await engine.instant(storage, query, timestamps[i]!);
        assert.ok(alone.value.type === 'vector');
        const expected = alone.value.samples[0]!.value;
        assert.ok(Math.abs(values[i]! - expected) <= 1e-13 * Math.abs(expected), `${query} at ${timestamps[i]}`);
      }
    }
  });

  it('stops at the sample budget', async () => {
    const engine = new Engine({ maxSamples: 100 });
    const error = {
      code: 'promql/too-many-samples',
      message: 'query processing would load too many samples into memory in query execution',
    };
    await assert.rejects(engine.range(storageWith(10, 20), 'requests_total', 0, 300_000, 15_000), error);
    await assert.rejects(engine.range(storageWith(1, 2), '1', 0, 365 * 86_400_000, 1), error);
  });

  it('stops at the deadline', async () => {
    let nowMs = 0;
    const clock: Clock = { ...systemClock, monotonicMs: () => (nowMs += 20) };
    const storage = storageWith(100, 200);
    const slow = new Engine({ clock, timeoutMs: 50 });
    const query = 'quantile_over_time(0.5, requests_total[30m])';
    await assert.rejects(slow.range(storage, query, 0, 3_000_000, 15_000), {
      code: 'promql/timeout',
      message: 'query timed out in expression evaluation',
    });
  });

  it('stops in between when it is canceled', async () => {
    const storage = storageWith(300, 300);
    const query = 'quantile_over_time(0.5, requests_total[30m])';
    /** @returns how often the engine looked at the clock; whenever it does, its turn is over */
    const looksOf = async (cancelAt: number): Promise<number> => {
      const controller = new AbortController();
      let looks = 0;
      const monotonicMs = (): number => {
        if (++looks === cancelAt) controller.abort();
        return looks * 20;
      };
      const engine = new Engine({ clock: { ...systemClock, monotonicMs }, timeoutMs: Infinity });
      const running = engine.range(storage, query, 0, 4_500_000, 1_000, { signal: controller.signal });
      if (cancelAt === Infinity) await running;
      else {
        await assert.rejects(running, {
          code: 'promql/canceled',
          message: 'query was canceled in expression evaluation',
        });
      }
      return looks;
    };
    const whole = await looksOf(Infinity);
    assert.ok(whole > 40, `${whole} looks`);
    for (const cancelAt of [10, Math.floor(whole / 2)]) {
      const looks = await looksOf(cancelAt);
      assert.ok(looks < cancelAt + 10, `went on from ${cancelAt} to ${looks}`);
    }
  });

  it('stops at the deadline between two series whose labels are set', async () => {
    for (const call of [
      'label_replace(requests_total, "x", "$1", "job", "(.*)")',
      'label_join(requests_total, "x", "")',
    ]) {
      let nowMs = 0;
      const clock: Clock = { ...systemClock, monotonicMs: () => nowMs++ };
      const slow = new Engine({ clock, timeoutMs: 50 });
      await assert.rejects(slow.instant(storageWith(100, 2), call, 15_000), { code: 'promql/timeout' });
    }
  });

  it('evaluates the deepest expression it parses', async () => {
    const storage = storageWith(1, 2);
    const nested = `${'('.repeat(500)}requests_total${')'.repeat(500)}`;
    const chain = `requests_total${' + requests_total'.repeat(500)}`;
    const engine = new Engine();
    for (const query of [nested, chain]) {
      const { value } = await engine.instant(storage, query, 15_000);
      assert.ok(value.type === 'vector' && value.samples.length === 1);
    }
  });

  it('refuses ambiguous matches in the words of Prometheus', async () => {
    await assert.rejects(new Engine().instant(storageWith(2, 2), 'requests_total * on() requests_total', 15_000), {
      code: 'promql/execution',
      message:
        'found duplicate series for the match group {} on the right hand-side of the operation: ' +
        '[{__name__="requests_total", instance="i0"}, {__name__="requests_total", instance="i1"}]' +
        ';many-to-many matching not allowed: matching labels must be unique on one side',
    });
  });

  it('drops names at once by default, and later with delayed name removal', async () => {
    const storage = storageWith(2, 10);
    const query = 'sum by (__name__) (rate(requests_total[1m]))';
    const namesOf = async (engine: Engine): Promise<string[]> => {
      const { value } = await engine.instant(storage, query, 100_000);
      return value.type === 'vector' ? value.samples.map(({ labels }) => labels.get('__name__')) : [];
    };
    assert.deepEqual(await namesOf(new Engine()), ['']);
    assert.deepEqual(await namesOf(new Engine({ features: { delayedNameRemoval: true } })), ['']);
    const kept = 'label_replace(rate(requests_total[1m]), "name", "$1", "__name__", "(.+)")';
    const { value } = await new Engine({ features: { delayedNameRemoval: true } }).instant(storage, kept, 100_000);
    assert.ok(value.type === 'vector');
    assert.equal(value.samples[0]!.labels.get('name'), 'requests_total');
  });
});
