import type { BlockMeta, BlockStats } from '../../../../lib/tsdb/block/meta.ts';

interface More extends Partial<BlockStats> {
  readonly failed?: boolean;
  readonly hints?: readonly string[];
}

/** Blocks by name: first time, end, and what else is said of them. */
export type BlockFacts = Record<string, [minTime: number, maxTime: number, more?: More]>;

export function block([minTime, maxTime, { failed, hints, ...stats } = {}]: BlockFacts[string]): BlockMeta {
  return { ulid: '', minTime, maxTime, stats, compaction: { level: 1, failed, hints }, version: 1 } as BlockMeta;
}

/** The names of planned blocks, separated by spaces. */
export function named(facts: BlockFacts, planned: readonly BlockMeta[]): string {
  const nameOf = (meta: BlockMeta): string =>
    Object.entries(facts).find(([, fact]) => JSON.stringify(block(fact)) === JSON.stringify(meta))![0];
  return planned.map(nameOf).join(' ');
}
