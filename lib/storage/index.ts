/**
 * The seam between storage and everything else. `promql`, `api`, `scrape` and `federation` see these interfaces only;
 * the TSDB, the federated view and test doubles implement them. Shapes follow Prometheus `storage/interface.go`, made
 * columnar: a series fills typed arrays, nothing is allocated per sample.
 */
import type { Annotations, FloatHistogram, Labels, Matcher, PackedTexts, SampleColumns } from '../model/index.ts';

/** A handle on a series inside one appendable store; positive integer below 2^32. 0 is "none". */
export type SeriesRef = number;

/** What became of one appended sample. Numbers, not exceptions: the scrape loop counts them per target. */
export const AppendResult = {
  ok: 0,
  /** Older than the newest sample of its series, and outside the out-of-order window. */
  outOfOrder: 1,
  /** Same timestamp as the newest sample, other value. (Same value too is `ok` and stores nothing.) */
  duplicate: 2,
  /** Older than what the head still takes. */
  tooOld: 3,
  /** Further ahead of the clock than the limit. */
  tooFarAhead: 4,
  /** The ref names no series (it was garbage-collected): call `series` again. */
  unknownRef: 5,
} as const;
export type AppendResult = (typeof AppendResult)[keyof typeof AppendResult];

/** Collects samples; `commit` makes all of them durable and visible, or none. One writer at a time uses it. */
export interface Appender {
  /**
   * Finds or creates a series.
   * @throws PromletError `storage/series-limit` when new series are refused.
   */
  series(labels: Labels): SeriesRef;
  append(ref: SeriesRef, timestampMs: number, value: number): AppendResult;
  /**
   * One timestamp, many series: the scrape path. `results[i]` becomes the AppendResult of sample i; ref 0 is skipped (`ok`).
   * @returns how many were not `ok`
   */
  appendColumns(
    refs: Uint32Array,
    values: Float64Array,
    count: number,
    timestampMs: number,
    results: Uint8Array,
  ): number;
  appendHistogram(ref: SeriesRef, timestampMs: number, histogram: FloatHistogram): AppendResult;
  /**
   * Exemplars are kept in a ring of fixed size; a duplicate of the series' newest is `duplicate` and not kept.
   * @throws PromletError `storage/exemplar-labels` when its labels have more than 128 characters
   */
  appendExemplar(ref: SeriesRef, exemplar: Exemplar): AppendResult;
  /** Sets what the metric of the series says of itself; logged when it changed. */
  updateMetadata(ref: SeriesRef, metadata: Metadata): AppendResult;
  /** After it resolves, the samples survive `kill -9`. @throws PromletError `storage/…`: nothing was applied. */
  commit(): Promise<void>;
  rollback(): void;
}

export interface Appendable {
  appender(): Appender;
}

/** A reference from a sample to something outside, such as a trace (Prometheus `model/exemplar`). */
export interface Exemplar {
  readonly labels: Labels;
  readonly value: number;
  readonly timestampMs: number;
  /** false: the page gave no time, `timestampMs` is that of the scrape. Default true. */
  readonly hasTimestamp?: boolean;
}

/** What a metric says of itself (`# TYPE`, `# UNIT`, `# HELP`). */
export interface Metadata {
  /** counter, gauge, histogram, gaugehistogram, summary, info, stateset or unknown. */
  readonly type: string;
  readonly unit: string;
  readonly help: string;
}

/** Exemplars of one series, oldest first. */
export interface SeriesExemplars {
  readonly labels: Labels;
  readonly exemplars: readonly Exemplar[];
}

export interface ExemplarQueryable {
  /** Of all series that one of the matcher sets selects, within [minMs, maxMs]; sorted by labels. */
  exemplars(minMs: number, maxMs: number, matcherSets: readonly (readonly Matcher[])[]): SeriesExemplars[];
}

