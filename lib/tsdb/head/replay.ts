import { PromletError } from '../../model/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import type { LoggedExemplar } from '../wal/exemplar-record.ts';
import { HistogramSamples } from '../wal/histogram-record.ts';
import type { LoggedMetadata } from '../wal/metadata-record.ts';
import type { LogVisitor } from '../wal/record-decoder.ts';
import type { EncodedSeries } from '../wal/series-record.ts';
import type { LoggedTombstone } from '../wal/tombstone-record.ts';
import { MAX_TIME_MS } from '../limits.ts';
import type { SampleBuffer } from './columns.ts';
import type { FoundChunks } from './found-chunks.ts';
import type { Head } from './head.ts';
import { validateHistogram } from './histogram-rules.ts';

/**
 * Applies a log to a head (tsdb/head_wal.go `loadWAL`). Nobody else may touch the head meanwhile. Samples that the chunks in
 * `chunks_head/` hold already come again, and are passed over by their times.
 */
export class HeadReplay implements LogVisitor {
  readonly #head: Head;
  readonly #found: FoundChunks | undefined;
  readonly #minValidMs: number;
  /** Refs in the log that stand for a series the head knows under another ref. */
  readonly #aliases = new Map<number, SeriesRef>();
  /** Those of them that were met since the last record was applied. */
  readonly #usedAliases = new Set<SeriesRef>();
  /** Samples, histograms and the like that name a series that the log does not have. */
  unknownSeriesSamples = 0;
  /** Histograms and exemplars that no head takes. */
  invalidSamples = 0;

  /**
   * @param found what lies in `chunks_head/`
   * @param minValidMs what is before it is in blocks and left out
   */
  constructor(head: Head, found?: FoundChunks, minValidMs = -Infinity) {
    this.#head = head;
    this.#found = found;
    this.#minValidMs = minValidMs;
  }

  encodedSeries(series: readonly EncodedSeries[]): void {
    const head = this.#head;
    for (const { ref, labels } of series) {
      const known = head.replaySeries(ref, labels);
      // The first ref of a label set stays; a ref that comes again for other labels keeps its first meaning.
      if (known === 0) continue;
      if (known !== ref) {
        this.#aliases.set(ref, known);
        head.reserveRef(ref);
      }
      this.#found?.claim(ref, known, head, this.#minValidMs);
    }
  }

  samples(samples: SampleBuffer): void {
    this.#dropOld(samples);
    this.#head.apply(samples, this.resolve);
    this.#keepAliases();
  }

  histograms({ refs, timesMs, histograms }: HistogramSamples): void {
    const valid = new HistogramSamples();
    for (let i = 0; i < refs.length; i++) {
      if (timesMs[i]! < this.#minValidMs) continue;
      if (this.isValid(() => validateHistogram(histograms[i]!))) valid.push(refs[i]!, timesMs[i]!, histograms[i]!);
    }
    this.#head.applyHistograms(valid, this.resolve);
    this.#keepAliases();
  }

  /** The log needs the record of a ref as long as it has samples by it. */
  #keepAliases(): void {
    if (this.#usedAliases.size === 0) return;
    for (const ref of this.#usedAliases) this.#head.logAliases.set(ref, this.#head.maxTimeMs);
    this.#usedAliases.clear();
  }

  exemplars(rows: readonly LoggedExemplar[]): void {
    const head = this.#head;
    for (const { ref, exemplar } of rows) {
      const known = exemplar.timestampMs < this.#minValidMs ? 0 : this.known(ref);
      // As in Prometheus, the log does not say whether an exemplar had a time of its own.
      if (known !== 0) this.isValid(() => head.exemplars.add(known, { ...exemplar, hasTimestamp: false }));
    }
  }

  metadata(rows: readonly LoggedMetadata[]): void {
    for (const { ref, metadata } of rows) {
      const known = this.known(ref);
      if (known !== 0) this.#head.metadata.set(known, metadata);
    }
  }

  tombstones(rows: readonly LoggedTombstone[]): void {
    const { root, table, tombstones } = this.#head;
    root.beginWrite();
    for (const { ref, interval } of rows) {
      const known = this.known(ref);
      if (known === 0) continue;
      // Prometheus removed the series whole; what comes under its labels later is another one.
      const whole = interval.minTimeMs <= -MAX_TIME_MS && interval.maxTimeMs >= MAX_TIME_MS;
      if (whole) table.truncateChunks(table.record(known), Infinity);
      else tombstones.add(known, interval);
    }
    root.endWrite();
  }

  /** The ref by which the head knows a series of the log; 0, counted, when it does not. */
  known(ref: SeriesRef): SeriesRef {
    return this.#head.has(ref) ? ref : this.resolve(ref);
  }

  /** As `known`, for a ref that the head does not have itself. */
  readonly resolve = (ref: SeriesRef): SeriesRef => {
    const alias = this.#aliases.get(ref);
    if (alias === undefined) {
      this.unknownSeriesSamples++;
      this.#head.reserveRef(ref);
      return 0;
    }
    this.#usedAliases.add(ref);
    return alias;
  };

  /** Runs what refuses bad input by throwing. @returns false, counted, when it did */
  isValid(check: () => void): boolean {
    try {
      check();
      return true;
    } catch (error) {
      if (!(error instanceof PromletError)) throw error;
      this.invalidSamples++;
      return false;
    }
  }

  #dropOld(samples: SampleBuffer): void {
    const minMs = this.#minValidMs;
    if (minMs === -Infinity) return;
    const { u32, f64 } = this.#head.kernels.arena;
    const refs = samples.refs / 4;
    const times = samples.times / 8;
    const values = samples.values / 8;
    let kept = 0;
    for (let i = 0; i < samples.length; i++) {
      if (f64[times + i]! < minMs) continue;
      if (kept < i) {
        u32[refs + kept] = u32[refs + i]!;
        f64[times + kept] = f64[times + i]!;
        f64[values + kept] = f64[values + i]!;
      }
      kept++;
    }
    samples.length = kept;
  }
}
