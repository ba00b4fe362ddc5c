import { join } from 'node:path';
import { createKernels } from '../../lib/kernels/index.ts';
import { LabelsBuilder, PromletError } from '../../lib/model/index.ts';
import { type Appender, AppendResult, type SeriesRef } from '../../lib/storage/index.ts';
import { BlockBuilder } from '../../lib/tsdb/index.ts';
import { formatGoTime } from './go-format.ts';
import type { TsdbHost } from './host.ts';
import { LineReader } from './line-reader.ts';
import { blocksText } from './list.ts';
import { OpenMetricsParser } from './openmetrics-parser.ts';
import { SeriesRefs } from './series-refs.ts';

export interface CreateBlocksFlags {
  readonly humanReadable: boolean;
  readonly quiet: boolean;
  readonly maxBlockDuration: number;
  /** Set on every series. */
  readonly label: ReadonlyMap<string, string>;
}

const TWO_HOURS_MS = 2 * 3_600_000;
/** The block durations that there are: 2 h × 3^n. */
const BLOCK_RANGES = 10;
/** Samples are looked at for their order when so many are taken together, as by promtool. */
const SAMPLES_PER_COMMIT = 5000;
/** The input is remembered in pieces of about this size, each with the times in it. */
const REGION_BYTES = 1 << 20;
const PROGRESS_INTERVAL_MS = 2000;

const REFUSALS: ReadonlyMap<AppendResult, string> = new Map([
  [AppendResult.outOfOrder, 'out of order sample'],
  [AppendResult.duplicate, 'duplicate sample for timestamp'],
  [AppendResult.tooOld, 'out of bounds'],
]);

/** A piece of the input, whole lines, and what the parser needs to begin there. */
interface Region {
  readonly offset: number;
  readonly lineNumber: number;
  readonly type: string;
  minTimeMs: number;
  maxTimeMs: number;
}

/**
 * `tsdb create-blocks-from openmetrics`: writes one block for every two hours, or a longer range, that has samples
 * (cmd/promtool/backfill.go). The input is read once for its times and then, block by block, where samples of the block are.
 * Memory: one block's samples, compressed.
 */
export async function createBlocks(
  host: TsdbHost,
  input: string,
  dir: string,
  flags: CreateBlocksFlags,
): Promise<void> {
  const { fileSystem } = host;
  const spool = spooled(host, input);
  const lines = new LineReader(fileSystem, spool ?? input);
  try {
    fileSystem.mkdirSync(dir, { recursive: true });
    await new Backfill(host, lines, dir, flags).run();
  } finally {
    lines.close();
    if (spool !== undefined) fileSystem.unlinkSync(spool);
  }
}

/** A pipe can be read once only: it is copied to a file first. @returns that file; undefined when none is needed */
function spooled({ fileSystem, tempDir, clock }: TsdbHost, input: string): string | undefined {
  if (fileSystem.statSync(input).isFile()) return undefined;
  const path = join(tempDir, `openmetrics-${process.pid}-${clock.now()}`);
  const from = fileSystem.openSync(input, 'r');
  const to = fileSystem.openSync(path, 'wx', 0o600);
  try {
    const buffer = Buffer.alloc(1 << 20);
    for (let read = 0; (read = fileSystem.readSync(from, buffer, 0, buffer.length, null)) > 0;) {
      for (let at = 0; at < read;) at += fileSystem.writeSync(to, buffer, at, read - at);
    }
    return path;
  } finally {
    fileSystem.closeSync(from);
    fileSystem.closeSync(to);
  }
}

class Backfill {
  readonly #host: TsdbHost;
  readonly #lines: LineReader;
  readonly #dir: string;
  readonly #flags: CreateBlocksFlags;
  readonly #regions: Region[] = [];
  #wroteHeader = false;
  #progressMs = 0;

  constructor(host: TsdbHost, lines: LineReader, dir: string, flags: CreateBlocksFlags) {
    this.#host = host;
    this.#lines = lines;
    this.#dir = dir;
    this.#flags = flags;
  }

  async run(): Promise<void> {
    this.#progressMs = this.#host.clock.monotonicMs();
    this.#survey();
    const regions = this.#regions.filter(({ minTimeMs, maxTimeMs }) => minTimeMs <= maxTimeMs);
    const minTimeMs = regions.reduce((min, region) => Math.min(min, region.minTimeMs), Infinity);
    const maxTimeMs = regions.reduce((max, region) => Math.max(max, region.maxTimeMs), -Infinity);
    const durationMs = blockDurationMs(this.#flags.maxBlockDuration);
    // Towards zero, as promtool does it.
    for (let startMs = durationMs * Math.trunc(minTimeMs / durationMs); startMs <= maxTimeMs; startMs += durationMs) {
      const endMs = startMs + durationMs;
      const inRange = regions.filter((region) => region.minTimeMs < endMs && region.maxTimeMs >= startMs);
      if (inRange.length > 0) await this.#block(startMs, endMs, inRange);
    }
  }

  /** Parses all of the input once. @throws PromletError `openmetrics/parse` */
  #survey(): void {
    const lines = this.#lines;
    const parser = new OpenMetricsParser();
    let region: Region | undefined;
    while (lines.next()) {
      const { offset } = lines;
      if (region === undefined || offset - region.offset >= REGION_BYTES) {
        const { lineNumber, type } = parser;
        region = { offset, lineNumber, type, minTimeMs: Infinity, maxTimeMs: -Infinity };
        this.#regions.push(region);
        this.#progress(() => `read ${this.#share(offset)}`);
      }
      if (parser.line(lines.bytes, lines.start, lines.end, lines.complete) !== 'series') continue;
      const timestampMs = timeOf(parser);
      if (timestampMs < region.minTimeMs) region.minTimeMs = timestampMs;
      if (timestampMs > region.maxTimeMs) region.maxTimeMs = timestampMs;
    }
    parser.finish();
  }