/** What the caller will do with a selection; storage may use it to read less, never to answer otherwise. */
export interface SelectHints {
  /** First and last ms of interest, both inclusive; within the querier's range. */
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs?: number;
  readonly rangeMs?: number;
  /** Name of the innermost function or aggregation around the selector. */
  readonly func?: string;
  readonly grouping?: readonly string[];
  readonly by?: boolean;
  /** The only labels that are looked at: see `Series.projected`. */
  readonly projection?: readonly string[];
  /** Labels without which series are to be told apart: see `Series.hashWithout`. */
  readonly hashWithout?: ReadonlySet<string>;
  /** At most this many series. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
  readonly spend?: Spend;
}

/**
 * Is told of work before it is done, in units of about 10 ns, wherever the work grows with what is stored; throws where it
 * must not be done.
 */
export type Spend = (work: number) => void;

/** One series of a selection. */
export interface Series {
  /** Maybe put together only when asked for; then the selection must still be open. */
  readonly labels: Labels;
  /**
   * Where a projection was asked for: of the labels those in it, mostly one object for all series that have the same. Absent
   * where storage cannot do better than from `labels`.
   */
  readonly projected?: Labels;
  /**
   * Where asked for: a hash of the labels but for those named, an integer below 2^53, which says something beside others of
   * the same selection only. Absent where storage cannot do better than from `labels`.
   */
  readonly hashWithout?: number;
  /** Appends all samples in the querier's range, in order, stale markers included, behind `into.length`. */
  read(into: SampleColumns): void;
}

/** One chunk as it is stored: `bytes` as Prometheus `chunkenc` has them for the encoding. */
export interface RawChunk {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly encoding: 'xor' | 'histogram' | 'float_histogram' | 'xor2';
  readonly bytes: Uint8Array;
}

/** A series that can also be had undecoded, for remote read and federation. */
export interface ChunkSeries extends Series {
  /** Whole chunks that overlap [minMs, maxMs], in order; their first and last may hold samples outside. */
  chunks(minMs: number, maxMs: number): Iterable<RawChunk>;
}

export interface SeriesSet {
  /** Batches of series, sorted by labels when that was asked for. A batch is valid until the next is requested. */
  readonly batches: AsyncIterable<readonly Series[]>;
  /** Complete once `batches` is exhausted. */
  readonly annotations: Annotations;
}

export interface LabelAnswer {
  /** Sorted by UTF-8 bytes, unique. Maybe made only when asked for. */
  readonly values: readonly string[];
  /** The same, where storage has them as bytes. */
  readonly packed?: PackedTexts;
  readonly annotations: Annotations;
}

export interface LabelHints {
  readonly limit?: number;
  readonly signal?: AbortSignal;
  readonly spend?: Spend;
}

/** Some series of a selection that follow one another: plain data, which a querier of the same storage on another thread reads. */
export type SelectionPart = unknown;

/** A selection that is made but not yet read. */
export interface PreparedSelection {
  readonly seriesCount: number;
  /** What reading it costs, as `Spend` counts; an estimate. */
  readonly work: number;
  /** All of it, in order, in parts of about the same size; `count` at most. */
  divide(count: number): readonly SelectionPart[];
}

/** A consistent view of [minTimeMs, maxTimeMs], both inclusive. Close it. */
export interface Querier {
  select(sorted: boolean, hints: SelectHints, matchers: readonly Matcher[]): Promise<SeriesSet>;
  /** As `select`, but to be read by `selectPart`. Absent where storage is not read in parts. */
  prepare?(sorted: boolean, hints: SelectHints, matchers: readonly Matcher[]): Promise<PreparedSelection>;
  selectPart?(part: SelectionPart, hints: SelectHints): Promise<SeriesSet>;
  labelNames(hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer>;
  labelValues(name: string, hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer>;
  close(): void;
}

export interface Queryable {
  querier(minTimeMs: number, maxTimeMs: number): Querier;
}

/** All series of a set, for callers whose sets are small. */
export async function collectSeries(set: SeriesSet): Promise<Series[]> {
  const out: Series[] = [];
  for await (const batch of set.batches) out.push(...batch);
  return out;
}
