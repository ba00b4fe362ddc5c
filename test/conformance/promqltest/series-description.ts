import { Labels, LabelsBuilder, METRIC_NAME, STALE_NAN } from '../../../lib/model/index.ts';
import { parseExpr } from '../../../lib/promql/index.ts';
import { type DescribedHistogram, histogramSeries, parseHistogram } from './described-histogram.ts';

/** A value of a sequence: a float, a histogram, or undefined for "no sample" (`_`). */
export type SequenceValue = number | DescribedHistogram | undefined;

export interface SeriesDescription {
  readonly labels: Labels;
  readonly values: readonly SequenceValue[];
}

/** `metric{label="value"} 1 2+3x4 _x2 stale {{schema:0 …}}` @throws Error for what it cannot read */
export function parseSeriesDescription(line: string): SeriesDescription {
  const end = endOfMetric(line);
  return { labels: parseLabels(line.slice(0, end)), values: parseSequence(line.slice(end).trim()) };
}

function endOfMetric(line: string): number {
  const open = /^[a-zA-Z_:][\w:]*/.exec(line)?.[0].length ?? 0;
  if (line[open] !== '{' || line[open + 1] === '{') return open;
  let quoteChar = '';
  for (let i = open; i < line.length; i++) {
    const char = line[i]!;
    if (quoteChar !== '') {
      if (char === '\\' && quoteChar !== '`') i++;
      else if (char === quoteChar) quoteChar = '';
    } else if ('"\'`'.includes(char)) quoteChar = char;
    else if (char === '}') return i + 1;
  }
  throw new Error(`unclosed braces: ${line}`);
}

/** Borrows the parser of selectors; a matcher that cannot match nothing is added for the sake of `{}`. */
export function parseLabels(metric: string): Labels {
  const text = metric.trim();
  if (text === '' || text === '{}') return Labels.EMPTY;
  const expr = parseExpr(text.replace(/\{/, '{promqltest="x",').replace(/,\}$/, '}'));
  if (expr.kind !== 'vector') throw new Error(`not a metric: ${metric}`);
  const builder = new LabelsBuilder();
  for (const { name, value } of expr.matchers) if (name !== 'promqltest') builder.set(name, value);
  if (expr.name !== '') builder.set(METRIC_NAME, expr.name);
  return builder.labels();
}

const UNSIGNED = String.raw`(?:\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|inf|nan)`;
const FLOAT_ITEM = new RegExp(`^([+-]?${UNSIGNED})(?:([+-]${UNSIGNED})?x(\\d+))?$`, 'i');
const HISTOGRAM_ITEM = /^\{\{(.*?)\}\}(?:(?:([+-])\{\{(.*?)\}\})?x(\d+))?$/;
const ITEM = /\{\{.*?\}\}(?:[+-]\{\{.*?\}\})?\S*|\S+/g;

function parseSequence(text: string): SequenceValue[] {
  const out: SequenceValue[] = [];
  for (const item of text.match(ITEM) ?? []) {
    const blank = /^_(?:x(\d+))?$/.exec(item);
    const stale = /^stale(?:x(\d+))?$/.exec(item);
    const float = FLOAT_ITEM.exec(item);
    const histogram = HISTOGRAM_ITEM.exec(item);
    if (blank !== null) for (let i = 0; i < Number(blank[1] ?? 1); i++) out.push(undefined);
    else if (stale !== null) for (let i = 0; i <= Number(stale[1] ?? 0); i++) out.push(STALE_NAN);
    else if (float !== null) {
      let value = toNumber(float[1]!);
      const increment = float[2] === undefined ? 0 : toNumber(float[2]);
      for (let i = 0; i <= Number(float[3] ?? 0); i++) {
        out.push(value);
        value += increment;
      }
    } else if (histogram !== null) {
      const [, first, operator, second, times = '0'] = histogram;
      const base = parseHistogram(first!, toNumber);
      if (second === undefined) for (let i = 0; i <= Number(times); i++) out.push(base);
      else {
        out.push(...histogramSeries(base, parseHistogram(second, toNumber), operator === '+' ? 1 : -1, Number(times)));
      }
    } else throw new Error(`not a sequence item: ${item}`);
  }
  return out;
}

export function toNumber(text: string): number {
  const lower = text.toLowerCase().replace(/^\+/, '');
  if (lower === 'nan' || lower === '-nan') return NaN;
  if (lower === 'inf') return Infinity;
  return lower === '-inf' ? -Infinity : Number(lower);
}
