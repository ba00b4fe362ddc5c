import { assert } from '../../model/index.ts';
import type { BlockMeta } from '../block/meta.ts';
import { CompactionHint, hasHint } from './plan.ts';

/** What meta.json will say of a block before it is written, when its stats are known. */
export type NewMeta = Omit<BlockMeta, 'stats' | 'version'>;

/** Of a block from the head; `maxTime` is exclusive (tsdb/compact.go, `Write`). */
export function headBlockMeta(ulid: string, minTime: number, maxTime: number, hints: readonly string[] = []): NewMeta {
  return { ulid, minTime, maxTime, compaction: { level: 1, sources: [ulid], hints } };
}

/** Of a block written anew without what was deleted (tsdb/block.go, `CleanTombstones`). */
export function rewrittenMeta(ulid: string, block: BlockMeta): NewMeta {
  const { minTime, maxTime } = block;
  const { hints = [] } = block.compaction;
  const parents = [{ ulid: block.ulid, minTime, maxTime }];
  return { ulid, minTime, maxTime, compaction: { level: 1, sources: [ulid], parents, hints } };
}

/**
 * Of a block compacted from others (tsdb/compact.go, `CompactBlockMetas`). It says that it is out of order only when all of
 * them do, that it has a part of the series when one does.
 */
export function compactedMeta(ulid: string, blocks: readonly BlockMeta[]): NewMeta {
  assert(blocks.length > 0, 'compaction of no blocks');
  const { outOfOrder, selectedSeries, staleSeries } = CompactionHint;
  const hints: string[] = [selectedSeries, staleSeries].filter((hint) => blocks.some((block) => hasHint(block, hint)));
  if (blocks.every((block) => hasHint(block, outOfOrder))) hints.push(outOfOrder);
  return {
    ulid,
    minTime: Math.min(...blocks.map((block) => block.minTime)),
    maxTime: Math.max(...blocks.map((block) => block.maxTime)),
    compaction: {
      level: Math.max(...blocks.map((block) => block.compaction.level)) + 1,
      sources: [...new Set(blocks.flatMap((block) => block.compaction.sources ?? []))].sort(),
      parents: blocks.map(({ ulid: parent, minTime, maxTime }) => ({ ulid: parent, minTime, maxTime })),
      hints: hints.sort(),
    },
  };
}
