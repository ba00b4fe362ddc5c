import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BlockChunk, type BlockContent, type BlockMeta, type BlockSeries, readBlock } from './block-content.ts';

const MAX_DIFFERENCES = 20;
const ENCODINGS = ['none', 'xor', 'histogram', 'float histogram', 'xor2'];

export interface CompareOptions {
  /** What to call the two. */
  readonly names?: readonly [string, string];
  /** From how many others, and in how many steps, they were made is not compared. */
  readonly ignoresHistory?: boolean;
}

/**
 * What two blocks do not have in common, a line each: meta without ULIDs and stats, symbols, series, chunks to the byte,
 * postings, tombstones. Empty when they are identical.
 */
export function compareBlocks(
  ours: string,
  theirs: string,
  { names = ['ours', 'theirs'], ignoresHistory = false }: CompareOptions = {},
): string[] {
  const differences = new Differences(names);
  const a = readBlock(ours);
  const b = readBlock(theirs);
  differences.value('meta', metaText(a.meta, ignoresHistory), metaText(b.meta, ignoresHistory));
  differences.value('index version', String(a.indexVersion), String(b.indexVersion));
  differences.list('symbol', a.symbols, b.symbols, JSON.stringify);
  differences.list('series', a.series, b.series, ({ labels }) => labels.toString());
  compareSeries(a, b, differences);
  differences.list('postings', a.postings, b.postings, ([pair, series]) => `${pair} → ${series.join(' ')}`);
  differences.list('tombstone', a.tombstones, b.tombstones, String);
  if (differences.lines.length > 0) return differences.lines;
  // All that is in them is the same; so should be how it is laid down.
  for (const file of ['index', ...readdirSync(join(theirs, 'chunks')).map((name) => join('chunks', name))]) {
    const at = firstDifference(readFileSync(join(ours, file)), readFileSync(join(theirs, file)));
    if (at !== undefined) differences.lines.push(`${file}: the same content, laid down otherwise from byte ${at} on`);
  }
  return differences.lines;
}

/** How the chunks of two series differ, for those that both blocks have. */
function compareSeries(a: BlockContent, b: BlockContent, differences: Differences): void {
  const theirs = new Map(b.series.map((series) => [series.labels.toString(), series]));
  for (const series of a.series) {
    const other = theirs.get(series.labels.toString());
    if (other !== undefined) compareChunks(series, other, differences);
  }
}

function compareChunks(a: BlockSeries, b: BlockSeries, differences: Differences): void {
  const name = a.labels.toString();
  const shape = ({ minMs, maxMs, encoding, bytes }: BlockChunk): string =>
    `${minMs}..${maxMs} ${ENCODINGS[encoding] ?? encoding}, ${bytes.readUInt16BE(0)} samples in ${bytes.length} bytes`;
  differences.list(`${name}: chunk`, a.chunks, b.chunks, shape);
  a.chunks.forEach((chunk, i) => {
    const other = b.chunks[i];
    if (other === undefined || shape(chunk) !== shape(other)) return;
    const at = firstDifference(chunk.bytes, other.bytes);
    if (at === undefined) return;
    const hex = (bytes: Buffer): string => bytes.subarray(Math.max(0, at - 4), at + 12).toString('hex');
    differences.value(`${name}: chunk ${i} (${shape(chunk)}) from byte ${at} on`, hex(chunk.bytes), hex(other.bytes));
  });
}

class Differences {
  readonly lines: string[] = [];
  readonly #names: readonly [string, string];

  constructor(names: readonly [string, string]) {
    this.#names = names;
  }

  value(what: string, a: string, b: string): void {
    if (a !== b) this.#add(`${what}: ${this.#names[0]} ${a}, ${this.#names[1]} ${b}`);
  }

  /** The first place where two lists part. */
  list<T>(what: string, a: readonly T[], b: readonly T[], text: (item: T) => string): void {
    for (let i = 0; i < Math.max(a.length, b.length); i++) {
      const mine = a[i] === undefined ? 'nothing' : text(a[i]!);
      const other = b[i] === undefined ? 'nothing' : text(b[i]!);
      if (mine === other) continue;
      this.#add(`${what} ${i} (of ${a.length} and ${b.length}): ${this.#names[0]} ${mine}, ${this.#names[1]} ${other}`);
      return;
    }
  }

  #add(line: string): void {
    if (this.lines.length < MAX_DIFFERENCES) this.lines.push(line);
    else if (this.lines.length === MAX_DIFFERENCES) this.lines.push('…');
  }
}

/** What a meta.json says, without what is each block's own. */
function metaText({ minTime, maxTime, version, compaction }: BlockMeta, ignoresHistory: boolean): string {
  if (ignoresHistory) return JSON.stringify({ minTime, maxTime, version });
  const { level, sources, hints, deletable, failed } = compaction;
  return JSON.stringify({ minTime, maxTime, version, level, sources: sources?.length, hints, deletable, failed });
}

function firstDifference(a: Uint8Array, b: Uint8Array): number | undefined {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return a.length === b.length ? undefined : length;
}
