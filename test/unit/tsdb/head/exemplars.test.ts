import assert from 'node:assert/strict';
import { seededRandom } from '../../../../lib/env/index.ts';
import { Labels, Matcher } from '../../../../lib/model/index.ts';
import { AppendResult, type Exemplar } from '../../../../lib/storage/index.ts';
import { ExemplarRing } from '../../../../lib/tsdb/head/exemplars.ts';

const ALL = [[new Matcher('=~', 's', '.+')]];
const labelsOf = (ref: number): Labels => Labels.of({ s: String(ref) });
const trace = (id: string): Labels => Labels.of({ trace_id: id });

function exemplar(timestampMs: number, value: number, id = 't', hasTimestamp?: boolean): Exemplar {
  return {
    labels: trace(id),
    value,
    timestampMs,
    ...(hasTimestamp === undefined ? {} : { hasTimestamp }),
  };
}

function ringOf(capacity: number, outOfOrderWindowMs = 0): ExemplarRing {
  return new ExemplarRing({ capacity, outOfOrderWindowMs, labelsOf });
}

/** `series: time=value@trace …` */
function show(ring: ExemplarRing, minMs = -Infinity, maxMs = Infinity, sets = ALL): string[] {
  return ring
    .exemplars(minMs, maxMs, sets)
    .map(
      ({ labels, exemplars }) =>
        `${labels.get('s')}: ${exemplars.map((e) => `${e.timestampMs}=${e.value}@${e.labels.get('trace_id')}`).join(' ')}`,
    );
}