  async #block(startMs: number, endMs: number, regions: readonly Region[]): Promise<void> {
    const { fileSystem, clock, random, out } = this.#host;
    const { quiet, humanReadable } = this.#flags;
    const builder = new BlockBuilder({
      dir: this.#dir,
      fileSystem,
      clock,
      random,
      kernels: createKernels(),
      // Samples may come in any order of series: the last half of the head's time is what it takes.
      headDurationMs: 2 * (endMs - startMs),
    });
    const filler = new BlockFiller(builder, this.#flags.label);
    for (const region of regions) {
      this.#progress(() => `block of ${formatGoTime(startMs)}: at ${this.#share(region.offset)}`);
      await this.#fill(filler, region, startMs, endMs);
    }
    await filler.commit();
    const block = await builder.flush();
    if (block === undefined || quiet) return;
    out.write(blocksText([block], { header: !this.#wroteHeader, humanReadable }));
    out.flush();
    this.#wroteHeader = true;
  }

  async #fill(filler: BlockFiller, region: Region, startMs: number, endMs: number): Promise<void> {
    const lines = this.#lines;
    const parser = new OpenMetricsParser();
    parser.type = region.type;
    parser.lineNumber = region.lineNumber;
    lines.seek(region.offset);
    while (lines.next() && lines.offset - region.offset < REGION_BYTES) {
      if (parser.line(lines.bytes, lines.start, lines.end, lines.complete) !== 'series') continue;
      const timestampMs = timeOf(parser);
      if (timestampMs < startMs || timestampMs >= endMs) continue;
      filler.append(parser, lines.bytes, timestampMs);
      if (filler.pending === SAMPLES_PER_COMMIT) await filler.commit();
    }
  }

  #share(offset: number): string {
    return `${Math.floor((100 * offset) / this.#lines.sizeBytes)} % of the input`;
  }

  #progress(text: () => string): void {
    const nowMs = this.#host.clock.monotonicMs();
    if (this.#flags.quiet || nowMs - this.#progressMs < PROGRESS_INTERVAL_MS) return;
    this.#progressMs = nowMs;
    this.#host.err.write(`${text()}\n`);
    this.#host.err.flush();
  }
}

/** Appends what the parser has read to a block in the making. */
class BlockFiller {
  readonly #builder: BlockBuilder;
  readonly #labels: ReadonlyMap<string, string>;
  readonly #refs = new SeriesRefs();
  #appender: Appender;
  /** Samples since the last commit. */
  pending = 0;

  constructor(builder: BlockBuilder, labels: ReadonlyMap<string, string>) {
    this.#builder = builder;
    this.#labels = labels;
    this.#appender = builder.appender();
  }

  /** @throws PromletError `openmetrics/refused` for a sample that is behind those of its series */
  append(parser: OpenMetricsParser, bytes: Buffer, timestampMs: number): void {
    const ref = this.#refs.get(bytes, parser.seriesStart, parser.seriesEnd, parser.type, () => this.#create(parser));
    const result = this.#appender.append(ref, timestampMs, parser.value);
    if (result !== AppendResult.ok) {
      const reason = REFUSALS.get(result) ?? `refused with ${result}`;
      throw new PromletError('openmetrics/refused', `line ${parser.lineNumber}: add sample: ${reason}`);
    }
    this.pending++;
  }

  async commit(): Promise<void> {
    await this.#appender.commit();
    this.#appender = this.#builder.appender();
    this.pending = 0;
  }

  #create(parser: OpenMetricsParser): SeriesRef {
    const builder = new LabelsBuilder(parser.labels());
    for (const [name, value] of this.#labels) builder.set(name, value);
    return this.#appender.series(builder.labels());
  }
}

/** @throws PromletError `openmetrics/parse` when the sample has no time */
function timeOf(parser: OpenMetricsParser): number {
  if (parser.timestampMs !== undefined) return parser.timestampMs;
  const reason = `line ${parser.lineNumber}: expected timestamp for series ${parser.labels().toString()}, got none`;
  throw new PromletError('openmetrics/parse', reason);
}

/** The longest range up to the limit; at least two hours. */
function blockDurationMs(limitMs: number): number {
  let durationMs = TWO_HOURS_MS;
  for (let i = 1; i < BLOCK_RANGES && durationMs * 3 <= limitMs; i++) durationMs *= 3;
  return durationMs;
}
