import { compareUtf8, type Labels } from '../../model/index.ts';
import type { Chunk } from '../../chunk/index.ts';
import { Heap } from './heap.ts';
import { mergeChunks } from './merge-chunks.ts';
import type { ChunkRecoder } from './recode.ts';
import { mergedSeriesChunks, seriesChunks } from './series-chunks.ts';
import type { CompactionSource, SourceSeries } from './source.ts';

/** A series as it goes into a block. */
export interface MergedSeries {
  readonly labels: Labels;
  /** In order, none overlapping, perhaps none at all. Read once; a chunk is valid until the next is asked for. */
  readonly chunks: Iterable<Chunk>;
}

/**
 * The series of several sources as one list sorted by labels, what is deleted or outside of the range left out
 * (tsdb/compact.go, `PopulateBlock`). Holds one series of each source at a time.
 * @param sources ordered by first time
 * @param minMs inclusive
 * @param maxMs exclusive
 */
export function* mergeSeries(
  sources: readonly CompactionSource[],
  minMs: number,
  maxMs: number,
  recoder: ChunkRecoder,
): Generator<MergedSeries> {
  const chunksOf = ({ series, source }: Cursor): Iterable<Chunk> =>
    (source.overlapping === true ? mergedSeriesChunks : seriesChunks)(series, minMs, maxMs - 1, recoder);

  const heap = new Heap<Cursor>((a, b) => a.series.labels.compare(b.series.labels) < 0);
  const cursors = sources.map((source) => ({ source, rest: source.series()[Symbol.iterator]() }));
  try {
    for (const cursor of cursors) advance(heap, cursor);
    for (let first = heap.pop(); first !== undefined; first = heap.pop()) {
      const { labels } = first.series;
      const same = [first];
      while (heap.peek()?.series.labels.equals(labels) === true) same.push(heap.pop()!);
      const chunks = same.length === 1 ? chunksOf(first) : mergeChunks(same.map(chunksOf), recoder);
      yield { labels, chunks };
      for (const { source, rest } of same) advance(heap, { source, rest });
    }
  } finally {
    closeAll(cursors.map(({ rest }) => rest));
  }
}

/** The symbols of all sources, sorted by UTF-8 bytes, each once. */
export function* mergeSymbols(sources: readonly CompactionSource[]): Generator<string> {
  const heap = new Heap<{ symbol: string; rest: Iterator<string> }>((a, b) => compareUtf8(a.symbol, b.symbol) < 0);
  const advanceSymbol = (rest: Iterator<string>): void => {
    const { value, done } = rest.next();
    if (done !== true) heap.push({ symbol: value, rest });
  };
  const rests = sources.map((source) => source.symbols()[Symbol.iterator]());
  try {
    for (const rest of rests) advanceSymbol(rest);
    let last: string | undefined;
    for (let next = heap.pop(); next !== undefined; next = heap.pop()) {
      if (next.symbol !== last) yield next.symbol;
      last = next.symbol;
      advanceSymbol(next.rest);
    }
  } finally {
    closeAll(rests);
  }
}

/** Lets sources close the files that they read, also when something failed halfway. */
function closeAll(iterators: readonly Iterator<unknown>[]): void {
  for (const iterator of iterators) iterator.return?.();
}

/** A source at a series of it. */
interface Cursor {
  readonly source: CompactionSource;
  readonly rest: Iterator<SourceSeries>;
  readonly series: SourceSeries;
}

function advance(heap: Heap<Cursor>, { source, rest }: Omit<Cursor, 'series'>): void {
  const { value, done } = rest.next();
  if (done !== true) heap.push({ source, rest, series: value });
}
