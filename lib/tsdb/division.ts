import type { Labels } from '../model/index.ts';
import type { PreparedSelection, Querier } from '../storage/index.ts';

/** Series of one source, in memory that threads share. */
export interface SourcePart {
  readonly refs: Uint32Array;
  /** The last time each may be read to, where that is the source's to say. */
  readonly maxTimesMs?: Float64Array;
}

/**
 * A part of a selection (`SelectionPart`): of each source, in their order, some of its series; where there are several sources
 * those with labels from one label set up to another. Who selects anew would not find the same: the head goes on.
 */
export type Part = readonly SourcePart[];

/** A querier whose selections can be divided. */
export interface DividingQuerier extends Querier {
  prepare: NonNullable<Querier['prepare']>;
  selectPart: NonNullable<Querier['selectPart']>;
}

export function canDivide(querier: Querier): querier is DividingQuerier {
  return querier.prepare !== undefined && querier.selectPart !== undefined;
}

/** What one source selects. */
export class SourceSelection implements PreparedSelection {
  readonly work: number;
  readonly #all: SourcePart;
  readonly #labelsOf: (ref: number) => Labels | undefined;

  /**
   * @param all is copied
   * @param labelsOf a series; undefined when it has been removed since
   */
  constructor({ refs, maxTimesMs }: SourcePart, work: number, labelsOf: (ref: number) => Labels | undefined) {
    this.work = work;
    this.#all = {
      refs: sharedCopy(refs, Uint32Array),
      ...(maxTimesMs && { maxTimesMs: sharedCopy(maxTimesMs, Float64Array) }),
    };
    this.#labelsOf = labelsOf;
  }

  get seriesCount(): number {
    return this.#all.refs.length;
  }

  divide(count: number): Part[] {
    const length = this.seriesCount;
    const parts = Math.max(1, Math.min(count, length));
    const end = (part: number): number => Math.floor((length * (part + 1)) / parts);
    return Array.from({ length: parts }, (_, i) => [this.slice(end(i - 1), end(i))]);
  }

  /** Labels of the first series from index `from` on that is still there. */
  labelsFrom(from: number): Labels | undefined {
    const { refs } = this.#all;
    for (let i = from; i < refs.length; i++) {
      const labels = this.#labelsOf(refs[i]!);
      if (labels !== undefined) return labels;
    }
    return undefined;
  }

  /** Index of the first series whose labels do not come before those, when they are sorted. */
  indexOf(labels: Labels): number {
    let low = 0;
    let high = this.seriesCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = this.labelsFrom(middle);
      if (found === undefined || found.compare(labels) >= 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  slice(from: number, end: number): SourcePart {
    const { refs, maxTimesMs } = this.#all;
    return { refs: refs.subarray(from, end), ...(maxTimesMs && { maxTimesMs: maxTimesMs.subarray(from, end) }) };
  }
}

/** Cuts sorted selections at the same labels, those of the largest of them at about equal distances. */
export function divideTogether(selections: readonly SourceSelection[], count: number): Part[] {
  const largest = selections.reduce((a, b) => (b.seriesCount > a.seriesCount ? b : a), selections[0]!);
  const parts: Part[] = [];
  let starts = selections.map(() => 0);
  for (let i = 1; i < count; i++) {
    const labels = largest.labelsFrom(Math.floor((largest.seriesCount * i) / count));
    if (labels === undefined) break;
    const ends = selections.map((selection) => selection.indexOf(labels));
    parts.push(selections.map((selection, k) => selection.slice(starts[k]!, ends[k]!)));
    starts = ends;
  }
  parts.push(selections.map((selection, k) => selection.slice(starts[k]!, selection.seriesCount)));
  return parts;
}

function sharedCopy<T extends Uint32Array | Float64Array>(
  array: T,
  Type: { new (buffer: SharedArrayBuffer): T; readonly BYTES_PER_ELEMENT: number },
): T {
  const copy = new Type(new SharedArrayBuffer(array.length * Type.BYTES_PER_ELEMENT));
  copy.set(array);
  return copy;
}
