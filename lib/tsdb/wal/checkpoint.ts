import { join } from 'node:path';
import { errorMessage, PromletError } from '../../model/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import type { SampleBuffer } from '../head/columns.ts';
import type { WalDamage } from '../types.ts';
import { CheckpointFiles } from './checkpoint-files.ts';
import type { LoggedExemplar } from './exemplar-record.ts';
import { HistogramSamples } from './histogram-record.ts';
import { listLog, truncateLog } from './log-files.ts';
import { syncDirectory } from '../directory.ts';
import type { LoggedMetadata } from './metadata-record.ts';
import type { LogVisitor } from './record-decoder.ts';
import { type ReplayOptions, replayLog } from './replay.ts';
import type { EncodedSeries } from './series-record.ts';
import type { LoggedTombstone } from './tombstone-record.ts';

export interface CheckpointOptions extends Pick<
  ReplayOptions,
  'dir' | 'fileSystem' | 'kernels' | 'logger' | 'monotonicMs' | 'corruptDir'
> {
  /** The last segment that goes in; nobody writes to it any more. */
  readonly lastSegment: number;
  /** Whether the log still needs a series: it is in the head, or has samples at or after `mintMs`. Must not change. */
  readonly keep: (ref: SeriesRef) => boolean;
  /** Samples and exemplars before it are left out. */
  readonly mintMs: number;
  /** Tombstones wholly before it are left out. Default `mintMs`. */
  readonly tombstonesMintMs?: number;
  readonly compress: boolean;
  /** Default 128 MiB. */
  readonly segmentBytes?: number;
}

/** Rows of the log, by kind. */
export interface RowCount {
  kept: number;
  dropped: number;
}

export interface CheckpointReport {
  readonly series: RowCount;
  /** Float samples and histograms. */
  readonly samples: RowCount;
  readonly exemplars: RowCount;
  /** Of metadata, those that a later one replaces are dropped. */
  readonly metadata: RowCount;
  readonly tombstones: RowCount;
  readonly sizeBytes: number;
  /** What could not go in; its files are kept in `corruptDir`. */
  readonly damage: readonly WalDamage[];
  readonly durationMs: number;
}

/**
 * The segment up to which a checkpoint should go (`truncateWAL` of tsdb/head.go): the lower two thirds of those that are
 * complete. Ask before the growing segment is left for a new one.
 * @returns undefined when there are too few to be worth it
 */
export function checkpointTarget(segments: readonly number[]): number | undefined {
  const first = segments[0];
  const last = segments.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const target = first + Math.floor(((last - 1 - first) * 2) / 3);
  return target > first ? target : undefined;
}

/**
 * Puts what is still needed of the newest checkpoint and the segments after it, up to `lastSegment`, into
 * `checkpoint.NNNNNNNN`, then deletes what that replaces (`Checkpoint` of tsdb/wlog/checkpoint.go). Works in slices of a
 * few ms, on any thread. Until the new checkpoint is durable nothing is deleted; a crash leaves a log that reads the same.
 * @throws PromletError `storage/checkpoint`, with the log as it was
 */
export async function writeCheckpoint(options: CheckpointOptions): Promise<CheckpointReport> {
  const { dir, fileSystem, lastSegment } = options;
  const path = join(dir, checkpointName(lastSegment));
  const temporary = `${path}.tmp`;
  try {
    const { checkpoints, leftovers } = listLog(fileSystem, dir);
    for (const name of leftovers) {
      if (name.endsWith('.tmp')) fileSystem.rmSync(join(dir, name), { recursive: true, force: true });
    }
    const newest = checkpoints.at(-1);
    if (newest !== undefined) {
      if (newest.index >= lastSegment) throw new Error(`there is one up to segment ${newest.index} already`);
      // What the last one replaced may still be there, if its deletion was interrupted.
      syncDirectory(fileSystem, dir);
      await truncateLog(fileSystem, dir, newest.index + 1);
    }
    fileSystem.mkdirSync(temporary);
    const report = await new Checkpointer(options, temporary).run();
    fileSystem.renameSync(temporary, path);
    syncDirectory(fileSystem, dir);
    await truncateQuietly(options);
    return report;
  } catch (cause) {
    removeQuietly(options, temporary);
    throw new PromletError('storage/checkpoint', `cannot write ${path}: ${errorMessage(cause)}`, { cause });
  }
}

function checkpointName(lastSegment: number): string {
  return `checkpoint.${String(lastSegment).padStart(8, '0')}`;
}

/** Segments that stay are ignored by readers, and deleted with the next checkpoint. */
async function truncateQuietly({ dir, fileSystem, lastSegment, logger }: CheckpointOptions): Promise<void> {
  try {
    await truncateLog(fileSystem, dir, lastSegment + 1);
  } catch (error) {
    logger.warn({ dir, error: errorMessage(error) }, 'cannot delete log segments behind a checkpoint');
  }
}

