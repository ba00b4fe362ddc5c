import { type ArenaViews, type Kernels, layout } from '../../kernels/index.ts';
import { assert, SampleColumns } from '../../model/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import { type Chunk, ChunkDecoder } from '../../chunk/index.ts';
import { mergeSamples } from '../compact/merge-samples.ts';
import {
  chunkHeader,
  chunkIn,
  type ChunkFilePlace,
  filePlace,
  isBehind,
  isMapped,
  type ReadMappedChunk,
} from './chunk-block.ts';
import { histogramsAt, OOO_CAPACITY, OOO_CHUNKS, OOO_COUNT, OOO_SAMPLES, timesAt, valuesAt } from './ooo-layout.ts';
import { columnValue } from './ref-column.ts';

const { CHUNK_MAX_TIME, CHUNK_MIN_TIME, CHUNK_OLDER, HEAD_OOO_MAX_TIME, HEAD_OOO_MIN_TIME, HEAD_OUT_OF_ORDER } = layout;

/** Links and counts that a reader meets while the writer is at work may be garbage: it goes no further than this. */
const MAX_CHUNKS = 1 << 20;
const MAX_OPEN_SAMPLES = 1 << 16;

/** `HeadView`, as far as it is needed here. */
export interface HeadSections {
  readonly views: ArenaViews;
  read<T>(fn: () => T): T;
}

/** A completed chunk, taken in a read section: its bytes, or its place on file. */
interface TakenChunk extends Omit<Chunk, 'bytes'> {
  readonly bytes: Uint8Array | undefined;
  readonly place: ChunkFilePlace | undefined;
}

/**
 * Reads the out-of-order samples of a head, on any thread; another than the writer's copies in a read section what it then
 * decodes. Its buffers are used again from call to call.
 */
export class OutOfOrderReader {
  readonly #view: HeadSections;
  readonly #headRoot: number;
  readonly #decoder: ChunkDecoder;
  readonly #copies: boolean;
  readonly #readMapped: ReadMappedChunk;
  readonly #lists: SampleColumns[] = [];
  readonly #open = new SampleColumns();
  readonly #merged = new SampleColumns();

  /**
   * @param headRoot address of the head's root
   * @param kernels the thread's own
   */
  constructor(view: HeadSections, headRoot: number, kernels: Kernels, readMapped: ReadMappedChunk) {
    this.#view = view;
    this.#headRoot = headRoot;
    this.#decoder = new ChunkDecoder(kernels);
    this.#copies = view.views !== kernels.arena;
    this.#readMapped = readMapped;
  }

