import { join } from 'node:path';
import type { FileSystem } from '../../env/index.ts';
import { errorMessage, PromletError, shorten } from '../../model/index.ts';
import { badBlock, MAX_META_BYTES, META_FILE } from './format.ts';
import { readWhole, replaceFile } from './small-file.ts';

/**
 * What meta.json says of a block (tsdb/block.go, `BlockMeta`), under the names it has there. Times are ms; the block
 * holds samples of [minTime, maxTime).
 */
export interface BlockMeta {
  readonly ulid: string;
  readonly minTime: number;
  readonly maxTime: number;
  readonly stats: BlockStats;
  readonly compaction: BlockCompaction;
  readonly version: 1;
}

/** Absent is 0. */
export interface BlockStats {
  readonly numSamples?: number;
  readonly numFloatSamples?: number;
  readonly numHistogramSamples?: number;
  readonly numSeries?: number;
  readonly numChunks?: number;
  readonly numTombstones?: number;
}

export interface BlockCompaction {
  /** How often the samples were compacted: 1 is a block written from the head. */
  readonly level: number;
  /** The level 1 blocks that went into it. */
  readonly sources?: readonly string[];
  /** No samples are left in it. */
  readonly deletable?: boolean;
  /** The blocks that it was compacted from. */
  readonly parents?: readonly BlockParent[];
  /** Compacting it failed; it is not tried again. */
  readonly failed?: boolean;
  /** Sorted: `from-out-of-order`, `from-stale-series`. */
  readonly hints?: readonly string[];
}

export interface BlockParent {
  readonly ulid: string;
  readonly minTime: number;
  readonly maxTime: number;
}

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** True for the name of a block's directory. */
export function isUlid(text: string): boolean {
  return ULID.test(text);
}

/**
 * Reads and checks a block's meta.json. Fields that are not known are passed over, as Prometheus does.
 * @throws PromletError `storage/bad-block`, `storage/block-read`
 */
export function readMeta(fileSystem: FileSystem, blockDir: string): { meta: BlockMeta; sizeBytes: number } {
  const path = join(blockDir, META_FILE);
  const bytes = readWhole(fileSystem, path, MAX_META_BYTES);
  return { meta: parseMeta(path, bytes.toString('utf8')), sizeBytes: bytes.length };
}

/**
 * Writes meta.json beside the old one, fsyncs it and puts it in its place.
 * @returns its size in bytes
 * @throws PromletError `storage/block-write`
 */
export function writeMeta(fileSystem: FileSystem, blockDir: string, meta: BlockMeta): number {
  const bytes = Buffer.from(formatMeta(meta));
  replaceFile(fileSystem, join(blockDir, META_FILE), bytes);
  return bytes.length;
}

