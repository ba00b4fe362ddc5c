import { executionError } from '../eval/context.ts';
import type { RangeExtensionKind } from '../eval/range-selector.ts';
import type { Window, WindowKernel } from './window-driver.ts';

/** Functions that know what to do with samples outside of the window (`AnchoredSafeFunctions`, `SmoothedSafeFunctions`). */
const SAFE_FUNCTIONS: Readonly<Record<RangeExtensionKind, readonly string[]>> = {
  anchored: ['changes', 'delta', 'increase', 'rate', 'resets'],
  smoothed: ['delta', 'increase', 'rate'],
};

/** @throws PromletError `promql/execution` when the function cannot be used with the modifier */
export function checkExtension(kind: RangeExtensionKind | undefined, functionName: string): void {
  if (kind === undefined || SAFE_FUNCTIONS[kind].includes(functionName)) return;
  const safe = SAFE_FUNCTIONS[kind].join(', ');
  throw executionError(`${kind} modifier can only be used with: ${safe} - not with ${functionName}`);
}

/**
 * Lets a kernel see the window of an `anchored` selector from its anchor on, the last sample at or before the start;
 * without a sample behind the start there is nothing to see (Prometheus `pickFirstSampleIndices`).
 */
export class AnchoredKernel implements WindowKernel {
  result = 0;
  readonly #inner: WindowKernel;

  constructor(inner: WindowKernel) {
    this.#inner = inner;
  }

  begin(window: Window): void {
    this.#inner.begin?.(window);
  }

  evaluate(window: Window): boolean {
    const { timestamps, high, startMs } = window;
    if (timestamps[high - 1]! <= startMs) return false;
    // Older samples are of no use to later windows either, whose anchors are not before this one.
    while (window.low + 1 < high && timestamps[window.low + 1]! <= startMs) window.low++;
    if (!this.#inner.evaluate(window)) return false;
    this.result = this.#inner.result;
    return true;
  }
}
