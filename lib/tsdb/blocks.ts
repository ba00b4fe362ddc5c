/**
 * The open blocks of a data directory (tsdb/db.go, `reloadBlocks`). Queries lease the blocks that they read. A block that was
 * compacted or is past retention leaves the set at once; its files go when its last lease ends:
 *
 *     ULID ─reload─▶ in the set ─replaced, past retention─▶ not in the set ─last lease ends─▶ ULID.tmp-for-deletion ─▶ gone
 */
import { join } from 'node:path';
import type { Logger } from '../env/index.ts';
import { assert, errorMessage, PromletError } from '../model/index.ts';
import { Block } from './block/block.ts';
import { type BlockMeta, readMeta } from './block/meta.ts';
import type { PageCache } from './block/page-cache.ts';
import { blockNames, removeLeftovers } from './block-directories.ts';
import { BlockRemoval } from './block-removal.ts';
import { CompactionHint, hasHint } from './compact/plan.ts';
import type { UnreadableBlock } from './incomplete-querier.ts';
import { beyondRetention, type RetentionFacts, type RetentionOptions } from './retention.ts';

export interface BlockSetOptions {
  /** The data directory; exists. */
  readonly dir: string;
  /** Blocks are read through it; its file system is that of the directory. */
  readonly cache: PageCache;
  readonly logger: Logger;
}

/** What retention is applied with. */
export interface Retention {
  readonly options: RetentionOptions;
  readonly facts: RetentionFacts;
}

/** Blocks in use. Their files stay open and undeleted until it is released. */
export interface BlockLease {
  /** In order of their first time. */
  readonly blocks: readonly Block[];
  /** Once. */
  release(): void;
}

/** Counters since the set was opened, and sizes now. */
export interface BlockSetStats {
  readonly blocks: number;
  readonly sizeBytes: number;
  readonly reloads: number;
  readonly reloadFailures: number;
  /** Blocks that could not be opened, and are left where they are. */
  readonly unreadable: number;
  readonly deleted: number;
  readonly deletionFailures: number;
  /** Reloads that found blocks past retention. */
  readonly timeRetentions: number;
  readonly sizeRetentions: number;
}

const BAD_BLOCK = 'storage/bad-block';

/** A block and who uses it. */
interface Entry {
  readonly block: Block;
  leases: number;
  /** What becomes of it when it has no leases. In the set it stays open. */
  fate: 'open' | 'closed' | 'deleted';
}

export class BlockSet {
  readonly #options: BlockSetOptions;
  readonly #removal: BlockRemoval;
  /** By ULID, in order of first time. */
  #entries: ReadonlyMap<string, Entry> = new Map();
  /** ULIDs of blocks that are deleted when their leases end. */
  readonly #leaving = new Set<string>();
  /** Blocks that could not be opened and why, by ULID. A bad one is not tried again, one that could not be read is. */
  readonly #unreadable = new Map<string, UnreadableBlock & { readonly code: string }>();
  #reloads = 0;
  #reloadFailures = 0;
  #timeRetentions = 0;
  #sizeRetentions = 0;

  /**
   * Deletes what was left half made or half deleted and opens all blocks. One that cannot be opened is reported and left.
   * @throws PromletError `storage/open` when the directory cannot be read or cleaned
   */
  constructor(options: BlockSetOptions) {
    const { dir, cache, logger } = options;
    this.#options = options;
    this.#removal = new BlockRemoval(dir, cache.fileSystem, logger);
    try {
      const leftovers = removeLeftovers(cache.fileSystem, dir);
      if (leftovers.length > 0) logger.info({ dir, leftovers }, 'deleted unfinished blocks');
    } catch (cause) {
      throw new PromletError('storage/open', `cannot clean ${dir}: ${errorMessage(cause)}`, { cause });
    }
    this.reload();
  }

