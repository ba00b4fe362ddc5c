import assert from 'node:assert/strict';
import { lateness } from './lateness.ts';

const QUIET = { fromMs: 100_000, untilMs: 103_000 };

describe('lateness of scrapes', () => {
  it('is counted from the earliest offset of the quiet window, each target by its own', () => {
    const arrivals = new Map([
      ['/a', [99_500, 100_302, 101_300, 102_301, 103_310, 104_300]],
      ['/b', [100_999, 101_999, 103_000, 104_029]],
    ]);
    assert.deepEqual(lateness(arrivals, 1_000, QUIET, [{ fromMs: 103_000, untilMs: 104_900 }]), {
      scrapes: 3,
      skipped: 0,
      p50Ms: 10,
      p99Ms: 30,
      maxMs: 30,
    });
  });

  it('grows up to an interval, after which a scrape is skipped', () => {
    const arrivals = new Map([['/a', [100_300, 101_300, 102_300, 104_200, 105_290, 106_300]]]);
    const { scrapes, skipped, maxMs } = lateness(arrivals, 1_000, QUIET, [{ fromMs: 103_000, untilMs: 106_301 }]);
    // Those due at 103.3 and 104.3 s came, nearly an interval late; that of 105.3 s did not.
    assert.deepEqual({ scrapes, skipped, maxMs }, { scrapes: 3, skipped: 1, maxMs: 990 });
  });

  it('does not count the first scrape, nor those that were due before the second', () => {
    const arrivals = new Map([['/a', [95_000, 97_320, 98_300, 100_300, 101_300, 102_300]]]);
    const { scrapes, skipped, maxMs } = lateness(arrivals, 1_000, QUIET, [{ fromMs: 94_000, untilMs: 100_000 }]);
    assert.deepEqual({ scrapes, skipped, maxMs }, { scrapes: 2, skipped: 1, maxMs: 20 });
  });

  it('counts the scrapes that were due in any of several windows', () => {
    const arrivals = new Map([['/a', [100_300, 101_300, 102_300, 103_310, 104_320, 105_330]]]);
    const windows = [
      { fromMs: 103_200, untilMs: 103_301 },
      { fromMs: 105_000, untilMs: 105_400 },
    ];
    const { scrapes, p50Ms, maxMs } = lateness(arrivals, 1_000, QUIET, windows);
    assert.deepEqual({ scrapes, p50Ms, maxMs }, { scrapes: 2, p50Ms: 10, maxMs: 30 });
  });

  it('cannot be told of a target that was not scraped in the quiet window', () => {
    const arrivals = new Map([['/a', [104_000]]]);
    assert.throws(() => lateness(arrivals, 1_000, QUIET, [QUIET]), /\/a was not scraped/);
  });
});
