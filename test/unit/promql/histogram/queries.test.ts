import assert from 'node:assert/strict';
import { type FloatHistogram, Labels } from '../../../../lib/model/index.ts';
import { statisticsSelectors } from '../../../../lib/promql/eval/histogram-statistics.ts';
import { HistogramMean } from '../../../../lib/promql/histogram/histogram-mean.ts';
import { Engine, parseExpr, type VectorSample } from '../../../../lib/promql/index.ts';
import { MemoryStorage } from '../../../conformance/promqltest/memory-storage.ts';

const STEP_MS = 15_000;

/** Of schema 0, `counts` in the buckets (0.5, 1], (1, 2], … */
function histogram(counts: readonly number[], fields: Partial<FloatHistogram> = {}): FloatHistogram {
  return {
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count: counts.reduce((sum, count) => sum + count, 0),
    sum: counts.reduce((sum, count, i) => sum + count * 2 ** i, 0),
    positiveSpans: [{ offset: 0, length: counts.length }],
    negativeSpans: [],
    positiveBuckets: Float64Array.from(counts),
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
    ...fields,
  };
}

const CUSTOM = { schema: -53, zeroThreshold: 0, customValues: Float64Array.of(1, 2) };

/** Samples 15 s apart from time 0 on. */
function storageOf(series: Readonly<Record<string, readonly (number | FloatHistogram | undefined)[]>>): MemoryStorage {
  const storage = new MemoryStorage();
  for (const [id, values] of Object.entries(series)) {
    const [name = '', i = ''] = id.split(' ');
    for (const [step, value] of values.entries()) {
      if (value === undefined) continue;
      const labels = Labels.of({ __name__: name, i });
      if (typeof value === 'number') storage.add(labels, step * STEP_MS, value);
      else storage.add(labels, step * STEP_MS, NaN, value);
    }
  }
  return storage;
}

