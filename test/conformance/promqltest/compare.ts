import { type FloatHistogram, isStaleNaN, Labels } from '../../../lib/model/index.ts';
import type { QueryValue } from '../../../lib/promql/index.ts';
import { bucketCounts, type DescribedHistogram } from './described-histogram.ts';
import type { EvalCommand } from './script.ts';
import { parseSeriesDescription, type SequenceValue, toNumber } from './series-description.ts';

/** The answer is not the expected one. */
export class Mismatch extends Error {}

/** Where the values of an expected series stand. */
export interface Times {
  readonly startMs: number;
  readonly endMs: number;
  /** Above 0. */
  readonly stepMs: number;
}

const RELATIVE_TOLERANCE = 1e-6;
const MIN_NORMAL = 2.2250738585072014e-308;

/** @throws Mismatch when the answer is not what the command expects */
export function compare(command: EvalCommand, value: QueryValue, times: Times, isOrdered: boolean): void {
  const scalar = expectedScalar(command);
  if (value.type === 'string') {
    if (value.value !== (command.expectedString ?? '')) throw new Mismatch(`got the string ${value.value}`);
    return;
  }
  if (value.type === 'scalar') {
    if (scalar === undefined) throw new Mismatch(`got the scalar ${value.value}`);
    if (!isAlmostEqual(scalar, value.value)) throw new Mismatch(`expected ${scalar}, got ${value.value}`);
    return;
  }
  if (scalar !== undefined) throw new Mismatch(`expected a scalar, got a ${value.type}`);
  if (value.type === 'matrix') {
    if (isOrdered) throw new Mismatch('a matrix has no order of its own');
    const series = value.series.map(({ labels, timestamps, values, histograms }) => {
      const points = Array.from(timestamps, (ms, i) => [ms, histograms?.[i] ?? values[i]!] as const);
      return { labels, points: new Map(points) };
    });
    for (let i = 1; i < series.length; i++) {
      if (series[i - 1]!.labels.compare(series[i]!.labels) > 0) throw new Mismatch('series are not sorted by labels');
    }
    compareSeries(command, series, times, false);
    return;
  }
  const series = value.samples.map(({ labels, value: sample, histogram }) => {
    return { labels, points: new Map([[times.startMs, histogram ?? sample]]) };
  });
  compareSeries(command, series, times, isOrdered);
}

/** A result that is a number and nothing else. */
function expectedScalar({ results }: EvalCommand): number | undefined {
  const [first] = results;
  if (first === undefined || !/^[+-]?(?:[\d.]|inf$|nan$)/i.test(first)) return undefined;
  return toNumber(first);
}

interface Found {
  readonly labels: Labels;
  readonly points: ReadonlyMap<number, number | FloatHistogram>;
}

function compareSeries(command: EvalCommand, found: readonly Found[], times: Times, isOrdered: boolean): void {
  const expected = command.results.map(parseSeriesDescription);
  const names = expected.map(({ labels }) => labels.toString());
  for (const [i, { labels, points }] of found.entries()) {
    const position = names.lastIndexOf(labels.toString());
    if (position < 0) throw new Mismatch(`unexpected series ${labels.toString()}: ${[...points.values()].map(show).join(' ')}`);
    if (isOrdered && position !== i) throw new Mismatch(`${labels.toString()} is at position ${i}, not ${position}`);
    comparePoints(labels.toString(), expected[position]!.values, points, times);
  }
  for (const name of names) {
    if (!found.some(({ labels }) => labels.toString() === name)) throw new Mismatch(`missing series ${name}`);
  }
}

function comparePoints(name: string, expected: readonly SequenceValue[], points: Found['points'], times: Times): void {
  let count = 0;
  for (const [i, value] of expected.entries()) {
    const timeMs = times.startMs + i * times.stepMs;
    if (timeMs > times.endMs) throw new Mismatch(`${name}: ${expected.length} values are more than there are steps`);
    if (value === undefined) continue;
    count++;
    const point = points.get(timeMs);
    if (point === undefined) throw new Mismatch(`${name} has no sample at ${timeMs}`);
    if (!isSameValue(value, point)) {
      throw new Mismatch(`${name}: expected ${show(value)} at ${timeMs}, got ${show(point)}`);
    }
  }
  if (points.size !== count) throw new Mismatch(`${name}: expected ${count} samples, got ${points.size}`);
}

function isSameValue(expected: number | DescribedHistogram, found: number | FloatHistogram): boolean {
  if (typeof expected === 'number') return typeof found === 'number' && isAlmostEqual(expected, found);
  return typeof found !== 'number' && isSameHistogram(expected, found);
}

function isSameHistogram(expected: DescribedHistogram, found: FloatHistogram): boolean {
  return (
    expected.schema === found.schema &&
    isAlmostEqual(expected.count, found.count) &&
    isAlmostEqual(expected.sum, found.sum) &&
    expected.customValues.join() === found.customValues.join() &&
    expected.zeroThreshold === found.zeroThreshold &&
    isAlmostEqual(expected.zeroCount, found.zeroCount) &&
    hasSameBuckets(expected, found, 'positive') &&
    hasSameBuckets(expected, found, 'negative') &&
    (!expected.isHintGiven || expected.counterResetHint === found.counterResetHint)
  );
}

function hasSameBuckets(a: FloatHistogram, b: FloatHistogram, side: 'positive' | 'negative'): boolean {
  const expected = bucketCounts(a[`${side}Spans`], a[`${side}Buckets`]);
  const found = bucketCounts(b[`${side}Spans`], b[`${side}Buckets`]);
  if (expected.size !== found.size) return false;
  return [...expected].every(([index, count]) => found.has(index) && isAlmostEqual(count, found.get(index)!));
}

function isAlmostEqual(a: number, b: number): boolean {
  if (isStaleNaN(a) || isStaleNaN(b)) return isStaleNaN(a) && isStaleNaN(b);
  if (a === b || (a !== a && b !== b)) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < MIN_NORMAL) return difference < RELATIVE_TOLERANCE * MIN_NORMAL;
  return difference / Math.min(sum, Number.MAX_VALUE) < RELATIVE_TOLERANCE;
}

function show(value: number | FloatHistogram): string {
  if (typeof value === 'number') return String(value);
  const { schema, count, sum, counterResetHint, zeroCount, zeroThreshold } = value;
  const numbers = (values: Float64Array): string => `[${values.join(' ')}]`;
  const spans = (list: FloatHistogram['positiveSpans']): string =>
    list.map(({ offset, length }) => `${offset}x${length}`).join(',');
  const shown = [
    `schema:${schema} count:${count} sum:${sum} hint:${counterResetHint} z:${zeroCount}(${zeroThreshold})`,
    `${numbers(value.positiveBuckets)}@${spans(value.positiveSpans)}`,
    `${numbers(value.negativeBuckets)}@${spans(value.negativeSpans)}`,
    numbers(value.customValues),
  ];
  return `{{${shown.join(' ')}}}`;
}
