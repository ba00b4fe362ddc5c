import { withoutMetadata } from './columns.ts';
import { executionError, type QueryContext } from './context.ts';
import { extendSamples } from './extended-range.ts';
import { histogramsBytes, newSeriesBytes, SAMPLE_BYTES } from './memory.ts';
import type { RangeVector } from './range-selector.ts';
import { weightFrom } from './sample-counts.ts';
import type { MatrixSeries } from './value.ts';

const ONE_STEP = { startMs: 0, stepMs: 1, count: 1 };

/**
 * All samples of a range vector of one step, which is the answer.
 * @param isCounted the samples count as looked at
 * @throws PromletError `promql/execution` when two series have the same labels without their names
 */
export async function collectMatrix(
  range: RangeVector,
  context: QueryContext,
  isCounted: boolean,
): Promise<MatrixSeries[]> {
  const fromMs = range.times.firstMs - range.rangeMs;
  const out: MatrixSeries[] = [];
  const { extension } = range;
  const hiddenUntilMs = extension === undefined ? fromMs : -Infinity;
  const seen = new Set<string>();
  await range.visit((named, read, dropName) => {
    const samples = extension === undefined ? read : extendSamples(read, fromMs, range.times.lastMs, extension);
    let from = 0;
    while (from < samples.length && samples.timestamps[from]! <= hiddenUntilMs) from++;
    if (from === samples.length) return;
    if (isCounted) context.counts?.add(0, weightFrom(samples, from));
    const labels = dropName ? withoutMetadata(named) : named;
    if (seen.has(labels.key)) throw executionError('vector cannot contain metrics with the same labelset');
    seen.add(labels.key);
    context.holdSamples(context.samples + samples.length - from);
    context.takeBytes(newSeriesBytes(ONE_STEP, labels) + SAMPLE_BYTES * (samples.length - from));
    const timestamps = samples.timestamps.slice(from, samples.length);
    const values = samples.values.slice(from, samples.length);
    const histograms = samples.histograms?.slice(from, samples.length);
    if (histograms !== undefined) context.takeBytes(histogramsBytes(histograms));
    out.push(histograms === undefined ? { labels, timestamps, values } : { labels, timestamps, values, histograms });
  });
  return out;
}
