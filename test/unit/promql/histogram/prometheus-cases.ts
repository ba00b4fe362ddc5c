import { readFileSync } from 'node:fs';
import type { FloatHistogram } from '../../../../lib/model/index.ts';

/** A histogram as the cases write it: numbers as text, for the sake of NaN and infinities; spans as [offset, length]. */
interface WrittenHistogram {
  readonly hint: FloatHistogram['counterResetHint'];
  readonly schema: number;
  readonly zt: string;
  readonly zc: string;
  readonly c: string;
  readonly sum: string;
  readonly ps: readonly (readonly [number, number])[];
  readonly pb: readonly string[];
  readonly ns: readonly (readonly [number, number])[];
  readonly nb: readonly string[];
  readonly cv: readonly string[];
}

interface WrittenSum {
  readonly h: WrittenHistogram;
  readonly conflict: boolean;
  readonly reconciled: boolean;
}

/**
 * What Prometheus 3.15 (model/histogram, promql.HistogramQuantile and HistogramFraction) answers for two random histograms;
 * written by a Go program that called them, from a fixed seed.
 */
export interface Case {
  readonly a: WrittenHistogram;
  readonly b: WrittenHistogram;
  /** null: exponential and custom buckets. */
  readonly sum: WrittenSum | null;
  readonly difference: WrittenSum | null;
  /** A later sample of `a`, most often. */
  readonly grown: WrittenHistogram;
  readonly reset: boolean;
  readonly resetOther: boolean;
  readonly equal: boolean;
  readonly compactEqual: boolean;
  readonly value: string;
  readonly below: WrittenHistogram;
  readonly above: WrittenHistogram;
  readonly text: string;
  /** At QUANTILES: `value|infos`. */
  readonly quantiles: readonly string[];
  readonly fractions: readonly string[];
  readonly mul: WrittenHistogram;
  readonly div: WrittenHistogram;
  /** Added to `a` with compensation. */
  readonly parts?: readonly WrittenHistogram[];
  readonly total?: WrittenHistogram;
}

export const QUANTILES = [0, 0.1, 0.3, 0.5, 0.77, 0.95, 1];

/** Ranges of `fractions`; `value` is that of the case. */
export function fractionRanges(value: number): readonly (readonly [number, number])[] {
  return [
    [-Infinity, value],
    [value, Infinity],
    [-1, 1],
    [0, 3],
    [0.3, 4],
  ];
}

export const CASES: readonly Case[] = readFileSync(new URL('prometheus-cases.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Case);

export function goNumber(text: string): number {
  if (text === '+Inf') return Infinity;
  return text === '-Inf' ? -Infinity : Number(text);
}

export function read(written: WrittenHistogram): FloatHistogram {
  const numbers = (list: readonly string[]): Float64Array => Float64Array.from(list, goNumber);
  return {
    counterResetHint: written.hint,
    schema: written.schema,
    zeroThreshold: goNumber(written.zt),
    zeroCount: goNumber(written.zc),
    count: goNumber(written.c),
    sum: goNumber(written.sum),
    positiveSpans: written.ps.map(([offset, length]) => ({ offset, length })),
    positiveBuckets: numbers(written.pb),
    negativeSpans: written.ns.map(([offset, length]) => ({ offset, length })),
    negativeBuckets: numbers(written.nb),
    customValues: numbers(written.cv),
  };
}
