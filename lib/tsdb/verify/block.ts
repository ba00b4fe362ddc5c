import { basename, join } from 'node:path';
import type { FileSystem } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import { compareUtf8, errorMessage, type Labels } from '../../model/index.ts';
import { ChunkReader } from '../block/chunk-reader.ts';
import { CRC_BYTES, INDEX_FILE, SEGMENT_HEADER_BYTES } from '../block/format.ts';
import { IndexReader } from '../block/index-reader.ts';
import { IndexSeries } from '../block/index-series.ts';
import { type BlockMeta, readMeta } from '../block/meta.ts';
import { PageCache } from '../block/page-cache.ts';
import type { PositionedFile } from '../block/positioned-file.ts';
import { readTombstones } from '../block/tombstones-file.ts';
import { Window, WindowFile } from '../block/window-file.ts';
import { ChunkDecoder } from '../../chunk/index.ts';
import type { Tombstones } from '../tombstones.ts';
import { ChunkCheck } from './chunk-check.ts';
import { PairTally } from './pair-tally.ts';
import { PartFindings, type PartReport } from './report.ts';

interface BlockCheckOptions {
  readonly blockDir: string;
  readonly fileSystem: FileSystem;
  readonly kernels: Kernels;
}

/** Of the index. */
const CACHE_BYTES = 8 << 20;

/** Checks all files of a block, and them against each other. */
export function verifyBlock({ blockDir, fileSystem, kernels }: BlockCheckOptions): PartReport {
  const findings = new PartFindings(blockDir);
  const cache = new PageCache({ fileSystem, kernels, maxBytes: CACHE_BYTES });
  const window = new Window(kernels);
  const meta = findings.attempt(() => readMeta(fileSystem, blockDir).meta);
  if (meta !== undefined && meta.ulid !== basename(blockDir)) {
    findings.fail(`${blockDir}: meta.json is of the block ${meta.ulid}`);
  }
  const tombstones = findings.attempt(() => readTombstones(fileSystem, kernels, blockDir).tombstones);
  const file = findings.attempt(() => cache.open(join(blockDir, INDEX_FILE)));
  const index = file && findings.attempt(() => new IndexReader(kernels, file, file));
  const chunks = findings.attempt(
    () => new ChunkReader(fileSystem, kernels, blockDir, (path) => new WindowFile(fileSystem, path, window)),
  );
  try {
    if (file === undefined || index === undefined)
      findings.notes.push(`${blockDir}: chunks are not looked at without an index`);
    else new BlockCheck(findings, blockDir, kernels, meta, index, file, chunks).run(tombstones);
  } finally {
    file?.close();
    chunks?.close();
    window.release();
  }
  return findings.report(fileSystem);
}

class BlockCheck {
  readonly #findings: PartFindings;
  readonly #blockDir: string;
  readonly #meta: BlockMeta | undefined;
  readonly #index: IndexReader;
  readonly #indexFile: PositionedFile;
  readonly #chunks: ChunkReader | undefined;
  readonly #chunkCheck: ChunkCheck;
  readonly #pairs = new PairTally();
  #numChunks = 0;
  #numSamples = 0;
  /** Bytes of segments that series name, with headers. */
  #namedBytes = 0;
  readonly #segments = new Set<number>();
  #lastLabels: Labels | undefined;

  constructor(
    findings: PartFindings,
    blockDir: string,
    kernels: Kernels,
    meta: BlockMeta | undefined,
    index: IndexReader,
    indexFile: PositionedFile,
    chunks: ChunkReader | undefined,
  ) {
    this.#findings = findings;
    this.#blockDir = blockDir;
    this.#meta = meta;
    this.#index = index;
    this.#indexFile = indexFile;
    this.#chunks = chunks;
    this.#chunkCheck = new ChunkCheck(new ChunkDecoder(kernels));
  }

