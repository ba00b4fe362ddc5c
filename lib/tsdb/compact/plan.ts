/**
 * Which blocks to compact next: Prometheus's LeveledCompactor (tsdb/compact.go), as a function of what the meta files say.
 *
 * Ranges grow by three from the head's: 2 h, 6 h, 18 h, … A range is compacted when its blocks fill it, or when a block
 * begins behind it, so that nothing more will come:
 *
 *     range 6 h |  2h 2h 2h  |  2h    2h  |  2h 2h    |
 *                 now          now (a gap)   waits; the newest block is left alone, for whoever backs it up
 */
import { assert } from '../../model/index.ts';
import type { BlockMeta } from '../block/meta.ts';

/** What a block says in `compaction.hints` of how it came to be. */
export const CompactionHint = {
  /** Of out-of-order samples alone: says nothing of how far the log is in blocks. */
  outOfOrder: 'from-out-of-order',
  /** A part of the head's series (Prometheus writes these two, we do not): kept apart from whole blocks. */
  staleSeries: 'from-stale-series',
  selectedSeries: 'from-selected-series',
} as const;

const MONTH_MS = 31 * 86_400_000;
const RANGE_STEPS = 10;
const RANGE_FACTOR = 3;
/** Of deleted intervals per series: above it a large block is rewritten. */
const TOMBSTONE_RATIO = 0.05;

/** The widest block for a retention (cmd/prometheus/main.go): a tenth of it, at most 31 d; 0 is no retention. */
export function maxBlockDurationMs(retentionMs: number): number {
  return retentionMs > 0 ? Math.min(Math.floor(retentionMs / 10), MONTH_MS) : MONTH_MS;
}

/** Widths of blocks by level, each three times the last, none above `maxMs` but the first. */
export function blockRangesMs(minMs: number, maxMs: number): number[] {
  const ranges = [minMs];
  for (let i = 1, rangeMs = minMs; i < RANGE_STEPS; i++) {
    rangeMs *= RANGE_FACTOR;
    if (rangeMs > maxMs) break;
    ranges.push(rangeMs);
  }
  return ranges;
}

/**
 * The blocks of the next compaction, empty when there is nothing to do; one block alone is rewritten for its tombstones.
 * @param blocks all blocks, in any order
 * @param rangesMs from `blockRangesMs`
 * @returns in order of their first time
 */
export function planCompaction<T extends BlockMeta>(blocks: readonly T[], rangesMs: readonly number[]): T[] {
  assert(rangesMs.length > 0, 'plan: no ranges');
  // A block of some series of a time range must keep its hint, so it is merged with its like alone (prometheus #18379).
  const stale: T[] = [];
  const selected: T[] = [];
  const whole: T[] = [];
  for (const block of blocks) {
    if (hasHint(block, CompactionHint.staleSeries)) stale.push(block);
    else if (hasHint(block, CompactionHint.selectedSeries)) selected.push(block);
    else whole.push(block);
  }
  for (const kind of [whole, stale, selected]) {
    const planned = planKind(kind, rangesMs);
    if (planned.length > 0) return planned;
  }
  return [];
}

export function hasHint(block: BlockMeta, hint: string): boolean {
  return block.compaction.hints?.includes(hint) === true;
}

function hasFailed(block: BlockMeta): boolean {
  return block.compaction.failed === true;
}

function planKind<T extends BlockMeta>(blocks: T[], rangesMs: readonly number[]): T[] {
  blocks.sort((a, b) => a.minTime - b.minTime);
  const overlapping = firstOverlap(blocks);
  if (overlapping.length > 0) return overlapping;
  const settled = blocks.slice(0, -1);
  const range = firstFullRange(settled, rangesMs);
  return range.length > 0 ? range : manyTombstones(settled, rangesMs);
}

/**
 * The first run of blocks that overlap; `blocks` by first time. A run with a block whose compaction failed is passed over:
 * Prometheus tries it again each time, and gets to nothing else.
 */
function firstOverlap<T extends BlockMeta>(blocks: readonly T[]): T[] {
  let run: T[] = [];
  let maxTime = -Infinity;
  for (const block of blocks) {
    if (block.minTime >= maxTime) {
      if (run.length > 1 && !run.some(hasFailed)) return run;
      run = [];
    }
    run.push(block);
    maxTime = Math.max(maxTime, block.maxTime);
  }
  return run.length > 1 && !run.some(hasFailed) ? run : [];
}

function firstFullRange<T extends BlockMeta>(blocks: readonly T[], rangesMs: readonly number[]): T[] {
  const newest = blocks.at(-1);
  if (newest === undefined) return [];
  for (const rangeMs of rangesMs.slice(1)) {
    for (const group of splitByRange(blocks, rangeMs)) {
      if (group.length < 2 || group.some(hasFailed)) continue;
      const maxTime = group.at(-1)!.maxTime;
      if (maxTime - group[0]!.minTime === rangeMs || maxTime <= newest.minTime) return group;
    }
  }
  return [];
}

/**
 * Groups of blocks that lie within the same multiple of a range; blocks that cross one are in no group.
 * @param blocks by first time
 */
export function splitByRange<T extends BlockMeta>(blocks: readonly T[], rangeMs: number): T[][] {
  const groups: T[][] = [];
  for (let i = 0; i < blocks.length;) {
    const endMs = (Math.floor(blocks[i]!.minTime / rangeMs) + 1) * rangeMs;
    const from = i;
    while (i < blocks.length && blocks[i]!.maxTime <= endMs) i++;
    if (i > from) groups.push(blocks.slice(from, i));
    else i++;
  }
  return groups;
}

/** The newest large block of which much is deleted; a small one only when all of it is. Not tried again when it failed. */
function manyTombstones<T extends BlockMeta>(blocks: readonly T[], rangesMs: readonly number[]): T[] {
  const largeMs = rangesMs[Math.floor(rangesMs.length / 2)]!;
  for (const block of blocks.toReversed()) {
    if (hasFailed(block)) continue;
    const { numTombstones = 0, numSeries = 0 } = block.stats;
    if (block.maxTime - block.minTime < largeMs) return numTombstones > 0 && numTombstones >= numSeries ? [block] : [];
    if (numTombstones / (numSeries + 1) > TOMBSTONE_RATIO) return [block];
  }
  return [];
}