  /** In order of their first time. */
  get blocks(): Block[] {
    return [...this.#entries.values()].map((entry) => entry.block);
  }

  /** Why a block that is in the directory is not in the set: `storage/bad-block`, `storage/block-read`. */
  whyUnreadable(ulid: string): string | undefined {
    return this.#unreadable.get(ulid)?.code;
  }

  /** Blocks that are in the directory and not in the set, because they cannot be opened. */
  get unreadable(): UnreadableBlock[] {
    return Array.from(this.#unreadable.values(), ({ ulid, minTimeMs, maxTimeMs }) => ({ ulid, minTimeMs, maxTimeMs }));
  }

  /**
   * Where blocks of samples in order end: the head begins there. -Infinity when there are none
   * (tsdb/db.go, `inOrderBlocksMaxTime`).
   */
  get inOrderMaxTimeMs(): number {
    const partial = Object.values(CompactionHint);
    const metas = this.blocks.map((block) => block.meta).filter((meta) => !partial.some((hint) => hasHint(meta, hint)));
    return metas.reduce((maxTime, meta) => Math.max(maxTime, meta.maxTime), -Infinity);
  }

  get stats(): BlockSetStats {
    return {
      blocks: this.#entries.size,
      sizeBytes: this.blocks.reduce((sum, block) => sum + block.sizeBytes, 0),
      reloads: this.#reloads,
      reloadFailures: this.#reloadFailures,
      unreadable: this.#unreadable.size,
      deleted: this.#removal.deleted,
      deletionFailures: this.#removal.failures,
      timeRetentions: this.#timeRetentions,
      sizeRetentions: this.#sizeRetentions,
    };
  }

  /** Blocks that may hold samples of [minMs, maxMs], both inclusive. */
  lease(minMs: number, maxMs: number): BlockLease {
    const entries = [...this.#entries.values()].filter(({ block }) => block.overlaps(minMs, maxMs));
    for (const entry of entries) entry.leases++;
    let released = false;
    return {
      blocks: entries.map((entry) => entry.block),
      release: () => {
        assert(!released, 'blocks: a lease was released twice');
        released = true;
        for (const entry of entries) {
          entry.leases--;
          this.#settle(entry);
        }
      },
    };
  }

  /**
   * Takes in what is new in the directory, and lets go of blocks that are replaced or marked as deletable, are past
   * retention, or are gone from the directory.
   * @param retention without it no block goes for its age or size
   * @throws PromletError `storage/open` when the directory cannot be read; the set is as before
   */
  reload(retention?: Retention): void {
    const names = new Set(this.#names().filter((name) => !this.#leaving.has(name)));
    const found = new Map<string, Entry>();
    for (const name of names) {
      const entry = this.#entries.get(name) ?? this.#open(name);
      if (entry !== undefined) found.set(name, entry);
    }
    const obsolete = replaced([...found.values()].map((entry) => entry.block.meta));
    if (retention !== undefined) this.#addPastRetention(obsolete, found, retention);

    const before = this.#entries;
    const kept = [...found].filter(([name]) => !obsolete.has(name));
    this.#entries = new Map(kept.sort(([, a], [, b]) => a.block.meta.minTime - b.block.meta.minTime));
    // After the swap: who leases now gets the new blocks.
    for (const [name, entry] of before) if (!names.has(name)) this.#letGo(entry, 'closed');
    for (const name of obsolete) {
      const entry = found.get(name);
      if (entry !== undefined) this.#letGo(entry, 'deleted');
      else if (names.has(name)) this.#removal.remove(name);
    }
    for (const name of this.#unreadable.keys())
      if (!names.has(name) || obsolete.has(name)) this.#unreadable.delete(name);
  }

  /**
   * Notes in a block's meta file what became of its compaction: it failed, or nothing was left of its samples.
   * @throws PromletError `storage/block-write`
   */
  mark(ulid: string, what: 'failed' | 'deletable'): void {
    const block = this.#entries.get(ulid)?.block;
    if (block === undefined) return;
    const { meta } = block;
    block.setMeta({ ...meta, compaction: { ...meta.compaction, [what]: true } });
  }

  /** Deletes a block that nothing was replaced by: what it was made from is still there. */
  discard(ulid: string): void {
    const entry = this.#entries.get(ulid);
    this.#unreadable.delete(ulid);
    this.#entries = new Map([...this.#entries].filter(([name]) => name !== ulid));
    if (entry === undefined) this.#removal.remove(ulid);
    else this.#letGo(entry, 'deleted');
  }

  /** Resolves when what is being deleted is deleted. */
  settled(): Promise<void> {
    return this.#removal.settled();
  }

  /** Closes all blocks; leased ones when their lease ends. @returns when what was being deleted is deleted */
  async close(): Promise<void> {
    for (const entry of this.#entries.values()) this.#letGo(entry, 'closed');
    this.#entries = new Map();
    await this.settled();
  }

  #names(): string[] {
    const { dir, cache } = this.#options;
    this.#reloads++;
    try {
      return blockNames(cache.fileSystem, dir);
    } catch (cause) {
      this.#reloadFailures++;
      throw new PromletError('storage/open', `cannot list ${dir}: ${errorMessage(cause)}`, { cause });
    }
  }

  /** @returns undefined when it cannot be opened; reported once */
  #open(name: string): Entry | undefined {
    if (this.#unreadable.get(name)?.code === BAD_BLOCK) return undefined;
    const { dir, cache, logger } = this.#options;
    try {
      const block = Block.open({ dir: join(dir, name), cache });
      if (block.meta.ulid !== name) {
        block.close();
        throw new PromletError(BAD_BLOCK, `${block.dir}: the block in it calls itself ${block.meta.ulid}`);
      }
      this.#unreadable.delete(name);
      return { block, leases: 0, fate: 'open' };
    } catch (error) {
      if (!(error instanceof PromletError)) throw error;
      if (!this.#unreadable.has(name)) {
        logger.error({ block: name, error: error.message }, 'cannot open a block; it is left as it is');
      }
      this.#unreadable.set(name, { ulid: name, code: error.code, ...timesOf(cache, join(dir, name)) });
      return undefined;
    }
  }

  #addPastRetention(obsolete: Set<string>, found: ReadonlyMap<string, Entry>, { options, facts }: Retention): void {
    const kept = [...found].filter(([name]) => !obsolete.has(name)).map(([, entry]) => entry.block);
    const { time, size } = beyondRetention(kept, options, facts);
    if (time.length > 0) this.#timeRetentions++;
    if (size.length > 0) this.#sizeRetentions++;
    for (const block of [...time, ...size]) obsolete.add(block.meta.ulid);
  }

  #letGo(entry: Entry, fate: 'closed' | 'deleted'): void {
    entry.fate = fate;
    if (fate === 'deleted') this.#leaving.add(entry.block.meta.ulid);
    this.#settle(entry);
  }

  #settle({ block, leases, fate }: Entry): void {
    if (fate === 'open' || leases > 0) return;
    block.close();
    if (fate === 'closed') return;
    this.#leaving.delete(block.meta.ulid);
    this.#removal.remove(block.meta.ulid);
  }
}

/** The times of a block that cannot be opened. */
function timesOf({ fileSystem }: PageCache, dir: string): Pick<UnreadableBlock, 'minTimeMs' | 'maxTimeMs'> {
  try {
    const { meta } = readMeta(fileSystem, dir);
    return { minTimeMs: meta.minTime, maxTimeMs: meta.maxTime };
  } catch (error) {
    if (!(error instanceof PromletError)) throw error;
    return { minTimeMs: -Infinity, maxTimeMs: Infinity };
  }
}

/** ULIDs of blocks that say they can be deleted and of those that others were made from, whether they are there or not. */
function replaced(metas: readonly BlockMeta[]): Set<string> {
  const ulids = new Set<string>();
  for (const { ulid, compaction } of metas) {
    if (compaction.deletable === true) ulids.add(ulid);
    // None replaces itself, whatever its meta file says.
    for (const parent of compaction.parents ?? []) if (parent.ulid !== ulid) ulids.add(parent.ulid);
  }
  return ulids;
}
