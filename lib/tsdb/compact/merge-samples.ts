import type { FloatHistogram, SampleColumns } from '../../model/index.ts';
import { Heap } from './heap.ts';

/** One of the lists being merged, at a sample of it. */
interface Cursor {
  readonly columns: SampleColumns;
  index: number;
  timeMs: number;
}

/**
 * The samples of several lists in order of time; of those with one time, one is kept, the same that Prometheus keeps
 * (storage/merge.go, `chainSampleIterator`). Which counter resets lie between samples of different lists is not known, and
 * the histograms say so.
 * @param into cleared first
 */
export function mergeSamples(lists: readonly SampleColumns[], into: SampleColumns): void {
  into.clear();
  const heap = new Heap<Cursor>((a, b) => a.timeMs < b.timeMs);
  const cursors = lists.map((columns): Cursor => ({ columns, index: -1, timeMs: -Infinity }));
  for (const cursor of cursors.slice(1)) if (step(cursor)) heap.push(cursor);
  let current: Cursor | undefined = cursors[0];
  let lastMs = -Infinity;
  // True while the sample before, in the same list, was the last one kept.
  let consecutive = false;
  while (current !== undefined) {
    const more = step(current);
    if (more && current.timeMs === lastMs) continue;
    if (!more || (heap.size > 0 && heap.peek()!.timeMs <= current.timeMs)) {
      if (more) heap.push(current);
      current = heap.pop();
      consecutive = false;
      if (current === undefined || current.timeMs === lastMs) continue;
    }
    take(current, consecutive, into);
    takeRun(current, heap.peek()?.timeMs ?? Infinity, into);
    lastMs = current.timeMs;
    consecutive = true;
  }
}

function step(cursor: Cursor): boolean {
  cursor.index++;
  if (cursor.index >= cursor.columns.length) return false;
  cursor.timeMs = cursor.columns.timestamps[cursor.index]!;
  return true;
}

function take({ columns, index, timeMs }: Cursor, consecutive: boolean, into: SampleColumns): void {
  const histogram = columns.histograms?.[index];
  if (histogram === undefined) into.push(timeMs, columns.values[index]!);
  else into.pushHistogram(timeMs, consecutive ? histogram : withUnknownReset(histogram));
}

/** Takes what follows in the same list before `limitMs`, in one piece: where lists do not overlap that is all of it. */
function takeRun(cursor: Cursor, limitMs: number, into: SampleColumns): void {
  const { timestamps, values, histograms, length } = cursor.columns;
  const from = cursor.index + 1;
  let to = from;
  while (to < length && timestamps[to]! < limitMs) to++;
  if (to === from) return;
  const at = into.length;
  into.reserve(to - from);
  into.timestamps.set(timestamps.subarray(from, to), at);
  into.values.set(values.subarray(from, to), at);
  into.length += to - from;
  if (histograms !== undefined) {
    const copies = (into.histograms ??= []);
    for (let i = from; i < to; i++) if (histograms[i] !== undefined) copies[at + i - from] = histograms[i];
  }
  cursor.index = to - 1;
  cursor.timeMs = timestamps[to - 1]!;
}

function withUnknownReset(histogram: FloatHistogram): FloatHistogram {
  return histogram.counterResetHint === 'gauge' ? histogram : { ...histogram, counterResetHint: 'unknown' };
}
