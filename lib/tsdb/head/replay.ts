import type { SeriesRef } from '../../storage/index.ts';
import type { LogVisitor } from '../wal/record-decoder.ts';
import type { LoggedSeries } from '../wal/series-record.ts';
import type { SampleBuffer } from './columns.ts';
import type { Head } from './head.ts';

/** Applies a log to a head (tsdb/head_wal.go `loadWAL`). Nobody else may touch the head meanwhile. */
export class HeadReplay implements LogVisitor {
  readonly #head: Head;
  /** Refs in the log that stand for a series the head knows under another ref. */
  readonly #aliases = new Map<number, SeriesRef>();
  /** Samples naming a series that the log does not have. */
  unknownSeriesSamples = 0;

  constructor(head: Head) {
    this.#head = head;
  }

  series(series: readonly LoggedSeries[]): void {
    const head = this.#head;
    for (const { ref, labels } of series) {
      const known = head.find(labels);
      if (known === ref) continue;
      // The first ref of a label set stays; a ref that comes again for other labels keeps its first meaning.
      if (known !== 0) this.#aliases.set(ref, known);
      else if (!head.has(ref) && labels.size > 0) head.createAt(ref, labels);
    }
  }

  samples(samples: SampleBuffer): void {
    this.#head.apply(samples, this.#resolve);
  }

  readonly #resolve = (ref: SeriesRef): SeriesRef => {
    const alias = this.#aliases.get(ref);
    if (alias === undefined) this.unknownSeriesSamples++;
    return alias ?? 0;
  };
}
