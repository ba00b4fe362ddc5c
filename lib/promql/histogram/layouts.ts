import { bucketIndexes, bucketSpans, type HistogramSpan } from '../../model/index.ts';
import type { BucketList } from './bucket-sums.ts';

interface Layout {
  readonly spans: readonly HistogramSpan[];
  readonly indexes: readonly number[];
}

/** Storage gives all histograms of a chunk the same spans: what the last ones said is remembered, by identity. */
const RECENT: Layout[] = [];
const RECENT_COUNT = 8;
let next = 0;

/** The index of each bucket of some spans; most often the same list for the same spans. Neither may be written to. */
export function indexesOf(spans: readonly HistogramSpan[]): readonly number[] {
  if (spans.length === 0) return NO_INDEXES;
  for (const layout of RECENT) if (layout.spans === spans) return layout.indexes;
  const indexes = bucketIndexes(spans);
  RECENT[next] = { spans, indexes };
  next = (next + 1) % RECENT_COUNT;
  return indexes;
}

const NO_INDEXES: readonly number[] = [];

/** The spans of buckets with these indexes; most often those that the indexes are from. Neither may be written to. */
export function spansOf(indexes: readonly number[]): readonly HistogramSpan[] {
  for (const layout of RECENT) if (layout.indexes === indexes) return layout.spans;
  return bucketSpans(indexes);
}

export function bucketList(spans: readonly HistogramSpan[], counts: Float64Array): BucketList {
  return { indexes: indexesOf(spans), counts };
}
