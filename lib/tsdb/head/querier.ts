import { Annotations, assert, compareUtf8, type Labels, type Matcher, type SampleColumns } from '../../model/index.ts';
import type {
  ChunkSeries,
  LabelAnswer,
  LabelHints,
  Querier,
  RawChunk,
  SelectHints,
  Series,
  SeriesRef,
  SeriesSet,
} from '../../storage/index.ts';
import { SELECT_BATCH_SIZE } from '../limits.ts';
import type { Head } from './head.ts';
import { selectPostings } from './select.ts';
import type { ChunkPlace } from './series-table.ts';

/** One series of the head, read when asked. */
class HeadSeries implements ChunkSeries {
  readonly labels: Labels;
  readonly #head: Head;
  readonly #ref: SeriesRef;
  readonly #minMs: number;
  readonly #maxMs: number;

  constructor(head: Head, ref: SeriesRef, labels: Labels, minMs: number, maxMs: number) {
    this.labels = labels;
    this.#head = head;
    this.#ref = ref;
    this.#minMs = minMs;
    this.#maxMs = maxMs;
  }

  read(into: SampleColumns): void {
    this.#head.read(this.#ref, this.#minMs, this.#maxMs, into);
  }

  chunks(minMs: number, maxMs: number): RawChunk[] {
    const places: ChunkPlace[] = [];
    const from = Math.max(minMs, this.#minMs);
    const count = this.#head.table.chunkPlaces(
      this.#head.table.record(this.#ref),
      from,
      Math.min(maxMs, this.#maxMs),
      places,
    );
    const { u8 } = this.#head.kernels.arena;
    // Copied, because the head goes on writing to the newest.
    return places.slice(0, count).map(({ data, lengthBytes, minTimeMs, maxTimeMs }) => ({
      minTimeMs,
      maxTimeMs,
      encoding: 'xor',
      bytes: new Uint8Array(u8.subarray(data, data + lengthBytes)),
    }));
  }
}

/** Reads the head within [minTimeMs, maxTimeMs]. Commits are synchronous, so no read sees half of one. */
export class HeadQuerier implements Querier {
  readonly #head: Head;
  readonly #minTimeMs: number;
  readonly #maxTimeMs: number;
  #closed = false;

  constructor(head: Head, minTimeMs: number, maxTimeMs: number) {
    this.#head = head;
    this.#minTimeMs = minTimeMs;
    this.#maxTimeMs = maxTimeMs;
  }

  // eslint-disable-next-line typescript/require-await
  async select(sorted: boolean, hints: SelectHints, matchers: readonly Matcher[]): Promise<SeriesSet> {
    assert(!this.#closed, 'querier: used after close');
    hints.signal?.throwIfAborted();
    const refs = this.#mayHoldSamples() ? selectPostings(this.#head.index, matchers) : new Uint32Array(0);
    return { batches: this.#batches(refs, sorted, hints), annotations: new Annotations() };
  }

  // eslint-disable-next-line typescript/require-await
  async labelNames(hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    assert(!this.#closed, 'querier: used after close');
    const { index } = this.#head;
    let names: Iterable<string> = [];
    if (!this.#mayHoldSamples()) names = [];
    else if (matchers.length === 0) names = index.names();
    else names = this.#pairsOf(matchers, (id, found) => found.add(index.pairName(id)), hints);
    return answer(names, hints);
  }

  // eslint-disable-next-line typescript/require-await
  async labelValues(name: string, hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    assert(!this.#closed, 'querier: used after close');
    const { index } = this.#head;
    let values: Iterable<string> = [];
    if (!this.#mayHoldSamples()) values = [];
    else if (matchers.length === 0) values = index.values(name)?.keys() ?? [];
    else {
      const wanted = (id: number, found: Set<string>): void => {
        if (index.pairName(id) === name) found.add(index.pairValue(id));
      };
      values = this.#pairsOf(matchers, wanted, hints);
    }
    return answer(values, hints);
  }

  close(): void {
    this.#closed = true;
  }

  /** As in Prometheus, a head that does not overlap the range answers nothing; within it, all of its labels. */
  #mayHoldSamples(): boolean {
    return this.#head.minTimeMs <= this.#maxTimeMs && this.#head.maxTimeMs >= this.#minTimeMs;
  }

  #pairsOf(
    matchers: readonly Matcher[],
    take: (id: number, found: Set<string>) => void,
    hints: LabelHints,
  ): Set<string> {
    const { index, table } = this.#head;
    const found = new Set<string>();
    for (const ref of selectPostings(index, matchers)) {
      hints.signal?.throwIfAborted();
      index.eachPair(table.labels(table.record(ref)), (id) => take(id, found));
    }
    return found;
  }

  async *#batches(refs: Uint32Array, sorted: boolean, hints: SelectHints): AsyncGenerator<readonly Series[]> {
    const head = this.#head;
    const minMs = Math.max(this.#minTimeMs, hints.startMs);
    const maxMs = Math.min(this.#maxTimeMs, hints.endMs);
    let left = hints.limit !== undefined && hints.limit > 0 ? hints.limit : Infinity;
    const order = sorted ? sortedByLabels(head, refs) : undefined;
    for (let i = 0; i < refs.length && left > 0;) {
      hints.signal?.throwIfAborted();
      assert(!this.#closed, 'querier: read after close');
      const batch: Series[] = [];
      for (; i < refs.length && batch.length < SELECT_BATCH_SIZE && left > 0; i++) {
        const entry = order?.[i];
        const ref = entry?.ref ?? refs[i]!;
        if (!head.table.hasSamples(ref, minMs, maxMs)) continue;
        batch.push(new HeadSeries(head, ref, entry?.labels ?? head.labels(ref), minMs, maxMs));
        left--;
      }
      if (batch.length > 0) yield batch;
    }
  }
}

function sortedByLabels(head: Head, refs: Uint32Array): { ref: SeriesRef; labels: Labels }[] {
  const entries: { ref: SeriesRef; labels: Labels }[] = [];
  for (const ref of refs) entries.push({ ref, labels: head.labels(ref) });
  return entries.sort((a, b) => a.labels.compare(b.labels));
}

function answer(found: Iterable<string>, hints: LabelHints): LabelAnswer {
  hints.signal?.throwIfAborted();
  const values = [...found].sort(compareUtf8);
  const limit = hints.limit ?? 0;
  return { values: limit > 0 ? values.slice(0, limit) : values, annotations: new Annotations() };
}
