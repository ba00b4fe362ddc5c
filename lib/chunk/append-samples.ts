import type { Kernels } from '../kernels/index.ts';
import type { SampleColumns } from '../model/index.ts';

/** Up to so many are copied one by one, which is faster than as views. */
const FEW_SAMPLES = 64;

/** Appends `count` samples to `into` that lie in the arena: times from address `times` on, values from `values` on. */
export function appendSamples(
  { arena, wasm }: Kernels,
  times: number,
  values: number,
  count: number,
  into: SampleColumns,
): void {
  into.reserve(count);
  const { length, timestamps, values: intoValues } = into;
  const { f64 } = arena;
  const firstTime = times / 8;
  const firstValue = values / 8;
  if (count <= FEW_SAMPLES) {
    for (let i = 0; i < count; i++) {
      timestamps[length + i] = f64[firstTime + i]!;
      intoValues[length + i] = f64[firstValue + i]!;
    }
  } else if (timestamps.buffer === f64.buffer && intoValues.buffer === f64.buffer) {
    wasm.copyBytes(times, timestamps.byteOffset + 8 * length, 8 * count);
    wasm.copyBytes(values, intoValues.byteOffset + 8 * length, 8 * count);
  } else {
    timestamps.set(f64.subarray(firstTime, firstTime + count), length);
    intoValues.set(f64.subarray(firstValue, firstValue + count), length);
  }
  into.length += count;
}
