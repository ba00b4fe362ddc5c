import type { SampleColumns } from '../model/index.ts';

/** Up to so many are copied one by one, which is faster than as views. */
const FEW_SAMPLES = 64;

/** Appends `count` samples to `into`: times from index `times` on, values from `values` on. */
export function appendSamples(
  from: Float64Array,
  times: number,
  values: number,
  count: number,
  into: SampleColumns,
): void {
  into.reserve(count);
  const { length, timestamps, values: intoValues } = into;
  if (count <= FEW_SAMPLES) {
    for (let i = 0; i < count; i++) {
      timestamps[length + i] = from[times + i]!;
      intoValues[length + i] = from[values + i]!;
    }
  } else {
    timestamps.set(from.subarray(times, times + count), length);
    intoValues.set(from.subarray(values, values + count), length);
  }
  into.length += count;
}