  run(tombstones: Tombstones | undefined): void {
    const findings = this.#findings;
    const refs = findings.attempt(() => this.#index.allPostings());
    if (refs === undefined) return;
    findings.attempt(() => [...this.#index.symbols.all(this.#indexFile)].length);
    const series = new IndexSeries();
    for (const ref of refs) findings.attempt(() => this.#series(ref, series));
    findings.count('series', refs.length);
    findings.count('chunks', this.#numChunks);
    findings.count('samples', this.#numSamples);
    findings.count('tombstones', tombstones?.total ?? 0);
    // What follows would only repeat damage that was found.
    if (findings.isDamaged) return;
    findings.attempt(() =>
      this.#pairs.compare(this.#index, (sentence) => findings.fail(`${this.#indexFile.path}: ${sentence}`)),
    );
    this.#stats(refs.length);
    const known = new Set(refs);
    for (const [ref] of tombstones?.entries() ?? []) {
      if (!known.has(ref)) findings.notes.push(`${this.#blockDir}: a tombstone of ${ref}, which is no series`);
    }
    const extra = (this.#chunks?.sizeBytes ?? 0) - this.#namedBytes - this.#segments.size * SEGMENT_HEADER_BYTES;
    if (extra > 0) findings.notes.push(`${this.#blockDir}: ${extra} bytes of chunks that no series has`);
  }

  #series(ref: number, series: IndexSeries): void {
    const index = this.#index;
    index.series(ref, series);
    const labels = index.labels(series);
    const at = `${this.#indexFile.path}: series ${ref} ${labels.toString()}`;
    this.#order(at, labels);
    this.#pairs.add(ref, series);
    const { length, minTimesMs, maxTimesMs, segments, offsets } = series.chunks;
    if (length === 0) this.#findings.fail(`${at} has no chunks`);
    for (let i = 0; i < length; i++) {
      const minTimeMs = minTimesMs[i]!;
      const maxTimeMs = maxTimesMs[i]!;
      if (i > 0 && minTimeMs <= maxTimesMs[i - 1]!) this.#findings.fail(`${at}: chunks overlap at ${minTimeMs}`);
      const meta = this.#meta;
      if (meta !== undefined && (minTimeMs < meta.minTime || maxTimeMs >= meta.maxTime)) {
        this.#findings.fail(`${at}: a chunk from ${minTimeMs} to ${maxTimeMs} lies outside of the block`);
      }
      this.#chunk(segments[i]!, offsets[i]!, minTimeMs, maxTimeMs);
    }
  }

  #order(at: string, labels: Labels): void {
    const { pairs } = labels;
    if (pairs.length === 0) this.#findings.fail(`${at} has no labels`);
    for (let i = 2; i < pairs.length; i += 2) {
      if (compareUtf8(pairs[i - 2]!, pairs[i]!) >= 0) this.#findings.fail(`${at} has labels out of order`);
    }
    if (this.#lastLabels !== undefined && this.#lastLabels.compare(labels) >= 0)
      this.#findings.fail(`${at} is out of order`);
    this.#lastLabels = labels;
  }

  #chunk(segment: number, offset: number, minTimeMs: number, maxTimeMs: number): void {
    this.#numChunks++;
    if (this.#chunks === undefined) return;
    const reader = this.#chunks;
    const chunk = this.#findings.attempt(() => reader.read(segment, offset));
    if (chunk === undefined) return;
    const { bytes } = chunk;
    this.#segments.add(segment);
    this.#namedBytes += uvarintBytes(bytes.length) + 1 + bytes.length + CRC_BYTES;
    try {
      this.#numSamples += this.#chunkCheck.run({ ...chunk, minTimeMs, maxTimeMs });
    } catch (error) {
      this.#findings.fail(`${this.#blockDir}: chunk in segment ${segment + 1} at ${offset}: ${errorMessage(error)}`);
    }
  }

  #stats(numSeries: number): void {
    const meta = this.#meta;
    if (meta === undefined || this.#chunks === undefined) return;
    const found = { numSeries, numChunks: this.#numChunks, numSamples: this.#numSamples };
    for (const [name, count] of Object.entries(found)) {
      const stated = meta.stats[name as keyof typeof found] ?? 0;
      if (stated !== count) this.#findings.fail(`${this.#blockDir}: meta.json says ${name} ${stated}, found ${count}`);
    }
  }
}

function uvarintBytes(value: number): number {
  let bytes = 1;
  for (let left = value; left >= 128; left = Math.floor(left / 128)) bytes++;
  return bytes;
}