/** What is left of a checkpoint that failed; when that cannot be removed either, the next opening does it. */
function removeQuietly({ fileSystem, logger }: CheckpointOptions, temporary: string): void {
  try {
    fileSystem.rmSync(temporary, { recursive: true, force: true });
  } catch (error) {
    logger.warn({ file: temporary, error: errorMessage(error) }, 'cannot remove an unfinished checkpoint');
  }
}

/** Reads the log and writes on what is kept. */
class Checkpointer implements LogVisitor {
  readonly #options: CheckpointOptions;
  readonly #files: CheckpointFiles;
  readonly #latest = new Map<SeriesRef, LoggedMetadata>();
  /** Texts of metadata, once each: thousands of series share them. */
  readonly #texts = new Map<string, string>();
  readonly #counts = {
    series: { kept: 0, dropped: 0 },
    samples: { kept: 0, dropped: 0 },
    exemplars: { kept: 0, dropped: 0 },
    metadata: { kept: 0, dropped: 0 },
    tombstones: { kept: 0, dropped: 0 },
  };

  constructor(options: CheckpointOptions, dir: string) {
    this.#options = options;
    this.#files = new CheckpointFiles({ ...options, dir });
  }

  async run(): Promise<CheckpointReport> {
    const files = this.#files;
    try {
      const log = await replayLog({ ...this.#options, damaged: 'keep' }, this);
      const lost = log.damage.find(({ lostBytes, keptAs }) => lostBytes > 0 && keptAs === undefined);
      if (lost !== undefined) throw new Error(`damage in ${lost.file} could not be kept aside: ${lost.reason}`);
      const metadata = [...this.#latest.values()];
      this.#counts.metadata.dropped -= metadata.length;
      this.#counts.metadata.kept = metadata.length;
      files.add({ metadata });
      await files.finish();
      return {
        ...this.#counts,
        sizeBytes: files.sizeBytes,
        damage: log.damage,
        durationMs: log.durationMs,
      };
    } finally {
      files.close();
    }
  }

  encodedSeries(rows: readonly EncodedSeries[]): void {
    const { keep } = this.#options;
    const encodedSeries = this.#filter(rows, this.#counts.series, ({ ref }) => keep(ref));
    this.#files.add({ encodedSeries });
  }

  samples(samples: SampleBuffer): void {
    const { kernels, mintMs } = this.#options;
    const { u32, f64 } = kernels.arena;
    const refs = samples.refs / 4;
    const times = samples.times / 8;
    // Values are moved as two words: as numbers, stale markers might become other NaNs.
    const values = samples.values / 4;
    let kept = 0;
    for (let i = 0; i < samples.length; i++) {
      if (f64[times + i]! < mintMs) continue;
      if (kept < i) {
        u32[refs + kept] = u32[refs + i]!;
        f64[times + kept] = f64[times + i]!;
        u32[values + kept * 2] = u32[values + i * 2]!;
        u32[values + kept * 2 + 1] = u32[values + i * 2 + 1]!;
      }
      kept++;
    }
    this.#counts.samples.kept += kept;
    this.#counts.samples.dropped += samples.length - kept;
    samples.length = kept;
    this.#files.add({ samples });
  }

  histograms({ refs, timesMs, histograms: all }: HistogramSamples): void {
    const histograms = new HistogramSamples();
    for (let i = 0; i < refs.length; i++) {
      if (timesMs[i]! >= this.#options.mintMs) histograms.push(refs[i]!, timesMs[i]!, all[i]!);
    }
    this.#counts.samples.kept += histograms.length;
    this.#counts.samples.dropped += refs.length - histograms.length;
    this.#files.add({ histograms });
  }

  exemplars(rows: readonly LoggedExemplar[]): void {
    const { mintMs } = this.#options;
    const exemplars = this.#filter(rows, this.#counts.exemplars, ({ exemplar }) => exemplar.timestampMs >= mintMs);
    this.#files.add({ exemplars });
  }

  metadata(rows: readonly LoggedMetadata[]): void {
    this.#counts.metadata.dropped += rows.length;
    for (const { ref, metadata } of rows) {
      if (!this.#options.keep(ref)) continue;
      const { type, unit, help } = metadata;
      this.#latest.set(ref, { ref, metadata: { type, unit: this.#text(unit), help: this.#text(help) } });
    }
  }

  tombstones(rows: readonly LoggedTombstone[]): void {
    const { keep, mintMs, tombstonesMintMs = mintMs } = this.#options;
    const tombstones = this.#filter(
      rows,
      this.#counts.tombstones,
      ({ ref, interval }) => keep(ref) && interval.maxTimeMs >= tombstonesMintMs,
    );
    this.#files.add({ tombstones });
  }

  #filter<Row>(rows: readonly Row[], count: RowCount, wanted: (row: Row) => boolean): Row[] {
    const kept = rows.filter(wanted);
    count.kept += kept.length;
    count.dropped += rows.length - kept.length;
    return kept;
  }

  #text(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    this.#texts.set(text, text);
    return text;
  }
}
