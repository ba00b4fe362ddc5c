import { deepEqual } from 'node:assert/strict';
import type { BlockMeta } from '../../../../lib/tsdb/block/meta.ts';
import { compactedMeta, headBlockMeta, rewrittenMeta } from '../../../../lib/tsdb/compact/new-meta.ts';

const id = (n: number): string => String(n).padStart(26, '0');

function meta(ulid: string, minTime: number, maxTime: number, compaction: Partial<BlockMeta['compaction']>): BlockMeta {
  return { ulid, minTime, maxTime, stats: { numSeries: 7 }, compaction: { level: 1, ...compaction }, version: 1 };
}

describe('the meta of a new block', () => {
  it('covers the blocks it is compacted from, one level above them, with all of their sources', () => {
    const compacted = compactedMeta(id(9), [
      meta(id(1), 1000, 2000, { level: 2, sources: [id(11), id(20)] }),
      meta(id(2), 200, 500, {}),
      meta(id(3), 500, 2500, { level: 3, sources: [id(15), id(16), id(11)] }),
      meta(id(4), 100, 900, {}),
    ]);
    deepEqual(compacted, {
      ulid: id(9),
      minTime: 100,
      maxTime: 2500,
      compaction: {
        level: 4,
        sources: [id(11), id(15), id(16), id(20)],
        parents: [
          { ulid: id(1), minTime: 1000, maxTime: 2000 },
          { ulid: id(2), minTime: 200, maxTime: 500 },
          { ulid: id(3), minTime: 500, maxTime: 2500 },
          { ulid: id(4), minTime: 100, maxTime: 900 },
        ],
        hints: [],
      },
    });
  });

  it('is out of order when all of its blocks are, and of stale series when one is', () => {
    const O = 'from-out-of-order';
    const S = 'from-stale-series';
    const hintsOf = (...blocks: string[][]): readonly string[] | undefined =>
      compactedMeta(
        id(9),
        blocks.map((hints) => meta(id(1), 0, 1, { hints })),
      ).compaction.hints;
    deepEqual(hintsOf([O], [O]), [O]);
    deepEqual(hintsOf([O], []), []);
    deepEqual(hintsOf([S], []), [S]);
    deepEqual(hintsOf([S], [O]), [S]);
    deepEqual(hintsOf([O, S]), [O, S]);
    deepEqual(hintsOf([O, S], [O]), [O, S]);
  });

  it('is its own source when it comes from the head', () => {
    deepEqual(headBlockMeta(id(5), 0, 10, ['from-out-of-order']), {
      ulid: id(5),
      minTime: 0,
      maxTime: 10,
      compaction: { level: 1, sources: [id(5)], hints: ['from-out-of-order'] },
    });
  });

  it('names the block that it replaces when that is written anew', () => {
    deepEqual(rewrittenMeta(id(5), meta(id(1), 0, 10, { level: 3, sources: [id(2)], hints: ['from-out-of-order'] })), {
      ulid: id(5),
      minTime: 0,
      maxTime: 10,
      compaction: {
        level: 1,
        sources: [id(5)],
        parents: [{ ulid: id(1), minTime: 0, maxTime: 10 }],
        hints: ['from-out-of-order'],
      },
    });
  });
});
