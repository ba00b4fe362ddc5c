import { type FloatHistogram, Labels, LabelsBuilder, METRIC_NAME, STALE_NAN } from '../../../lib/model/index.ts';
import { parseExpr } from '../../../lib/promql/index.ts';

/** A value of a sequence: a float, a histogram, or undefined for "no sample" (`_`). */
export type SequenceValue = number | FloatHistogram | undefined;

export interface SeriesDescription {
  readonly labels: Labels;
  readonly values: readonly SequenceValue[];
}

/** The language of `load` and of expected results has something this reader does not know. */
export class UnsupportedDescription extends Error {}

/** `metric{label="value"} 1 2+3x4 _x2 stale {{schema:0 …}}` */
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
  throw new UnsupportedDescription(`unclosed braces: ${line}`);
}

/** Borrows the parser of selectors; a matcher that cannot match nothing is added for the sake of `{}`. */
function parseLabels(metric: string): Labels {
  const text = metric.trim();
  if (text === '' || text === '{}') return Labels.EMPTY;
  const expr = parseExpr(text.replace(/\{/, '{promqltest="x",').replace(/,\}$/, '}'));
  if (expr.kind !== 'vector') throw new UnsupportedDescription(`not a metric: ${metric}`);
  const builder = new LabelsBuilder();
  for (const { name, value } of expr.matchers) if (name !== 'promqltest') builder.set(name, value);
  if (expr.name !== '') builder.set(METRIC_NAME, expr.name);
  return builder.labels();
}

const UNSIGNED = String.raw`(?:\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|inf|nan)`;
const FLOAT_ITEM = new RegExp(`^([+-]?${UNSIGNED})(?:([+-]${UNSIGNED})?x(\\d+))?$`, 'i');

function parseSequence(text: string): SequenceValue[] {
  const out: SequenceValue[] = [];
  for (const item of text.match(/\{\{.*?\}\}\S*|\S+/g) ?? []) {
    if (item.startsWith('{{')) {
      out.push(...parseHistogramItem(item));
      continue;
    }
    const blank = /^_(?:x(\d+))?$/.exec(item);
    const stale = /^stale(?:x(\d+))?$/.exec(item);
    const float = FLOAT_ITEM.exec(item);
    if (blank !== null) for (let i = 0; i < Number(blank[1] ?? 1); i++) out.push(undefined);
    else if (stale !== null) for (let i = 0; i <= Number(stale[1] ?? 0); i++) out.push(STALE_NAN);
    else if (float !== null) {
      let value = toNumber(float[1]!);
      const increment = float[2] === undefined ? 0 : toNumber(float[2]);
      for (let i = 0; i <= Number(float[3] ?? 0); i++) {
        out.push(value);
        value += increment;
      }
    } else throw new UnsupportedDescription(`not a sequence item: ${item}`);
  }
  return out;
}

export function toNumber(text: string): number {
  const lower = text.toLowerCase().replace(/^\+/, '');
  if (lower === 'nan') return NaN;
  if (lower === 'inf') return Infinity;
  return lower === '-inf' ? -Infinity : Number(lower);
}

function parseHistogramItem(item: string): SequenceValue[] {
  const match = /^\{\{(.*)\}\}(?:x(\d+))?$/.exec(item);
  if (match === null || match[1]!.includes('{{')) throw new UnsupportedDescription(`histogram arithmetic: ${item}`);
  const histogram = parseHistogram(match[1]!);
  return Array.from({ length: Number(match[2] ?? 0) + 1 }, () => histogram);
}

function parseHistogram(text: string): FloatHistogram {
  const fields = new Map<string, string>();
  for (const [, key, value] of text.matchAll(/([a-z_]+):(\[[^\]]*\]|\S+)/g)) fields.set(key!, value!);
  const number = (key: string): number => toNumber(fields.get(key) ?? '0');
  const numbers = (key: string): Float64Array =>
    Float64Array.from((fields.get(key) ?? '[]').slice(1, -1).trim().split(/\s+/).filter(Boolean), toNumber);
  const positiveBuckets = numbers('buckets');
  const negativeBuckets = numbers('n_buckets');
  const span = (offset: number, length: number) => (length === 0 ? [] : [{ offset, length }]);
  return {
    counterResetHint: (fields.get('counter_reset_hint') ?? 'unknown') as FloatHistogram['counterResetHint'],
    schema: number('schema'),
    zeroThreshold: number('z_bucket_w'),
    zeroCount: number('z_bucket'),
    count: number('count'),
    sum: number('sum'),
    positiveSpans: span(number('offset'), positiveBuckets.length),
    negativeSpans: span(number('n_offset'), negativeBuckets.length),
    positiveBuckets,
    negativeBuckets,
    customValues: numbers('custom_values'),
  };
}
