import { type ArenaViews, layout } from '../../kernels/index.ts';
import { assert, SampleColumns } from '../../model/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import type { Chunk } from '../chunk/chunk.ts';
import type { ChunkDecoder } from '../chunk/decoder.ts';
import { mergeSamples } from '../compact/merge-samples.ts';
import { chunkIn, type ReadMappedChunk } from './chunk-block.ts';
import { histogramsAt, OOO_CAPACITY, OOO_CHUNKS, OOO_COUNT, OOO_SAMPLES, timesAt, valuesAt } from './ooo-layout.ts';
import { columnValue } from './ref-column.ts';

const { CHUNK_MAX_TIME, CHUNK_MIN_TIME, CHUNK_OLDER } = layout;

/** Reads the out-of-order samples of a head, on any thread that has its memory. Its buffers are used again from call to call. */
export class OutOfOrderReader {
  readonly #views: ArenaViews;
  readonly #root: number;
  readonly #decoder: ChunkDecoder;
  readonly #readMapped: ReadMappedChunk;
  readonly #lists: SampleColumns[] = [];
  readonly #merged = new SampleColumns();

  /** @param root `OutOfOrderHead.root` */
  constructor(views: ArenaViews, root: number, decoder: ChunkDecoder, readMapped: ReadMappedChunk) {
    this.#views = views;
    this.#root = root;
    this.#decoder = decoder;
    this.#readMapped = readMapped;
  }

  /** Whether a chunk of the series overlaps [minMs, maxMs]. */
  overlaps(ref: SeriesRef, minMs: number, maxMs: number): boolean {
    const record = columnValue(this.#views.u32, this.#root, ref);
    if (record === 0) return false;
    const { u32, f64 } = this.#views;
    const count = u32[(record + OOO_COUNT) >>> 2]!;
    const times = timesAt(u32[(record + OOO_SAMPLES) >>> 2]!);
    if (count > 0 && f64[times]! <= maxMs && f64[times + count - 1]! >= minMs) return true;
    for (const _ of this.#blocks(record, minMs, maxMs)) return true;
    return false;
  }

  /**
   * Merges the out-of-order samples of a series within [minMs, maxMs] into those in order, which `into` holds from `from` on;
   * of two with one time, one stays.
   * @throws PromletError when a chunk on file cannot be read
   */
  mergeInto(ref: SeriesRef, minMs: number, maxMs: number, into: SampleColumns, from: number): void {
    const record = columnValue(this.#views.u32, this.#root, ref);
    if (record === 0) return;
    const inOrder = this.#list(0);
    copySamples(into, from, into.length, inOrder);
    const lists = [inOrder];
    for (const block of this.#blocks(record, minMs, maxMs)) {
      const { encoding, bytes } = chunkIn(this.#views, block, this.#readMapped);
      const list = this.#list(lists.length);
      this.#decoder.decode(encoding, bytes, minMs, maxMs, list);
      if (list.length > 0) lists.push(list);
    }
    const open = this.#list(lists.length);
    readOpenChunk(this.#views, record, this.#decoder, minMs, maxMs, open);
    if (open.length > 0) lists.push(open);
    if (lists.length === 1) return;
    mergeSamples(lists, this.#merged);
    into.length = from;
    copySamples(this.#merged, 0, this.#merged.length, into);
  }

  /** Completed chunks of a series that overlap [minMs, maxMs], by their first time; each valid until the next is asked for. */
  *chunks(ref: SeriesRef, minMs: number, maxMs: number): IterableIterator<Chunk> {
    const record = columnValue(this.#views.u32, this.#root, ref);
    if (record === 0) return;
    const { f64 } = this.#views;
    const blocks = [...this.#blocks(record, minMs, maxMs)].reverse();
    blocks.sort((a, b) => f64[(a + CHUNK_MIN_TIME) / 8]! - f64[(b + CHUNK_MIN_TIME) / 8]!);
    for (const block of blocks) yield chunkIn(this.#views, block, this.#readMapped);
  }

  *#blocks(record: number, minMs: number, maxMs: number): IterableIterator<number> {
    const { u32, f64 } = this.#views;
    let block = u32[(record + OOO_CHUNKS) >>> 2]!;
    while (block !== 0) {
      const minTimeMs = f64[(block + CHUNK_MIN_TIME) / 8]!;
      if (minTimeMs <= maxMs && f64[(block + CHUNK_MAX_TIME) / 8]! >= minMs) yield block;
      block = u32[(block + CHUNK_OLDER) >>> 2]!;
    }
  }

  #list(index: number): SampleColumns {
    const list = (this.#lists[index] ??= new SampleColumns());
    list.clear();
    return list;
  }
}

/** Reads the open chunk of an out-of-order record behind what `into` holds. */
export function readOpenChunk(
  views: ArenaViews,
  record: number,
  decoder: ChunkDecoder,
  minMs: number,
  maxMs: number,
  into: SampleColumns,
): void {
  const { u32, f64 } = views;
  const count = u32[(record + OOO_COUNT) >>> 2]!;
  const capacity = u32[(record + OOO_CAPACITY) >>> 2]!;
  const samples = u32[(record + OOO_SAMPLES) >>> 2]!;
  for (let i = 0; i < count; i++) {
    const timeMs = f64[timesAt(samples) + i]!;
    if (timeMs < minMs || timeMs > maxMs) continue;
    const block = u32[histogramsAt(samples, capacity) + i]!;
    if (block === 0) {
      into.push(timeMs, f64[valuesAt(samples, capacity) + i]!);
    } else {
      const { encoding, bytes } = chunkIn(views, block, notMapped);
      decoder.decode(encoding, bytes, minMs, maxMs, into);
    }
  }
}

function copySamples(from: SampleColumns, start: number, end: number, into: SampleColumns): void {
  const count = end - start;
  into.reserve(count);
  into.timestamps.set(from.timestamps.subarray(start, end), into.length);
  into.values.set(from.values.subarray(start, end), into.length);
  for (let i = 0; i < count; i++) {
    const histogram = from.histograms?.[start + i];
    if (histogram !== undefined) (into.histograms ??= [])[into.length + i] = histogram;
    else if (into.histograms !== undefined) into.histograms[into.length + i] = undefined;
  }
  into.length += count;
}

function notMapped(): never {
  assert(false, 'out-of-order head: a histogram of the open chunk lies in memory');
}
