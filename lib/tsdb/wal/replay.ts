import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { zstdDecompressSync } from 'node:zlib';
import type { FileSystem, Logger } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import { errorMessage, PromletError } from '../../model/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import { SampleBuffer } from '../head/columns.ts';
import type { Head } from '../head/head.ts';
import { MAX_RECORD_BYTES, REPLAY_LOG_INTERVAL_MS, REPLAY_SLICE_MS } from '../limits.ts';
import type { ReplayProgress, ReplayReport, WalDamage } from '../types.ts';
import {
  FLAG_SNAPPY,
  FLAG_ZSTD,
  RECORD_SAMPLES,
  RECORD_SAMPLES_V2,
  RECORD_SERIES,
  segmentIndex,
  segmentName,
  SKIPPED_RECORDS,
} from './format.ts';
import { Framer } from './framer.ts';
import { Scratch } from './scratch.ts';
import { type Gap, readSegment, type SegmentReaderHost, type SegmentScan } from './segment-reader.ts';
import { decodeSeries } from './series-record.ts';
import { syncDirectory } from './writer.ts';

/** Smallest sample in a record: two varints of a byte and a value. */
const MIN_SAMPLE_RECORD_BYTES = 10;
const CORRUPT_DIR = 'corrupt';
const COPY_BYTES = 1 << 20;

export interface ReplayOptions {
  /** The data directory; the log is in `wal/` below it. */
  readonly dir: string;
  readonly fileSystem: FileSystem;
  readonly kernels: Kernels;
  readonly logger: Logger;
  readonly monotonicMs: () => number;
  readonly onProgress: ((progress: ReplayProgress) => void) | undefined;
}

/**
 * Fills an empty head from the log: the newest checkpoint, then the segments after it (tsdb/head_wal.go). Other work of the
 * thread gets its turn every few ms, such as health checks; nobody else may touch the head meanwhile. Damage is
 * passed over, the damaged file is kept under `corrupt/` and replaced by one that holds its good records, so that the
 * log reads clean from then on. A torn end of the last segment, never acknowledged, is cut off.
 * @returns what was found, and the index of the last segment (-1: none)
 * @throws PromletError `storage/wal-read` when a file or directory cannot be read or repaired
 */
export async function replayWal(
  head: Head,
  options: ReplayOptions,
): Promise<{ report: ReplayReport; lastSegment: number }> {
  try {
    return await new Replay(head, options).run();
  } catch (cause) {
    if (cause instanceof PromletError) throw cause;
    throw new PromletError('storage/wal-read', `cannot replay the log in ${options.dir}: ${errorMessage(cause)}`, {
      cause,
    });
  }
}

class Replay {
  readonly #head: Head;
  readonly #options: ReplayOptions;
  readonly #walDir: string;
  readonly #host: SegmentReaderHost;
  readonly #plain: Scratch;
  readonly #samples: SampleBuffer;
  /** Refs in the log that stand for a series the head knows under another ref. */
  readonly #aliases = new Map<number, SeriesRef>();
  readonly #skipped: Record<string, number> = {};
  readonly #damage: WalDamage[] = [];
  #records = 0;
  #sampleCount = 0;
  #unknown = 0;
  #sliceStartMs = 0;
  #loggedMs = 0;
  #segmentIndex = -1;
  #firstSegment = -1;
  #lastSegment = -1;

