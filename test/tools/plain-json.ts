/** Answers as JSON in the plainest way: what lib/api/json.ts writes is held against it. */
import { printFloatTwin, printPointTwin, printTimeTwin } from '../../lib/kernels/twins/print.ts';
import { type FloatHistogram, formatFloat, type Labels, OrderedBuckets } from '../../lib/model/index.ts';
import type { MatrixSeries, QueryValue, VectorSample } from '../../lib/promql/index.ts';

export function plainQueryData(value: QueryValue): string {
  return `{"resultType":"${value.type}","result":${plainResult(value)}}`;
}

export function plainString(text: string): string {
  return JSON.stringify(text.toWellFormed());
}

export function plainLabels({ pairs }: Labels): string {
  const members: string[] = [];
  for (let i = 0; i < pairs.length; i += 2) members.push(`${plainString(pairs[i]!)}:${plainString(pairs[i + 1]!)}`);
  return `{${members.join(',')}}`;
}

export function plainHistogram(histogram: FloatHistogram): string {
  const buckets = new OrderedBuckets(histogram);
  const list: string[] = [];
  for (let i = 0; i < buckets.length; i++) {
    if (buckets.count(i) === 0) continue;
    const [lower, upper] = [buckets.includesLower(i), buckets.includesUpper(i)];
    const boundaries = lower ? (upper ? 3 : 1) : upper ? 0 : 2;
    const numbers = [buckets.lower(i), buckets.upper(i), buckets.count(i)].map((one) => `"${printFloatTwin(one)}"`);
    list.push(`[${boundaries},${numbers.join(',')}]`);
  }
  const field = list.length === 0 ? '' : `,"buckets":[${list.join(',')}]`;
  return `{"count":"${printFloatTwin(histogram.count)}","sum":"${printFloatTwin(histogram.sum)}"${field}}`;
}

function plainResult(value: QueryValue): string {
  switch (value.type) {
    case 'scalar':
      return `[${printTimeTwin(value.timestampMs)},"${formatFloat(value.value)}"]`;
    case 'string':
      return `[${printTimeTwin(value.timestampMs)},${plainString(value.value)}]`;
    case 'vector':
      return `[${value.samples.map(plainSample).join(',')}]`;
    case 'matrix':
      return `[${value.series.map(plainSeries).join(',')}]`;
  }
}

function plainSample({ labels, timestampMs, value, histogram }: VectorSample): string {
  const point =
    histogram === undefined
      ? `"value":${printPointTwin(timestampMs, value)}`
      : `"histogram":${plainHistogramPoint(timestampMs, histogram)}`;
  return `{"metric":${plainLabels(labels)},${point}}`;
}

function plainSeries({ labels, timestamps, values, histograms }: MatrixSeries): string {
  const floats: string[] = [];
  const others: string[] = [];
  for (const [i, timeMs] of timestamps.entries()) {
    const histogram = histograms?.[i];
    if (histogram === undefined) floats.push(printPointTwin(timeMs, values[i]!));
    else others.push(plainHistogramPoint(timeMs, histogram));
  }
  const floatField = floats.length === 0 ? '' : `,"values":[${floats.join(',')}]`;
  const otherField = others.length === 0 ? '' : `,"histograms":[${others.join(',')}]`;
  return `{"metric":${plainLabels(labels)}${floatField}${otherField}}`;
}

function plainHistogramPoint(timeMs: number, histogram: FloatHistogram): string {
  return `[${printTimeTwin(timeMs)},${plainHistogram(histogram)}]`;
}
