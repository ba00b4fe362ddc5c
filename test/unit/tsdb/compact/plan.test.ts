import { deepEqual, equal } from 'node:assert/strict';
import { blockRangesMs, maxBlockDurationMs, planCompaction, splitByRange } from '../../../../lib/tsdb/compact/plan.ts';
import { block, type BlockFacts, named } from './plan-harness.ts';

const RANGES = [20, 60, 180, 540, 1620];

/** Blocks are `name: [first, end]`; what is planned is a list of names. */
const CASES: Record<string, { blocks: BlockFacts; planned: string; ranges?: number[] }> = {
  'leaves a block alone': { blocks: { a: [0, 20] }, planned: '' },
  'waits while a range is not full': { blocks: { a: [0, 20], b: [20, 40] }, planned: '' },
  'does not count the newest block': { blocks: { a: [0, 20], b: [20, 40], c: [40, 60] }, planned: '' },
  'compacts a full range once a block follows it': {
    blocks: { a: [0, 20], b: [20, 40], c: [40, 60], d: [60, 80] },
    planned: 'a b c',
  },
  'waits behind a gap while the next range has its newest block only': {
    blocks: { a: [0, 20], b: [20, 40], d: [60, 80] },
    planned: '',
  },
  'compacts across a gap that nothing will fill any more': {
    blocks: { a: [0, 20], b: [20, 40], d: [60, 80], e: [80, 100] },
    planned: 'a b',
  },
  'takes the narrowest range first': {
    blocks: { a: [0, 20], b: [20, 40], c: [40, 60], d: [60, 120], e: [120, 180] },
    planned: 'a b c',
  },
  'takes blocks of unlike widths, in whatever order they are listed': {
    blocks: { b: [20, 40], d: [60, 120], z: [960, 980], e: [120, 180], y: [720, 960] },
    planned: 'b d e',
  },
  'goes by time and not by when a block was made': {
    blocks: { a: [0, 360], z: [540, 560], b: [360, 420], c: [420, 540] },
    planned: 'b c',
  },
  'does nothing with one range': {
    blocks: { a: [0, 100], b: [101, 200] },
    ranges: [50],
    planned: '',
  },

  'rewrites no block for its tombstones while it is the newest': {
    blocks: { a: [0, 540, { numSeries: 10, numTombstones: 3 }] },
    planned: '',
  },
  'rewrites a large block with many tombstones': {
    blocks: { a: [0, 540, { numSeries: 10, numTombstones: 3 }], b: [540, 560] },
    planned: 'a',
  },
  'rewrites no large block with few': {
    blocks: { a: [0, 540, { numSeries: 99, numTombstones: 5 }], b: [540, 560] },
    planned: '',
  },
  'rewrites no small block with many': {
    blocks: { a: [0, 60, { numSeries: 10, numTombstones: 3 }], b: [60, 80] },
    planned: '',
  },
  'rewrites a small block of which all is deleted': {
    blocks: { a: [0, 60, { numSeries: 10, numTombstones: 10 }], b: [60, 80] },
    planned: 'a',
  },
  'rewrites the newer of two large blocks': {
    blocks: {
      a: [0, 540, { numSeries: 1, numTombstones: 1 }],
      b: [540, 1080, { numSeries: 1, numTombstones: 1 }],
      c: [1080, 1100],
    },
    planned: 'b',
  },
  'does not look behind a small block': {
    blocks: { a: [0, 540, { numSeries: 1, numTombstones: 1 }], b: [540, 560], c: [560, 580] },
    planned: '',
  },
  'does not rewrite an empty block for ever': {
    blocks: { a: [0, 540, { numSeries: 0, numTombstones: 0 }], b: [540, 560] },
    planned: '',
  },

  'merges blocks that overlap': { blocks: { a: [0, 20], b: [19, 40], c: [40, 60] }, planned: 'a b' },
  'merges the newest block when it overlaps': { blocks: { a: [0, 20], b: [20, 40], c: [30, 50] }, planned: 'b c' },
  'merges a chain of overlaps': { blocks: { a: [0, 20], b: [10, 40], c: [30, 50] }, planned: 'a b c' },
  'merges all that overlap a long block': {
    blocks: { a: [0, 360], b: [340, 560], c: [360, 420], d: [420, 540] },
    planned: 'a b c d',
  },
  'merges the first of two overlaps': {
    blocks: { a: [0, 10], b: [9, 20], c: [30, 40], d: [39, 50] },
    planned: 'a b',
  },
  'merges overlaps before it fills ranges': {
    blocks: { a: [0, 20], b: [20, 40], c: [40, 60], d: [60, 80], e: [70, 90] },
    planned: 'd e',
  },

  'leaves a range alone that has a block whose compaction failed': {
    blocks: { a: [0, 20], b: [20, 40, { failed: true }], c: [40, 60], d: [60, 80] },
    planned: '',
  },
  'leaves it alone behind a gap': {
    blocks: { a: [0, 20], b: [20, 40, { failed: true }], d: [60, 80], e: [80, 100] },
    planned: '',
  },
  'leaves it alone in the wider ranges too': {
    blocks: { a: [0, 20], b: [20, 40, { failed: true }], c: [40, 60], d: [60, 120], e: [120, 180], f: [180, 200] },
    planned: '',
  },
  'goes on to other ranges': {
    blocks: {
      a: [0, 20, { failed: true }],
      b: [20, 40],
      c: [40, 60],
      d: [60, 80],
      e: [80, 100],
      f: [120, 140],
      g: [180, 200],
    },
    planned: 'd e',
  },
  'passes over an overlap that failed': {
    blocks: { a: [0, 20, { failed: true }], b: [10, 20], c: [30, 40], d: [39, 50] },
    planned: 'c d',
  },

  'passes over a block that failed to be rewritten': {
    blocks: {
      a: [0, 540, { numSeries: 1, numTombstones: 1 }],
      b: [540, 1080, { numSeries: 1, numTombstones: 1, failed: true }],
      c: [1080, 1100],
    },
    planned: 'a',
  },

  'does not mix blocks of stale series with others': {
    blocks: { a: [0, 20], s: [0, 20, { hints: ['from-stale-series'] }], b: [20, 40], c: [40, 60], d: [60, 80] },
    planned: 'a b c',
  },
  'compacts blocks of stale series among themselves': {
    blocks: {
      a: [0, 20],
      s: [0, 20, { hints: ['from-stale-series'] }],
      t: [20, 40, { hints: ['from-stale-series'] }],
      u: [40, 60, { hints: ['from-stale-series'] }],
      v: [60, 80, { hints: ['from-stale-series'] }],
    },
    planned: 's t u',
  },
  'does not mix blocks of stale with those of selected series': {
    blocks: { s: [0, 20, { hints: ['from-stale-series'] }], t: [10, 20, { hints: ['from-selected-series'] }] },
    planned: '',
  },
  'merges out-of-order blocks with what they overlap': {
    blocks: { a: [0, 20], o: [0, 20, { hints: ['from-out-of-order'] }], b: [20, 40] },
    planned: 'a o',
  },
};

