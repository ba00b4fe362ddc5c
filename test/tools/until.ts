import { SUITE_TIMEOUT_MS } from './prometheus-api.ts';

/** Waits until `condition` holds; the test's own timeout ends it, and a test run that failed is not kept alive for ever. */
export async function until(condition: () => boolean): Promise<void> {
  const startMs = performance.now();
  while (!condition()) {
    if (performance.now() - startMs > SUITE_TIMEOUT_MS) throw new Error(`in vain: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
