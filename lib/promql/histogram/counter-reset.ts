import { bucketBound, type FloatHistogram } from '../../model/index.ts';
import { type BucketList, BucketSums, coarserIndex } from './bucket-sums.ts';
import { coarserBucket, commonBounds, hasCustomBuckets, sameBounds } from './custom-bounds.ts';
import { HistogramSum } from './histogram-sum.ts';
import { bucketList } from './layouts.ts';

/**
 * Whether a counter was reset between two samples (`FloatHistogram.DetectReset`): a count fell, a populated bucket is gone,
 * or the layout became finer. Hints of the later sample decide where there are any; a gauge is looked at like a counter.
 */
export function isCounterReset(current: FloatHistogram, previous: FloatHistogram): boolean {
  if (current.counterResetHint === 'reset') return true;
  if (current.counterResetHint === 'not_reset') return false;
  if (current.count < previous.count) return true;
  if (hasCustomBuckets(current)) return isCustomReset(current, previous);
  // Custom buckets have the lowest schema of all.
  if (current.schema > previous.schema || current.zeroThreshold < previous.zeroThreshold) return true;
  if (current.zeroThreshold === previous.zeroThreshold) {
    if (current.zeroCount < previous.zeroCount) return true;
  } else {
    const widened = new HistogramSum(previous);
    if (widened.widenZeroBucket(current.zeroThreshold) !== current.zeroThreshold) return true;
    if (current.zeroCount < widened.result().zeroCount) return true;
  }
  return (
    bucketsFell(exponentialBuckets(previous, current, 1), exponentialBuckets(current, current, 1)) ||
    bucketsFell(exponentialBuckets(previous, current, -1), exponentialBuckets(current, current, -1))
  );
}

function isCustomReset(current: FloatHistogram, previous: FloatHistogram): boolean {
  if (!hasCustomBuckets(previous)) return true;
  const before = bucketList(previous.positiveSpans, previous.positiveBuckets);
  const after = bucketList(current.positiveSpans, current.positiveBuckets);
  if (sameBounds(current.customValues, previous.customValues)) return bucketsFell(before, after);
  const bounds = commonBounds(current.customValues, previous.customValues);
  return bucketsFell(
    reindexed(before, coarserBucket(previous.customValues, bounds)),
    reindexed(after, coarserBucket(current.customValues, bounds)),
  );
}

const NO_BUCKETS: BucketList = { indexes: [], counts: new Float64Array(0) };

/** The buckets of one sign at the schema of `layout`, without those in its zero bucket. */
function exponentialBuckets(histogram: FloatHistogram, layout: FloatHistogram, sign: 1 | -1): BucketList {
  let list =
    sign > 0
      ? bucketList(histogram.positiveSpans, histogram.positiveBuckets)
      : bucketList(histogram.negativeSpans, histogram.negativeBuckets);
  if (histogram.schema !== layout.schema) {
    list = reindexed(list, (index) => coarserIndex(index, histogram.schema, layout.schema));
  }
  const { indexes, counts } = list;
  const { zeroThreshold } = layout;
  if (zeroThreshold === 0 || indexes.length === 0 || bucketBound(layout, indexes[0]!) > zeroThreshold) return list;
  const from = indexes.findIndex((index) => bucketBound(layout, index) > zeroThreshold);
  return from < 0 ? NO_BUCKETS : { indexes: indexes.slice(from), counts: counts.subarray(from) };
}

function reindexed(list: BucketList, newIndex: (index: number) => number): BucketList {
  const sums = new BucketSums(list);
  sums.reindex(newIndex);
  return { indexes: sums.indexes, counts: sums.totals() };
}

/** A bucket of `before` is smaller in `after`, or was populated and is not there. */
function bucketsFell(before: BucketList, after: BucketList): boolean {
  for (let i = 0, j = 0; i < before.indexes.length; i++) {
    while (j < after.indexes.length && after.indexes[j]! < before.indexes[i]!) j++;
    const isThere = after.indexes[j] === before.indexes[i];
    if (isThere ? after.counts[j]! < before.counts[i]! : before.counts[i] !== 0) return true;
  }
  return false;
}