describe('the compaction plan', () => {
  for (const [title, { blocks, planned, ranges = RANGES }] of Object.entries(CASES)) {
    it(title, () => {
      equal(named(blocks, planCompaction(Object.values(blocks).map(block), ranges)), planned);
    });
  }

  it('splits blocks by multiples of a range, those that cross one left out', () => {
    const split = (rangeMs: number, ...times: [number, number][]): number[][][] =>
      splitByRange(times.map(block), rangeMs).map((group) => group.map(({ minTime, maxTime }) => [minTime, maxTime]));
    deepEqual(split(60, [0, 10], [9, 15], [30, 60]), [[[0, 10], [9, 15], [30, 60]]]); // prettier-ignore
    deepEqual(split(60, [70, 90], [125, 130], [130, 180], [1000, 1001]), [[[70, 90]], [[125, 130], [130, 180]], [[1000, 1001]]]); // prettier-ignore
    deepEqual(split(60, [50, 70], [70, 80]), [[[70, 80]]]);
    deepEqual(split(72, [0, 144], [144, 216], [216, 288]), [[[144, 216]], [[216, 288]]]);
    deepEqual(split(60, [-60, -50], [-10, -5], [0, 15]), [[[-60, -50], [-10, -5]], [[0, 15]]]); // prettier-ignore
  });

  it('has ranges that grow by three up to a tenth of the retention, or 31 days', () => {
    const hour = 3_600_000;
    deepEqual(blockRangesMs(2 * hour, maxBlockDurationMs(15 * 24 * hour)), [2 * hour, 6 * hour, 18 * hour]);
    equal(maxBlockDurationMs(0), 31 * 24 * hour);
    equal(blockRangesMs(2 * hour, maxBlockDurationMs(0)).at(-1), 486 * hour);
    deepEqual(blockRangesMs(2 * hour, hour), [2 * hour]);
  });
});
