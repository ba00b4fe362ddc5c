import assert from 'node:assert/strict';
import { seededRandom } from '../../../../lib/env/index.ts';
import { quantile } from '../../../../lib/promql/eval/quantile.ts';
import { QuantileKernel } from '../../../../lib/promql/functions/quantile-over-time.ts';
import { Window } from '../../../../lib/promql/functions/window-driver.ts';

const ODD: readonly number[] = [NaN, Infinity, -Infinity, 0, -0, 5e-324];

describe('quantile_over_time', function () {
  this.timeout(600_000);
  it('of windows that slide is that of each window sorted by itself', () => {
    const random = seededRandom(11);
    const kernel = new QuantileKernel();
    let slid = 0;
    for (let round = 0; round < 300; round++) {
      const window = new Window();
      window.length = 1 + Math.floor(random() * 400);
      const oddness = [0, 0.02, 0.8][round % 3]!;
      window.values = Float64Array.from({ length: window.length }, () =>
        random() < oddness ? ODD[Math.floor(random() * ODD.length)]! : Math.floor(random() * 50) - 25,
      );
      const qs = Float64Array.of(random(), 0, 1, 0.5, -1, 2, NaN);
      window.params = [qs];
      kernel.begin(window);
      const most = 1 + Math.floor(random() * 10);
      while (window.high < window.length) {
        window.high = Math.min(window.length, window.high + 1 + Math.floor(random() * most));
        const oldest = Math.max(window.low, window.high - 100);
        window.low = Math.min(window.high - 1, oldest + Math.floor(random() * most));
        for (window.step = 0; window.step < qs.length; window.step++) {
          assert.ok(kernel.evaluate(window));
          const expected = quantile(qs[window.step]!, window.values.slice(window.low, window.high));
          assert.ok(Object.is(kernel.result, expected), `${kernel.result} instead of ${expected}`);
        }
        if (window.high - window.low > 4 * 2 * most) slid++;
      }
    }
    assert.ok(slid > 3000, `${slid} windows`);
  });
});