interface Answer {
  readonly samples: readonly VectorSample[];
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

async function ask(storage: MemoryStorage, query: string, step: number): Promise<Answer> {
  const { value, annotations } = await new Engine().instant(storage, query, step * STEP_MS);
  assert.ok(value.type === 'vector');
  return { samples: value.samples, warnings: annotations.warnings, infos: annotations.infos };
}

describe('promql: queries over native histograms', () => {
  it('take the mean of sums that overflow', () => {
    const large = histogram([1, 1], { sum: 1.5e308 });
    const mean = new HistogramMean(large);
    for (let i = 0; i < 9; i++) assert.ok(mean.add(large));
    const { sum, count, positiveBuckets } = mean.result();
    assert.ok(Math.abs(sum / 1.5e308 - 1) < 1e-15);
    assert.deepEqual([count, ...positiveBuckets], [2, 1, 1]);
  });

  it('rate the windows that hold floats only or histograms only, and warn of the others once', async () => {
    const counts = (n: number): FloatHistogram => histogram([n, 2 * n]);
    const storage = storageOf({ h: [1, 2, 3, 4, counts(0), counts(1), counts(2), counts(3)] });
    const query = 'increase(h[46s])';
    const { value, annotations } = await new Engine().range(storage, query, 0, 7 * STEP_MS, STEP_MS);
    assert.ok(value.type === 'matrix');
    const [series] = value.series;
    assert.deepEqual(
      [...series!.timestamps],
      [1, 2, 3, 7].map((step) => step * STEP_MS),
    );
    assert.deepEqual(Object.keys(series!.histograms!), ['3']);
    assert.ok(
      Math.abs(series!.histograms![3]!.positiveBuckets[1]! / series!.histograms![3]!.positiveBuckets[0]! - 2) < 1e-9,
    );
    assert.deepEqual(annotations.warnings, [
      'PromQL warning: encountered a mix of histograms and floats for metric name "h" (1:10)',
    ]);
    assert.match(annotations.infos.join(), /metric might not be a counter/);
  });

  it('say of a step only what its last pair gives occasion to', async () => {
    const storage = storageOf({
      'a 1': [1],
      'a 2': [histogram([1])],
      'a 3': [histogram([1])],
      'b 1': [histogram([1])],
      'b 2': [2],
      'b 3': [histogram([1], CUSTOM)],
    });
    const { samples, warnings, infos } = await ask(storage, 'a + on (i) b', 0);
    assert.deepEqual(
      [samples.length, warnings, infos],
      [0, ['PromQL warning: incompatible bucket layout encountered for binary operator + (1:1)'], []],
    );
    const two = await ask(storage, 'a{i!="3"} + on (i) b', 0);
    assert.deepEqual(two.infos, [
      'PromQL info: incompatible sample types encountered for binary operator "+": histogram + float (1:1)',
    ]);
  });

  it('forget in subqueries what samples say of those before them', async () => {
    const storage = storageOf({ h: [1, 2, 5, 1, 3, 4].map((n) => histogram([n])) });
    const last = await ask(storage, 'h', 4);
    assert.equal(last.samples[0]?.histogram?.counterResetHint, 'not_reset');
    // Every second sample is skipped, among them the one behind the reset.
    const { samples } = await ask(storage, 'resets(h[75s:30s])', 4);
    assert.deepEqual(
      samples.map(({ value }) => value),
      [1],
    );
  });

  it('join a float and a histogram of equal labels from step to step', async () => {
    const storage = storageOf({ 'a 1': [histogram([1]), undefined], 'a 2': [undefined, 7] });
    const query = 'label_replace(last_over_time(a[10s]), "i", "x", "i", ".*")';
    const { value } = await new Engine().range(storage, query, 0, STEP_MS, STEP_MS);
    assert.ok(value.type === 'matrix');
    assert.equal(value.series.length, 1);
    const [series] = value.series;
    assert.deepEqual([series!.histograms?.[0]?.count, series!.histograms?.[1], series!.values[1]], [1, undefined, 7]);
  });

  it('read counts and sums alone where nothing else is asked of a selector', () => {
    const namesIn = (query: string): string[] => [...statisticsSelectors(parseExpr(query))].map(({ name }) => name);
    assert.deepEqual(namesIn('histogram_count(rate(a[5m])) + b'), ['a']);
    assert.deepEqual(namesIn('histogram_sum(sum(a) + avg_over_time(b[5m]))'), ['a', 'b']);
    assert.deepEqual(namesIn('histogram_quantile(0.5, a) + histogram_avg(b)'), ['b']);
    for (const query of [
      'histogram_count(a </ 2)',
      'max_over_time(histogram_count(a)[5m:1m])',
      'histogram_stddev(a)',
    ]) {
      assert.deepEqual(namesIn(query), [], query);
    }
  });

  it('find resets of counts whose buckets are not read further', async () => {
    const storage = storageOf({ h: [histogram([5, 0]), histogram([4, 2]), histogram([5, 2])] });
    const { warnings, samples } = await ask(storage, 'histogram_count(sum_over_time(h[46s]))', 2);
    assert.deepEqual(
      samples.map(({ value }) => value),
      [18],
    );
    assert.deepEqual(warnings, ['PromQL warning: conflicting counter resets during histogram aggregation (1:31)']);
  });

  it('count for as many samples as Prometheus says, in the budget of a query', async () => {
    const storage = new MemoryStorage();
    const one = histogram([1, 2, 3]);
    // 168 bytes, a span and three buckets of 8 bytes each, and the time; 16 bytes a sample.
    const weight = Math.floor((168 + 8 * (one.positiveSpans.length + 3) + 8) / 16);
    for (const i of ['0', '1']) storage.add(Labels.of({ __name__: 'h', i }), 0, NaN, one);
    const ask = (maxSamples: number, query: string) => new Engine({ maxSamples }).instant(storage, query, 0);
    for (const query of ['h', 'last_over_time(h[1m])']) {
      await ask(2 * weight, query);
      await assert.rejects(ask(2 * weight - 1, query), { code: 'promql/too-many-samples' });
    }
  });
});
