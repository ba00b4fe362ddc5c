import { SampleColumns } from '../../model/index.ts';
import { executionError } from './context.ts';
import type { RangeExtension } from './range-selector.ts';

/**
 * The samples of an `anchored` or `smoothed` range vector as a query shows them: those strictly between `startMs` and
 * `endMs`, and one at each of these (Prometheus `extendFloats`).
 * @throws PromletError `promql/execution` when there are histograms
 */
export function extendSamples(
  samples: SampleColumns,
  startMs: number,
  endMs: number,
  extension: RangeExtension,
): SampleColumns {
  const { timestamps, values, length, histograms } = samples;
  const out = new SampleColumns();
  let low = 0;
  while (low < length && timestamps[low]! <= startMs - extension.beforeMs) low++;
  let high = low;
  for (; high < length && timestamps[high]! <= endMs + extension.afterMs; high++) {
    if (histograms?.[high] === undefined) continue;
    throw executionError(`${extension.kind} modifier is not supported with histograms`);
  }
  let behindStart = low;
  while (behindStart < high && timestamps[behindStart]! <= startMs) behindStart++;
  if (behindStart === high) return out;
  let atEnd = behindStart;
  while (atEnd < high && timestamps[atEnd]! < endMs) atEnd++;
  const isSmoothed = extension.kind === 'smoothed';
  const first = Math.max(low, behindStart - 1);
  const last = isSmoothed ? Math.min(atEnd, high - 1) : high - 1;
  const isLeftBetween = isSmoothed && timestamps[first]! < startMs;
  const isRightBetween = isSmoothed && last > low && timestamps[last]! > endMs;
  out.push(startMs, isLeftBetween ? interpolate(samples, first, startMs) : values[first]!);
  for (let i = behindStart; i < atEnd; i++) out.push(timestamps[i]!, values[i]!);
  out.push(endMs, isRightBetween ? interpolate(samples, last - 1, endMs) : values[last]!);
  return out;
}

/** The value at `atMs` on the line from sample `i` to the next. */
export function interpolate({ timestamps, values }: SampleColumns, i: number, atMs: number): number {
  const from = values[i]!;
  return from + ((values[i + 1]! - from) * (atMs - timestamps[i]!)) / (timestamps[i + 1]! - timestamps[i]!);
}