describe('tsdb: the exemplar ring', function () {
  this.timeout(600_000);
  it('gives the exemplars of the series that one of the matcher sets selects, by labels and time', () => {
    const ring = ringOf(10);
    for (const ref of [3, 1, 2]) for (const time of [10, 20, 30]) ring.add(ref, exemplar(time, ref));
    const sets = [[new Matcher('=', 's', '3')], [new Matcher('=', 's', '1'), new Matcher('!=', 's', '2')]];
    assert.deepEqual(show(ring, 15, 30, sets), ['1: 20=1@t 30=1@t', '3: 20=3@t 30=3@t']);
    assert.deepEqual(show(ring, 31, 40), []);
    assert.deepEqual(show(ring, 10, 10), ['1: 10=1@t', '2: 10=2@t', '3: 10=3@t']);
  });

  const cases: { name: string; next: Exemplar; windowMs?: number; result: AppendResult }[] = [
    { name: 'the newest again', next: exemplar(100, 5), result: AppendResult.duplicate },
    { name: 'a larger value at the same time', next: exemplar(100, 6), result: AppendResult.ok },
    { name: 'a smaller value at the same time', next: exemplar(100, 4), result: AppendResult.outOfOrder },
    { name: 'later labels, same time and value', next: exemplar(100, 5, 'u'), result: AppendResult.ok },
    { name: 'earlier labels, same time and value', next: exemplar(100, 5, 's'), result: AppendResult.outOfOrder },
    { name: 'an older one', next: exemplar(99, 9), result: AppendResult.outOfOrder },
    { name: 'an older one within the window', next: exemplar(91, 9), windowMs: 10, result: AppendResult.ok },
    { name: 'one at the edge of the window', next: exemplar(90, 9), windowMs: 10, result: AppendResult.outOfOrder },
    { name: 'the same later', next: exemplar(101, 5), result: AppendResult.ok },
    { name: 'the same later, without a time of its own', next: exemplar(101, 5, 't', false), result: AppendResult.ok },
  ];
  for (const { name, next, windowMs, result } of cases) {
    it(`answers ${name} with ${Object.entries(AppendResult).find(([, value]) => value === result)![0]}`, () => {
      const ring = ringOf(10, windowMs);
      ring.add(1, exemplar(100, 5));
      assert.equal(ring.check(1, next), result);
      assert.equal(ring.add(1, next), result);
      assert.equal(ring.size, result === AppendResult.ok ? 2 : 1);
      assert.equal(ring.outOfOrder, result === AppendResult.outOfOrder ? 1 : 0);
    });
  }

  it('takes one that each page repeats without a time for a duplicate', () => {
    const ring = ringOf(10);
    ring.add(1, exemplar(100, 5, 't', false));
    assert.equal(ring.add(1, exemplar(115, 5, 't', false)), AppendResult.duplicate);
    assert.equal(ring.add(1, exemplar(115, 5, 't', true)), AppendResult.ok);
  });

  it('refuses label sets above 128 characters, counted as code points', () => {
    const ring = ringOf(10);
    const smileys = '\u{1f600}'.repeat(120);
    assert.equal(ring.add(1, exemplar(1, 1, smileys)), AppendResult.ok);
    assert.deepEqual(show(ring), [`1: 1=1@${smileys}`]);
    assert.throws(() => ring.add(1, exemplar(2, 1, `${smileys}x`)), {
      code: 'storage/exemplar-labels',
      message: 'label length for exemplar exceeds maximum of 128 UTF-8 characters',
    });
    assert.throws(() => ring.check(1, exemplar(2, 1, 'x'.repeat(1 << 20))), { code: 'storage/exemplar-labels' });
  });

  it('keeps nothing with a capacity of 0', () => {
    const ring = ringOf(0);
    assert.equal(ring.add(1, exemplar(1, 1)), AppendResult.ok);
    assert.deepEqual([ring.size, ring.appended, show(ring)], [0, 0, []]);
    ring.resize(2);
    ring.add(1, exemplar(1, 1));
    assert.deepEqual(show(ring), ['1: 1=1@t']);
    ring.resize(0);
    assert.deepEqual([ring.size, ring.numSeries, show(ring)], [0, 0, []]);
  });

  it('keeps the exemplars of a series that left, and gives them back to it under its new ref', () => {
    const refs = new Map([
      [7, 'a'],
      [8, 'a'],
      [9, 'b'],
    ]);
    const ring = new ExemplarRing({
      capacity: 3,
      outOfOrderWindowMs: 0,
      labelsOf: (ref) => {
        const name = refs.get(ref);
        assert.ok(name !== undefined, 'a ref that left is not asked for');
        return Labels.of({ s: name });
      },
    });
    ring.add(7, exemplar(10, 1));
    ring.add(7, exemplar(20, 1));
    ring.seriesLeaves(7);
    refs.delete(7);
    assert.deepEqual(show(ring), ['a: 10=1@t 20=1@t']);
    assert.equal(ring.check(8, exemplar(15, 1)), AppendResult.outOfOrder);
    ring.add(8, exemplar(30, 1));
    assert.deepEqual(show(ring), ['a: 10=1@t 20=1@t 30=1@t']);
    ring.seriesLeaves(8);
    refs.delete(8);
    for (const time of [1, 2, 3]) ring.add(9, exemplar(time, 1));
    assert.deepEqual(show(ring), ['b: 1=1@t 2=1@t 3=1@t']);
    assert.equal(ring.numSeries, 1);
  });

  it('holds what a plain list would, whatever comes, also when its size changes', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = seededRandom(seed);
      const pick = (n: number): number => Math.floor(random() * n);
      const windowMs = seed % 3 === 0 ? 0 : 30;
      let capacity = 1 + pick(12);
      const ring = ringOf(capacity, windowMs);
      /** In the order of arrival. */
      let model: { ref: number; time: number; value: number; stamp: number }[] = [];
      const ofSeries = (ref: number): typeof model =>
        model.filter((entry) => entry.ref === ref).sort((a, b) => a.time - b.time || a.stamp - b.stamp);
      for (let step = 0; step < 300; step++) {
        if (step % 60 === 59) {
          capacity = pick(14);
          ring.resize(capacity);
          model = capacity === 0 ? [] : model.slice(-capacity);
        }
        const ref = 1 + pick(3);
        const time = Math.floor(step / 4) + pick(40);
        const value = pick(3);
        ring.add(ref, exemplar(time, value));
        const list = ofSeries(ref);
        const newest = list.at(-1);
        if (capacity === 0) continue;
        if (newest !== undefined) {
          if (newest.time === time && value <= newest.value) continue;
          if (time < newest.time && time <= newest.time - windowMs) continue;
          if (time < newest.time && list.some((entry) => entry.time === time)) continue;
        }
        model.push({ ref, time, value, stamp: step });
        if (model.length > capacity) model.shift();
        assert.deepEqual(
          show(ring),
          [1, 2, 3]
            .map((s) => ({ s, entries: ofSeries(s) }))
            .filter(({ entries }) => entries.length > 0)
            .map(({ s, entries }) => `${s}: ${entries.map((e) => `${e.time}=${e.value}@t`).join(' ')}`),
          `seed ${seed}, step ${step}`,
        );
        assert.equal(ring.size, model.length);
        assert.equal(ring.oldestTimeMs, model[0]?.time);
      }
    }
  });
});
