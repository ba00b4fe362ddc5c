import type { Kernels } from '../kernels/index.ts';
import type { Matcher } from '../model/index.ts';
import type { LabelAnswer, LabelHints, Querier, SelectHints, SeriesSet } from '../storage/index.ts';
import type { Block } from './block/block.ts';
import { BlockQuerier } from './block/querier.ts';
import type { ChunkReader } from './head/chunk-reader.ts';
import type { HeadView } from './head/head-view.ts';
import { HeadReader } from './head/querier.ts';
import { IncompleteQuerier, mayHoldSamples, type UnreadableBlock } from './incomplete-querier.ts';
import { mergeQueriers } from './merge.ts';

/** What a database is read from. */
export interface ReadParts {
  readonly kernels: Kernels;
  /** In order of their first time. */
  readonly blocks: Iterable<Block>;
  /** Blocks that are not among them. */
  readonly unreadable?: readonly UnreadableBlock[];
  readonly head?: HeadPart;
}

export interface HeadPart {
  readonly view: HeadView;
  readonly chunkReader: ChunkReader;
  /** In-order samples before it are in blocks. */
  readonly floorMs: number;
}

/**
 * A querier over the blocks that overlap [minMs, maxMs] and over the head, unless blocks have all of that range. The parts are
 * its caller's, and stay until it is closed.
 */
export function openQuerier(
  { kernels, blocks, unreadable = [], head }: ReadParts,
  minMs: number,
  maxMs: number,
): { readonly querier: Querier; readonly readsHead: boolean } {
  const queriers: Querier[] = [];
  for (const block of blocks) if (block.overlaps(minMs, maxMs)) queriers.push(new BlockQuerier(block, minMs, maxMs));
  let readsHead = false;
  if (head !== undefined) {
    const { view, chunkReader, floorMs } = head;
    // What is in blocks need not be read from the head, unless it came out of order.
    const inOrderFromMs = Math.max(minMs, floorMs);
    const fromMs = view.read(() => {
      if (chunkReader.outOfOrder.mayHoldSamples(minMs, maxMs)) return minMs;
      return view.minTimeMs <= maxMs && view.maxTimeMs >= inOrderFromMs ? inOrderFromMs : Infinity;
    });
    readsHead = fromMs <= maxMs;
    if (readsHead) queriers.push(new HeadReader(view, chunkReader, fromMs, maxMs));
  }
  const querier = mergeQueriers(kernels, queriers);
  const missing = unreadable.filter((block) => mayHoldSamples(block, minMs, maxMs));
  return { querier: missing.length === 0 ? querier : new IncompleteQuerier(querier, missing), readsHead };
}

/** A querier over head and blocks, which stay until it is closed. */
export class DbQuerier implements Querier {
  readonly #merged: Querier;
  #release: (() => void) | undefined;

  constructor(merged: Querier, release: () => void) {
    this.#merged = merged;
    this.#release = release;
  }

  select(sorted: boolean, hints: SelectHints, matchers: readonly Matcher[]): Promise<SeriesSet> {
    return this.#merged.select(sorted, hints, matchers);
  }

  labelNames(hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    return this.#merged.labelNames(hints, matchers);
  }

  labelValues(name: string, hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    return this.#merged.labelValues(name, hints, matchers);
  }

  close(): void {
    const release = this.#release;
    if (release === undefined) return;
    this.#release = undefined;
    this.#merged.close();
    release();
  }
}
