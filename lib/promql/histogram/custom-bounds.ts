import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram } from '../../model/index.ts';

export function hasCustomBuckets({ schema }: Pick<FloatHistogram, 'schema'>): boolean {
  return schema === CUSTOM_BUCKETS_SCHEMA;
}

export function sameBounds(a: Float64Array, b: Float64Array): boolean {
  return a === b || (a.length === b.length && a.every((bound, i) => bound === b[i]));
}

/** The bounds that both have; both ascend. */
export function commonBounds(a: Float64Array, b: Float64Array): Float64Array {
  const common: number[] = [];
  let j = 0;
  for (const bound of a) {
    while (j < b.length && b[j]! < bound) j++;
    if (b[j] === bound) common.push(bound);
  }
  return Float64Array.from(common);
}

/**
 * For a bucket of `from`: the index of the bucket of `to` that holds it, where `to` has some of the bounds of `from`. It
 * must be asked for ascending indexes.
 */
export function coarserBucket(from: Float64Array, to: Float64Array): (index: number) => number {
  let target = 0;
  return (index) => {
    const bound = from[index];
    if (bound === undefined) return to.length;
    while (target < to.length && to[target]! < bound) target++;
    return target;
  };
}
