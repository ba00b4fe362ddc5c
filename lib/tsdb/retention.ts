/**
 * Which blocks are past what is kept, by time and by size (tsdb/db.go, `BeyondTimeRetention`, `BeyondSizeRetention`). Pure:
 * `BlockSet` deletes. Unlike there the last block always stays, and time is not taken from the newest block alone but from
 * `RetentionClock`, which a wrong clock does not lead astray.
 */
import { assert } from '../model/index.ts';

export interface RetentionOptions {
  /** What ends this long before now is deleted. 0: nothing is. */
  readonly timeMs: number;
  /** Of blocks, log and head chunks together; the oldest blocks go. 0: no limit. */
  readonly sizeBytes: number;
  /** The same as a share of the file system, in place of `sizeBytes`. 0: no limit. */
  readonly diskPercent: number;
}

export const DEFAULT_RETENTION: RetentionOptions = { timeMs: 15 * 86_400_000, sizeBytes: 0, diskPercent: 0 };

/** What retention looks at of a block. */
export interface RetainedBlock {
  readonly meta: { readonly maxTime: number };
  readonly sizeBytes: number;
}

/** What else is known when retention is applied. */
export interface RetentionFacts {
  /** From `RetentionClock`. */
  readonly nowMs: number;
  /** Of the log and the head chunks on disk. */
  readonly headBytes: number;
  /** Of the whole file system, undefined when it does not say. */
  readonly diskBytes: number | undefined;
}

export interface BeyondRetention<T> {
  readonly time: readonly T[];
  readonly size: readonly T[];
}

/** @returns blocks to be deleted, newest first; one may be in both lists, the newest of all is in none */
export function beyondRetention<T extends RetainedBlock>(
  blocks: readonly T[],
  options: RetentionOptions,
  facts: RetentionFacts,
): BeyondRetention<T> {
  const newestFirst = blocks.toSorted((a, b) => b.meta.maxTime - a.meta.maxTime);
  return {
    time: beyondTime(newestFirst, options.timeMs, facts.nowMs),
    size: beyondSize(newestFirst, maxBytesOf(options, facts.diskBytes), facts.headBytes),
  };
}

function beyondTime<T extends RetainedBlock>(newestFirst: readonly T[], timeMs: number, nowMs: number): T[] {
  if (timeMs === 0) return [];
  return newestFirst.slice(1).filter((block) => nowMs - block.meta.maxTime >= timeMs);
}

function beyondSize<T extends RetainedBlock>(newestFirst: readonly T[], maxBytes: number, headBytes: number): T[] {
  if (maxBytes === 0) return [];
  let sizeBytes = headBytes;
  const from = newestFirst.findIndex((block) => (sizeBytes += block.sizeBytes) > maxBytes);
  return from < 0 ? [] : newestFirst.slice(Math.max(from, 1));
}

function maxBytesOf({ sizeBytes, diskPercent }: RetentionOptions, diskBytes: number | undefined): number {
  assert(diskPercent >= 0 && diskPercent <= 100, 'retention: percentage out of range');
  return diskPercent > 0 && diskBytes !== undefined ? Math.floor((diskBytes * diskPercent) / 100) : sizeBytes;
}