  constructor(head: Head, options: ReplayOptions) {
    const { kernels, fileSystem } = options;
    this.#head = head;
    this.#options = options;
    this.#walDir = join(options.dir, 'wal');
    this.#host = {
      fileSystem,
      kernels,
      window: new Scratch(kernels.arena),
      record: new Scratch(kernels.arena),
      pause: () => this.#pause(),
    };
    this.#plain = new Scratch(kernels.arena);
    this.#samples = new SampleBuffer(kernels.arena);
  }

  async run(): Promise<{ report: ReplayReport; lastSegment: number }> {
    const { fileSystem, monotonicMs } = this.#options;
    const startedMs = monotonicMs();
    const entries = fileSystem.readdirSync(this.#walDir);
    const checkpoint = newestCheckpoint(entries);
    const files: { dir: string; index: number }[] = [];
    if (checkpoint !== undefined) {
      const dir = join(this.#walDir, checkpoint.name);
      for (const index of segmentsOf(fileSystem.readdirSync(dir))) files.push({ dir, index });
    }
    const all = segmentsOf(entries);
    for (const index of all) if (index > (checkpoint?.index ?? -1)) files.push({ dir: this.#walDir, index });
    this.#lastSegment = Math.max(-1, checkpoint?.index ?? -1, ...all);
    this.#firstSegment = files.find(({ dir }) => dir === this.#walDir)?.index ?? this.#lastSegment;
    this.#sliceStartMs = startedMs;
    this.#loggedMs = startedMs;
    for (const [i, { dir, index }] of files.entries()) {
      this.#segmentIndex = dir === this.#walDir ? index : this.#firstSegment;
      await this.#segment(dir, index, i === files.length - 1);
      this.#options.onProgress?.(this.#progress());
    }
    this.#host.window.release();
    this.#host.record.release();
    this.#plain.release();
    this.#samples.release();
    const report: ReplayReport = {
      segments: files.length,
      records: this.#records,
      samples: this.#sampleCount,
      skippedRecords: this.#skipped,
      unknownSeriesSamples: this.#unknown,
      damage: this.#damage,
      durationMs: monotonicMs() - startedMs,
    };
    return { report, lastSegment: this.#lastSegment };
  }

  #progress(): ReplayProgress {
    return {
      firstSegment: this.#firstSegment,
      segment: this.#segmentIndex,
      lastSegment: this.#lastSegment,
      records: this.#records,
      samples: this.#sampleCount,
    };
  }

  /** Lets other work run when the slice of time is over. */
  #pause(): Promise<void> | undefined {
    const nowMs = this.#options.monotonicMs();
    if (nowMs - this.#sliceStartMs < REPLAY_SLICE_MS) return undefined;
    if (nowMs - this.#loggedMs >= REPLAY_LOG_INTERVAL_MS) {
      this.#loggedMs = nowMs;
      const progress = this.#progress();
      this.#options.logger.info({ ...progress }, 'replaying the log');
      this.#options.onProgress?.(progress);
    }
    return nextTurn().then(() => {
      this.#sliceStartMs = this.#options.monotonicMs();
    });
  }

  async #segment(dir: string, index: number, isLast: boolean): Promise<void> {
    const path = join(dir, segmentName(index));
    const bad: Gap[] = [];
    const scan = await readSegment(this.#host, path, (address, length, flags, offsetBytes) => {
      const reason = this.#record(address, length, flags);
      if (reason !== undefined) bad.push({ offsetBytes, lostBytes: length, reason });
    });
    if (scan.gaps.length === 0 && bad.length === 0 && !scan.torn) return;
    if (isLast && scan.torn && scan.gaps.length === 0 && bad.length === 0) this.#cutTail(path, scan);
    else await this.#repair(dir, index, scan, bad);
  }

  /** @returns what is wrong with the record, undefined when it was taken or skipped as known */
  #record(stored: number, storedLength: number, flags: number): string | undefined {
    const { wasm, arena } = this.#options.kernels;
    let address = stored;
    let length = storedLength;
    if (flags & FLAG_SNAPPY) {
      length = wasm.snappyLength(stored, storedLength);
      if (length < 0 || length > MAX_RECORD_BYTES) return 'a compressed record without a sensible length';
      address = this.#plain.reserve(length);
      if (wasm.snappyDecompress(stored, storedLength, address, length) < 0) return 'a record that does not decompress';
    } else if (flags & FLAG_ZSTD) {
      const plain = this.#zstd(stored, storedLength);
      if (plain === undefined) return 'a record that does not decompress';
      length = plain.length;
      address = this.#plain.reserve(length);
      arena.u8.set(plain, address);
    }
    this.#records++;
    const type = length > 0 ? arena.u8[address]! : 0;
    if (type === RECORD_SAMPLES || type === RECORD_SAMPLES_V2) return this.#samplesRecord(address, length);
    if (type === RECORD_SERIES) return this.#seriesRecord(address, length);
    const name = SKIPPED_RECORDS[type] ?? 'unknown';
    this.#skipped[name] = (this.#skipped[name] ?? 0) + 1;
    return undefined;
  }

  #zstd(address: number, length: number): Uint8Array | undefined {
    const { u8 } = this.#options.kernels.arena;
    try {
      return zstdDecompressSync(u8.slice(address, address + length), { maxOutputLength: MAX_RECORD_BYTES });
    } catch {
      // The caller reports it as damage, with its place.
      return undefined;
    }
  }

  #samplesRecord(address: number, length: number): string | undefined {
    const samples = this.#samples;
    samples.length = 0;
    samples.reserve(Math.ceil(length / MIN_SAMPLE_RECORD_BYTES) + 1);
    const count = this.#options.kernels.wasm.decodeSamples(
      address,
      length,
      samples.refs,
      samples.times,
      samples.values,
      samples.capacity,
    );
    if (count === -2) return 'a samples record with a series ref outside 1..2^32-1';
    if (count < 0) return 'a malformed samples record';
    samples.length = count;
    this.#sampleCount += count;
    this.#head.apply(samples, this.#resolve);
    return undefined;
  }

  readonly #resolve = (ref: SeriesRef): SeriesRef => {
    const alias = this.#aliases.get(ref);
    if (alias === undefined) this.#unknown++;
    return alias ?? 0;
  };

  #seriesRecord(address: number, length: number): string | undefined {
    const head = this.#head;
    let outOfRange = 0;
    const whole = decodeSeries(
      this.#options.kernels.arena.u8.subarray(address, address + length),
      (ref, labels): void => {
        if (ref === 0 || ref >= 2 ** 32) {
          outOfRange++;
          return;
        }
        const known = head.find(labels);
        if (known === ref) return;
        // The first ref of a label set stays; a ref that comes again for other labels keeps its first meaning.
        if (known !== 0) this.#aliases.set(ref, known);
        else if (!head.has(ref) && labels.size > 0) head.createAt(ref, labels);
      },
    );
    if (!whole) return 'a malformed series record';
    return outOfRange > 0 ? 'a series record with a ref outside 1..2^32-1' : undefined;
  }

  #cutTail(path: string, scan: SegmentScan): void {
    const { fileSystem, logger } = this.#options;
    const file = fileSystem.openSync(path, 'r+');
    try {
      fileSystem.ftruncateSync(file, scan.goodEnd);
      fileSystem.fsyncSync(file);
    } finally {
      fileSystem.closeSync(file);
    }
    const damage: WalDamage = {
      file: path,
      offsetBytes: scan.goodEnd,
      lostBytes: scan.sizeBytes - scan.goodEnd,
      reason: 'the log ends within a record: the write was cut off before it was acknowledged',
      keptAs: undefined,
    };
    this.#damage.push(damage);
    logger.info({ ...damage }, 'cut a torn record off the end of the log');
  }

  /** Keeps the damaged file aside and puts one with only its good records in its place. */
  async #repair(dir: string, index: number, scan: SegmentScan, bad: readonly Gap[]): Promise<void> {
    const { fileSystem, logger } = this.#options;
    const path = join(dir, segmentName(index));
    const repaired = `${path}.repair`;
    const badOffsets = new Set(bad.map((gap) => gap.offsetBytes));
    const file = fileSystem.openSync(repaired, 'w', 0o666);
    try {
      let end = 0;
      const framer = new Framer(this.#options.kernels);
      const flush = (): void => {
        const { bytes } = framer;
        let done = 0;
        while (done < bytes.length) {
          done += fileSystem.writeSync(file, bytes, done, bytes.length - done, end + done);
        }
        end += bytes.length;
        framer.begin(end);
      };
      await readSegment(this.#host, path, (address, length, flags, offsetBytes) => {
        if (badOffsets.has(offsetBytes)) return;
        framer.add(address, length, flags);
        if (framer.length > 1 << 20) flush();
      });
      flush();
      framer.release();
      fileSystem.fsyncSync(file);
    } finally {
      fileSystem.closeSync(file);
    }
    const keptAs = this.#keepAside(path, index);
    fileSystem.renameSync(repaired, path);
    syncDirectory(fileSystem, dir);
    const gaps = [...scan.gaps, ...bad];
    if (scan.torn) {
      gaps.push({
        offsetBytes: scan.goodEnd,
        lostBytes: scan.sizeBytes - scan.goodEnd,
        reason: 'the segment ends within a record',
      });
    }
    for (const gap of gaps) {
      const damage: WalDamage = { file: path, ...gap, keptAs };
      this.#damage.push(damage);
      logger.error({ ...damage }, 'passed over damage in the log');
    }
  }

  /** Copies the file to `corrupt/` under a name that is free; a copy, so that a crash here loses nothing. */
  #keepAside(path: string, index: number): string {
    const { fileSystem, dir } = this.#options;
    const corrupt = join(dir, CORRUPT_DIR);
    fileSystem.mkdirSync(corrupt, { recursive: true });
    let kept = join(corrupt, `wal-${segmentName(index)}`);
    for (let attempt = 1; fileSystem.existsSync(kept); attempt++) {
      kept = join(corrupt, `wal-${segmentName(index)}.${attempt}`);
    }
    const from = fileSystem.openSync(path, 'r');
    const to = fileSystem.openSync(kept, 'wx', 0o666);
    try {
      const buffer = new Uint8Array(COPY_BYTES);
      for (let offset = 0; ;) {
        const read = fileSystem.readSync(from, buffer, 0, buffer.length, offset);
        if (read === 0) break;
        for (let done = 0; done < read;) {
          done += fileSystem.writeSync(to, buffer, done, read - done, offset + done);
        }
        offset += read;
      }
      fileSystem.fsyncSync(to);
    } finally {
      fileSystem.closeSync(from);
      fileSystem.closeSync(to);
    }
    syncDirectory(fileSystem, corrupt);
    return kept;
  }
}

function segmentsOf(entries: readonly string[]): number[] {
  const indexes: number[] = [];
  for (const name of entries) {
    const index = segmentIndex(name);
    if (index !== undefined) indexes.push(index);
  }
  return indexes.sort((a, b) => a - b);
}

/** The newest complete checkpoint; Prometheus writes it under a name ending in `.tmp` and renames it. */
function newestCheckpoint(entries: readonly string[]): { name: string; index: number } | undefined {
  let newest: { name: string; index: number } | undefined;
  for (const name of entries) {
    const match = /^checkpoint\.(\d+)$/.exec(name);
    if (match === null) continue;
    const index = Number(match[1]);
    if (newest === undefined || index > newest.index) newest = { name, index };
  }
  return newest;
}
