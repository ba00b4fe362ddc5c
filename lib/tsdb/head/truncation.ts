import { layout } from '../../kernels/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import type { Pace } from '../pace.ts';
import type { Head } from './head.ts';
import type { LabelIndex } from './label-index.ts';
import type { ChunkPlace } from './series-reader.ts';

const { SERIES_PAGE_BITS, SERIES_PAGE_COUNT } = layout;

/** Series that are removed in one go; the pairs of all of them are swept once then. */
const REMOVAL_BATCH = 1 << 16;
/** Series removed in one write section, and postings swept. */
const SECTION_SERIES = 64;
const SECTION_POSTINGS = 1 << 15;
/** Empty entries of the page directory that are passed over between two looks at the clock. */
const EMPTY_PAGES = 4096;

/** What is left of the samples in order. */
export interface Truncation {
  readonly chunksRemoved: number;
  readonly seriesRemoved: number;
  /** The oldest file of `chunks_head/` in which a chunk lies; undefined when none does. */
  readonly minFile: number | undefined;
}

/**
 * Takes the chunks out of the head that end before `minMs`, and the series that then have none (`Head.truncateMemory` and
 * `Head.gc` of tsdb/head.go), in slices. Samples before `minMs` are refused from the beginning on. One at a time; who reads
 * what goes must be waited for before.
 */
export async function truncateHead(head: Head, minMs: number, pace: Pace): Promise<Truncation> {
  head.beginTruncation(minMs);
  const left = await truncateChunks(head, minMs, pace);
  head.endTruncation(left.minTimeMs);
  let seriesRemoved = 0;
  for (let from = 0; from < left.empty.length; from += REMOVAL_BATCH) {
    seriesRemoved += await removeSeries(head, left.empty.slice(from, from + REMOVAL_BATCH), pace);
  }
  return { chunksRemoved: left.chunksRemoved, seriesRemoved, minFile: left.minFile };
}

interface Left {
  readonly chunksRemoved: number;
  readonly minTimeMs: number;
  readonly minFile: number | undefined;
  /** Series that have no chunk. */
  readonly empty: readonly SeriesRef[];
}

async function truncateChunks(head: Head, minMs: number, pace: Pace): Promise<Left> {
  const { table, root } = head;
  const empty: SeriesRef[] = [];
  const places: ChunkPlace[] = [];
  let chunksRemoved = 0;
  let minTimeMs = Infinity;
  let minFile = Infinity;
  let emptyPages = 0;
  for (let page = 0; page < table.pageCount; page++) {
    if (!table.hasPage(page)) {
      if (++emptyPages % EMPTY_PAGES === 0) await pace();
      continue;
    }
    root.beginWrite();
    try {
      const first = page << SERIES_PAGE_BITS;
      for (let ref = first >>> 0; ref < (first >>> 0) + SERIES_PAGE_COUNT; ref++) {
        const record = table.record(ref);
        if (record === 0) continue;
        chunksRemoved += table.truncateChunks(record, minMs);
        if (table.chunkPlaces(record, -Infinity, Infinity, places) === 0) {
          empty.push(ref);
          continue;
        }
        const [oldest] = places;
        minTimeMs = Math.min(minTimeMs, oldest!.minTimeMs);
        if (oldest!.mapped) minFile = Math.min(minFile, oldest!.fileNumber);
      }
    } finally {
      root.endWrite();
    }
    await pace();
  }
  return { chunksRemoved, minTimeMs, minFile: minFile === Infinity ? undefined : minFile, empty };
}

/** Removes those of some series without chunks that may go. @returns how many */
async function removeSeries(head: Head, refs: readonly SeriesRef[], pace: Pace): Promise<number> {
  const { root } = head;
  const pairs = new Set<number>();
  let removed = 0;
  for (let from = 0; from < refs.length; from += SECTION_SERIES) {
    root.beginWrite();
    try {
      for (const ref of refs.slice(from, from + SECTION_SERIES)) {
        // It may have got a sample since, or be wanted again.
        if (!head.isEmpty(ref) || !head.mayRemove(ref)) continue;
        head.seriesLeaves(ref);
        head.remove(ref, pairs);
        removed++;
      }
      root.invalidate();
    } finally {
      root.endWrite();
    }
    await pace();
  }
  if (removed === 0) return 0;
  head.forgetUnlogged();
  await sweepPostings(head, pairs, pace);
  return removed;
}

/** Takes removed series out of the postings, which readers pass over until then. */
async function sweepPostings({ index, root }: Head, pairs: Set<number>, pace: Pace): Promise<void> {
  const sweeps = sweepsOf(index, pairs);
  for (let through = false; !through;) {
    root.beginWrite();
    try {
      for (let left = SECTION_POSTINGS; left > 0 && !through;) {
        const { done, value } = sweeps.next();
        through = done === true;
        // A short list costs more than its refs.
        left -= (value ?? 0) + 16;
      }
      root.invalidate();
    } finally {
      root.endWrite();
    }
    await pace();
  }
}

/** Yields how many refs were looked at, after a part of a section each. */
function* sweepsOf(index: LabelIndex, pairs: Set<number>): Generator<number, undefined> {
  for (const pair of pairs) yield* sweepsOfList(() => index.sweepPair(pair, SECTION_POSTINGS));
  yield* sweepsOfList(() => index.sweepAllSeries(SECTION_POSTINGS));
}

function* sweepsOfList(sweep: () => { looked: number; through: boolean }): Generator<number, undefined> {
  for (let through = false; !through;) {
    const swept = sweep();
    through = swept.through;
    yield swept.looked;
  }
}
