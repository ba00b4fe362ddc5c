import type { Annotations, Matcher } from '../model/index.ts';
import type { LabelAnswer, LabelHints, Querier, SelectHints, SeriesSet } from '../storage/index.ts';

/** A block in the data directory that cannot be opened. */
export interface UnreadableBlock {
  readonly ulid: string;
  /** Its samples are of [minTimeMs, maxTimeMs); of all times when its meta.json cannot be read. */
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
}

/**
 * Says with every answer which blocks it lacks, as Prometheus does of a secondary storage that fails (storage/secondary.go);
 * a database of Prometheus's own with such a block does not open at all.
 */
export class IncompleteQuerier implements Querier {
  readonly #querier: Querier;
  readonly #missing: readonly UnreadableBlock[];

  constructor(querier: Querier, missing: readonly UnreadableBlock[]) {
    this.#querier = querier;
    this.#missing = missing;
  }

  async select(sorted: boolean, hints: SelectHints, matchers: readonly Matcher[]): Promise<SeriesSet> {
    const set = await this.#querier.select(sorted, hints, matchers);
    this.#warn(set.annotations);
    return set;
  }

  async labelNames(hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    const answer = await this.#querier.labelNames(hints, matchers);
    this.#warn(answer.annotations);
    return answer;
  }

  async labelValues(name: string, hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    const answer = await this.#querier.labelValues(name, hints, matchers);
    this.#warn(answer.annotations);
    return answer;
  }

  close(): void {
    this.#querier.close();
  }

  #warn(annotations: Annotations): void {
    for (const { ulid, minTimeMs, maxTimeMs } of this.#missing) {
      const times = Number.isFinite(minTimeMs)
        ? `from ${textOf(minTimeMs)} to ${textOf(maxTimeMs)}`
        : 'of unknown times';
      annotations.warn(`block ${ulid} ${times} cannot be read: its samples are missing`);
    }
  }
}

/** True when a block may hold samples of [minMs, maxMs], both inclusive. */
export function mayHoldSamples(
  { minTimeMs, maxTimeMs }: Pick<UnreadableBlock, 'minTimeMs' | 'maxTimeMs'>,
  minMs: number,
  maxMs: number,
): boolean {
  return minTimeMs <= maxMs && minMs < maxTimeMs;
}

function textOf(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? `${timeMs} ms` : date.toISOString();
}
