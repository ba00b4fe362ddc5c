import assert from 'node:assert/strict';
import {
  formatBase2Bytes,
  formatColumns,
  formatGoDuration,
  formatGoJsonString,
  formatGoTime,
} from '../../../../agent/tsdb/go-format.ts';

/** Expectations printed by Go 1.2x from the same input. */
describe('formats of Go', () => {
  it('print durations', () => {
    const cases: readonly [number, string][] = [
      [0, '0s'],
      [1, '1ms'],
      [999, '999ms'],
      [1000, '1s'],
      [1500, '1.5s'],
      [60000, '1m0s'],
      [7200000, '2h0m0s'],
      [7199999, '1h59m59.999s'],
      [90061001, '25h1m1.001s'],
      [-1, '-1ms'],
      [-7200000, '-2h0m0s'],
    ];
    for (const [durationMs, expected] of cases) assert.equal(formatGoDuration(durationMs), expected);
  });

  it('print times in UTC, cut to the second towards zero', () => {
    const cases: readonly [number, string][] = [
      [0, '1970-01-01 00:00:00 +0000 UTC'],
      [-1, '1970-01-01 00:00:00 +0000 UTC'],
      [-1001, '1969-12-31 23:59:59 +0000 UTC'],
      [1700000000123, '2023-11-14 22:13:20 +0000 UTC'],
      [253402300800000, '10000-01-01 00:00:00 +0000 UTC'],
      [-62135596801000, '0000-12-31 23:59:59 +0000 UTC'],
    ];
    for (const [timestampMs, expected] of cases) assert.equal(formatGoTime(timestampMs), expected);
  });

  it('print sizes in all their units', () => {
    const cases: readonly [number, string][] = [
      [0, '0B'],
      [1023, '1023B'],
      [1024, '1KiB'],
      [1024 ** 2 + 2 * 1024 + 3, '1MiB2KiB3B'],
      [5 * 1024 ** 3 + 7, '5GiB7B'],
    ];
    for (const [sizeBytes, expected] of cases) assert.equal(formatBase2Bytes(sizeBytes), expected);
  });

  it('align columns by the widest cell, at least 13 wide', () => {
    assert.equal(
      formatColumns([
        ['A', 'LONGER THAN THIRTEEN', 'LAST'],
        ['é', 'b', 'c'],
      ]),
      'A            LONGER THAN THIRTEEN  LAST\né            b                     c\n',
    );
  });

  it('escape in JSON what HTML could misread', () => {
    assert.equal(formatGoJsonString('<>&\u2028\u0001"\\é'), '"\\u003c\\u003e\\u0026\\u2028\\u0001\\"\\\\é"');
  });
});