/** The text that Prometheus writes: its order of fields, tabs, empty fields left out, no line end behind it. */
export function formatMeta({ ulid, minTime, maxTime, stats, compaction }: BlockMeta): string {
  const parents = compaction.parents?.map((parent) => ({
    ulid: parent.ulid,
    minTime: parent.minTime,
    maxTime: parent.maxTime,
  }));
  const fields = {
    ulid,
    minTime,
    maxTime,
    stats: {
      numSamples: stats.numSamples || undefined,
      numFloatSamples: stats.numFloatSamples || undefined,
      numHistogramSamples: stats.numHistogramSamples || undefined,
      numSeries: stats.numSeries || undefined,
      numChunks: stats.numChunks || undefined,
      numTombstones: stats.numTombstones || undefined,
    },
    compaction: {
      level: compaction.level,
      sources: unlessEmpty(compaction.sources),
      deletable: compaction.deletable || undefined,
      parents: unlessEmpty(parents),
      failed: compaction.failed || undefined,
      hints: unlessEmpty(compaction.hints),
    },
    version: 1,
  };
  // As Go's encoder does it in strings.
  return JSON.stringify(fields, null, '\t').replaceAll(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function unlessEmpty<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}

/** @throws PromletError `storage/bad-block` naming the file and the field */
export function parseMeta(path: string, text: string): BlockMeta {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw badBlock(path, 0, `not JSON (${errorMessage(cause)})`, cause);
  }
  const root = new Fields(path, '', parsed);
  const version = root.count('version');
  if (version !== 1) throw root.fault('version', version);
  const compaction = root.object('compaction');
  const stats = root.object('stats');
  return {
    ulid: root.ulid('ulid'),
    ...timesOf(root),
    stats: Object.fromEntries(STATS.map((name) => [name, stats.count(name)]).filter(([, count]) => count !== 0)),
    compaction: {
      level: compaction.count('level'),
      ...optional(
        'sources',
        compaction.list('sources').map((value) => checkedUlid(compaction, 'sources', value)),
      ),
      ...(compaction.flag('deletable') ? { deletable: true } : {}),
      ...optional(
        'parents',
        compaction.list('parents').map((value) => parentOf(path, value)),
      ),
      ...(compaction.flag('failed') ? { failed: true } : {}),
      ...optional(
        'hints',
        compaction.list('hints').map((value) => checkedText(compaction, 'hints', value)),
      ),
    },
    version: 1,
  };
}

const STATS = [
  'numSamples',
  'numFloatSamples',
  'numHistogramSamples',
  'numSeries',
  'numChunks',
  'numTombstones',
] as const;

function optional<T>(name: string, list: readonly T[]): Record<string, readonly T[]> {
  return list.length === 0 ? {} : { [name]: list };
}

function parentOf(path: string, value: unknown): BlockParent {
  const fields = new Fields(path, 'compaction.parents.', value);
  return { ulid: fields.ulid('ulid'), ...timesOf(fields) };
}

function timesOf(fields: Fields): { minTime: number; maxTime: number } {
  const minTime = fields.integer('minTime');
  const maxTime = fields.integer('maxTime');
  if (minTime > maxTime) throw fields.fault('maxTime', maxTime);
  return { minTime, maxTime };
}

function checkedUlid(fields: Fields, name: string, value: unknown): string {
  if (typeof value !== 'string' || !isUlid(value)) throw fields.fault(name, value);
  return value;
}

function checkedText(fields: Fields, name: string, value: unknown): string {
  if (typeof value !== 'string') throw fields.fault(name, value);
  return value;
}

/** An object of the JSON, whose fields are checked when they are taken; an absent or null one is Go's zero value. */
class Fields {
  readonly #path: string;
  readonly #prefix: string;
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(path: string, prefix: string, value: unknown) {
    this.#path = path;
    this.#prefix = prefix;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.fault('', value);
    this.#fields = value as Record<string, unknown>;
  }

  fault(name: string, value: unknown): PromletError {
    const field = `${this.#prefix}${name}` || 'the whole';
    return badBlock(this.#path, 0, `${field} cannot be ${shorten(JSON.stringify(value) ?? 'absent')}`);
  }

  object(name: string): Fields {
    return new Fields(this.#path, `${this.#prefix}${name}.`, this.#get(name) ?? {});
  }

  list(name: string): readonly unknown[] {
    const value = this.#get(name) ?? [];
    if (!Array.isArray(value)) throw this.fault(name, value);
    return value;
  }

  integer(name: string): number {
    const value = this.#get(name) ?? 0;
    if (!Number.isSafeInteger(value)) throw this.fault(name, value);
    return value as number;
  }

  count(name: string): number {
    const value = this.integer(name);
    if (value < 0) throw this.fault(name, value);
    return value;
  }

  flag(name: string): boolean {
    const value = this.#get(name) ?? false;
    if (typeof value !== 'boolean') throw this.fault(name, value);
    return value;
  }

  ulid(name: string): string {
    return checkedUlid(this, name, this.#get(name));
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
  }
}
