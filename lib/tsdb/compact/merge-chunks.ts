import type { Chunk } from '../../chunk/index.ts';
import { Heap } from './heap.ts';
import { keep } from './keep.ts';
import type { ChunkRecoder } from './recode.ts';

/** One of the lists being merged, at a chunk of it. */
interface Cursor {
  chunk: Chunk;
  readonly rest: Iterator<Chunk>;
}

/**
 * The chunks of one series in several sources as one list in which none overlap. A chunk that overlaps no other is handed
 * on byte for byte; of identical ones one is kept; the samples of those that overlap are merged and encoded anew
 * (storage/merge.go, `compactChunkIterator`).
 * @param lists each in order and without overlaps
 * @returns chunks in order, each valid until the next is asked for
 */
export function* mergeChunks(lists: readonly Iterable<Chunk>[], recoder: ChunkRecoder): Generator<Chunk> {
  const heap = new Heap<Cursor>(isEarlier);
  for (const list of lists) start(heap, list);
  for (let cursor = heap.pop(); cursor !== undefined; cursor = heap.pop()) {
    const next = heap.peek();
    if (next === undefined || next.chunk.minTimeMs > cursor.chunk.maxTimeMs) {
      yield cursor.chunk;
      advance(heap, cursor);
      continue;
    }
    const first = keep(cursor.chunk);
    advance(heap, cursor);
    const others = takeOverlapping(heap, first);
    if (others.length === 0) {
      yield first;
      continue;
    }
    // Which of two samples of one time is kept depends on this order.
    const [head, ...tail] = recoder.merge([...others, first]);
    if (tail.length > 0) start(heap, tail);
    yield head!;
  }
}

/** Takes from the heap what overlaps `first` or what it overlaps in turn; of neighbours that are identical, one. */
function takeOverlapping(heap: Heap<Cursor>, first: Chunk): Chunk[] {
  const taken: Chunk[] = [];
  let previous = first;
  let { maxTimeMs } = first;
  for (let next = heap.peek(); next !== undefined && next.chunk.minTimeMs <= maxTimeMs; next = heap.peek()) {
    const { chunk } = next;
    if (!isIdentical(chunk, previous)) {
      previous = keep(chunk);
      taken.push(previous);
      maxTimeMs = Math.max(maxTimeMs, chunk.maxTimeMs);
    }
    advance(heap, heap.pop()!);
  }
  return taken;
}

function start(heap: Heap<Cursor>, list: Iterable<Chunk>): void {
  const rest = list[Symbol.iterator]();
  const { value, done } = rest.next();
  if (done !== true) heap.push({ chunk: value, rest });
}

function advance(heap: Heap<Cursor>, cursor: Cursor): void {
  const { value, done } = cursor.rest.next();
  if (done === true) return;
  cursor.chunk = value;
  heap.push(cursor);
}

function isEarlier({ chunk: a }: Cursor, { chunk: b }: Cursor): boolean {
  return a.minTimeMs === b.minTimeMs ? a.maxTimeMs < b.maxTimeMs : a.minTimeMs < b.minTimeMs;
}

function isIdentical(a: Chunk, b: Chunk): boolean {
  return a.minTimeMs === b.minTimeMs && a.maxTimeMs === b.maxTimeMs && Buffer.compare(a.bytes, b.bytes) === 0;
}
