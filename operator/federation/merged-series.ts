import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Encoding, rawChunk, rawEncoding } from '../../lib/chunk/index.ts';
import { errorMessage, type Labels, PromletError, SampleColumns } from '../../lib/model/index.ts';
import {
  ChunkedSeries,
  type EncodedChunk,
  mergeRuns,
  type RemoteSeries,
  type WireCodec,
} from '../../lib/remote/index.ts';
import type { ChunkSeries, RawChunk } from '../../lib/storage/index.ts';

/** Series of one agent; `series` is sorted by labels. */
export interface AgentSeries {
  readonly node: string;
  readonly series: readonly RemoteSeries[];
}

export interface ReadRange {
  readonly codec: WireCodec;
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
}

const BATCH_SERIES = 256;

/**
 * Merges the agents' series by labels (a heap of one cursor per agent). Series of equal labels become one, its samples
 * merged by time; of equal timestamps the agent first in the directory wins.
 */
export async function* mergeSeries(
  sources: readonly AgentSeries[],
  range: ReadRange,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly ChunkSeries[]> {
  const heap = new CursorHeap();
  sources.forEach(({ node, series }, order) => {
    if (series.length > 0) heap.push({ node, series, order, index: 0 });
  });
  let batch: ChunkSeries[] = [];
  for (let first = heap.first; first !== undefined; first = heap.first) {
    const { labels } = first.series[first.index]!;
    const parts: Part[] = [];
    for (let next: Cursor | undefined = first; next !== undefined; next = heap.first) {
      const series: RemoteSeries = next.series[next.index]!;
      if (!series.labels.equals(labels)) break;
      parts.push({ node: next.node, series });
      heap.advance();
    }
    batch.push(new MergedSeries(labels, parts, range));
    if (batch.length < BATCH_SERIES) continue;
    yield batch;
    batch = [];
    await nextTurn();
    signal?.throwIfAborted();
  }
  if (batch.length > 0) yield batch;
}

/** A part of a series, held by one agent. */
interface Part {
  readonly node: string;
  readonly series: RemoteSeries;
}

class MergedSeries implements ChunkSeries {
  readonly labels: Labels;
  readonly #parts: readonly Part[];
  readonly #range: ReadRange;

  constructor(labels: Labels, parts: readonly Part[], range: ReadRange) {
    this.labels = labels;
    this.#parts = parts;
    this.#range = range;
  }

  read(into: SampleColumns): void {
    const { codec, minTimeMs, maxTimeMs } = this.#range;
    const start = into.length;
    for (const { node, series } of this.#parts) {
      const middle = into.length;
      try {
        series.read(codec, minTimeMs, maxTimeMs, into);
      } catch (cause) {
        if (!(cause instanceof PromletError)) throw cause;
        throw new PromletError(cause.code, `node "${node}": ${errorMessage(cause)}`, { cause });
      }
      mergeRuns(into, start, middle);
    }
  }

  /** As the agents cut them where they follow one another, with the empty buckets their histograms have; else anew. */
  *chunks(minMs: number, maxMs: number): Generator<RawChunk> {
    const stored = this.#storedChunks(minMs, maxMs);
    if (stored !== undefined) {
      yield* stored;
      return;
    }
    const samples = new SampleColumns();
    this.read(samples);
    yield* this.#range.codec.encodeChunks(samples).map(rawChunk);
  }

  /** @returns undefined when some overlap, or came in a way that cannot be passed on */
  #storedChunks(minMs: number, maxMs: number): RawChunk[] | undefined {
    const chunks: RawChunk[] = [];
    for (const { series } of this.#parts) {
      if (!(series instanceof ChunkedSeries)) return undefined;
      for (const chunk of series.chunks()) {
        if (chunk.maxTimeMs < minMs || chunk.minTimeMs > maxMs) continue;
        const raw = passedOn(chunk);
        if (raw === undefined) return undefined;
        chunks.push(raw);
      }
    }
    chunks.sort((a, b) => a.minTimeMs - b.minTimeMs);
    const overlap = chunks.some(({ minTimeMs }, i) => i > 0 && minTimeMs <= chunks[i - 1]!.maxTimeMs);
    return overlap ? undefined : chunks;
  }
}

function passedOn({ minTimeMs, maxTimeMs, encoding: number, data }: EncodedChunk): RawChunk | undefined {
  const encoding = rawEncoding(number as Encoding);
  return encoding === undefined ? undefined : { minTimeMs, maxTimeMs, encoding, bytes: data };
}

interface Cursor {
  readonly node: string;
  readonly series: readonly RemoteSeries[];
  /** Place of the agent in the directory. */
  readonly order: number;
  /** Of the series it stands at; always one that exists. */
  index: number;
}

/** A binary heap of cursors, least labels first, then the agents' order. */
class CursorHeap {
  readonly #cursors: Cursor[] = [];

  get first(): Cursor | undefined {
    return this.#cursors[0];
  }

  push(cursor: Cursor): void {
    const cursors = this.#cursors;
    let i = cursors.length;
    cursors.push(cursor);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (compare(cursors[parent]!, cursor) <= 0) break;
      cursors[i] = cursors[parent]!;
      i = parent;
    }
    cursors[i] = cursor;
  }

  /** Moves the first cursor on, and puts it where it then belongs. */
  advance(): void {
    const cursors = this.#cursors;
    let moved = cursors[0]!;
    if (++moved.index >= moved.series.length) {
      const last = cursors.pop()!;
      if (cursors.length === 0) return;
      moved = last;
    }
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= cursors.length) break;
      if (child + 1 < cursors.length && compare(cursors[child + 1]!, cursors[child]!) < 0) child++;
      if (compare(moved, cursors[child]!) <= 0) break;
      cursors[i] = cursors[child]!;
      i = child;
    }
    cursors[i] = moved;
  }
}

function compare(a: Cursor, b: Cursor): number {
  return a.series[a.index]!.labels.compare(b.series[b.index]!.labels) || a.order - b.order;
}