  /** Whether any series has samples in [minMs, maxMs]. Within a read section. */
  mayHoldSamples(minMs: number, maxMs: number): boolean {
    const { f64 } = this.#view.views;
    return (
      f64[(this.#headRoot + HEAD_OOO_MIN_TIME) / 8]! <= maxMs && f64[(this.#headRoot + HEAD_OOO_MAX_TIME) / 8]! >= minMs
    );
  }

  /** Whether a chunk of the series overlaps [minMs, maxMs]. Within a read section. */
  overlaps(ref: SeriesRef, minMs: number, maxMs: number): boolean {
    return this.lastTimeMs(ref, minMs, maxMs) !== undefined;
  }

  /** The last time of the series' chunks that overlap [minMs, maxMs]; undefined when none does. Within a read section. */
  lastTimeMs(ref: SeriesRef, minMs: number, maxMs: number): number | undefined {
    const record = this.#record(ref);
    if (record === 0) return undefined;
    const { u32, f64 } = this.#view.views;
    const count = u32[(record + OOO_COUNT) >>> 2]!;
    const times = timesAt(u32[(record + OOO_SAMPLES) >>> 2]!);
    let lastMs: number | undefined;
    if (count > 0 && f64[times]! <= maxMs && f64[times + count - 1]! >= minMs) lastMs = f64[times + count - 1];
    for (const block of this.#blocks(record, minMs, maxMs)) {
      const blockMs = f64[(block + CHUNK_MAX_TIME) / 8]!;
      if (lastMs === undefined || blockMs > lastMs) lastMs = blockMs;
    }
    return lastMs;
  }

  /**
   * Merges the out-of-order samples of a series within [minMs, maxMs] into those in order, which `into` holds from `from` on;
   * of two with one time, one stays.
   * @throws PromletError when a chunk on file cannot be read
   */
  mergeInto(ref: SeriesRef, minMs: number, maxMs: number, into: SampleColumns, from: number): void {
    const taken = this.#view.read(() => this.#take(ref, minMs, maxMs));
    if (taken === undefined) return;
    const lists = [this.#list(0)];
    copySamples(into, from, into.length, lists[0]!);
    for (const { encoding, bytes, place } of taken.chunks) {
      const list = this.#list(lists.length);
      this.#decoder.decode(encoding, bytes ?? this.#readMapped(place!).bytes, minMs, maxMs, list);
      if (list.length > 0) lists.push(list);
    }
    if (taken.open.length > 0) lists.push(taken.open);
    if (lists.length === 1) return;
    mergeSamples(lists, this.#merged);
    into.length = from;
    copySamples(this.#merged, 0, this.#merged.length, into);
  }

  /**
   * Completed chunks of a series that overlap [minMs, maxMs], by their first time; each valid until the next is asked for.
   * @param last only those on file, up to this place
   * @throws PromletError when a chunk on file cannot be read
   */
  *chunks(ref: SeriesRef, minMs: number, maxMs: number, last?: ChunkFilePlace): IterableIterator<Chunk> {
    const taken = this.#view.read(() => this.#take(ref, minMs, maxMs));
    const chunks = (taken?.chunks ?? []).sort((a, b) => a.minTimeMs - b.minTimeMs);
    for (const { encoding, minTimeMs, maxTimeMs, bytes, place } of chunks) {
      if (last !== undefined && (place === undefined || isBehind(place, last))) continue;
      yield { encoding, minTimeMs, maxTimeMs, bytes: bytes ?? this.#readMapped(place!).bytes };
    }
  }

  /** Gives the scratch memory back; it is taken again when needed. */
  release(): void {
    this.#decoder.release();
  }

  #take(ref: SeriesRef, minMs: number, maxMs: number): { chunks: TakenChunk[]; open: SampleColumns } | undefined {
    const record = this.#record(ref);
    if (record === 0) return undefined;
    const { views } = this.#view;
    const chunks = this.#blocks(record, minMs, maxMs).map((block): TakenChunk => {
      if (isMapped(views, block))
        return { ...chunkHeader(views, block), bytes: undefined, place: filePlace(views, block) };
      const chunk = chunkIn(views, block, notMapped);
      return { ...chunk, bytes: this.#copies ? chunk.bytes.slice() : chunk.bytes, place: undefined };
    });
    this.#open.clear();
    readOpenChunk(views, record, this.#decoder, minMs, maxMs, this.#open);
    return { chunks, open: this.#open };
  }

  #record(ref: SeriesRef): number {
    const { u32 } = this.#view.views;
    const column = u32[(this.#headRoot + HEAD_OUT_OF_ORDER) >>> 2]!;
    return column === 0 ? 0 : columnValue(u32, column, ref);
  }

  /** Blocks of the completed chunks that overlap, in the order of their completion. */
  #blocks(record: number, minMs: number, maxMs: number): number[] {
    const { u32, f64 } = this.#view.views;
    const blocks: number[] = [];
    let block = u32[(record + OOO_CHUNKS) >>> 2];
    for (let i = 0; block && i < MAX_CHUNKS; i++) {
      const minTimeMs = f64[(block + CHUNK_MIN_TIME) / 8]!;
      if (minTimeMs <= maxMs && f64[(block + CHUNK_MAX_TIME) / 8]! >= minMs) blocks.push(block);
      block = u32[(block + CHUNK_OLDER) >>> 2];
    }
    return blocks.reverse();
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
  // Another thread may see a count that is none.
  for (let i = 0; i < Math.min(count, capacity, MAX_OPEN_SAMPLES); i++) {
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
