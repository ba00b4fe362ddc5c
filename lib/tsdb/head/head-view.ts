import { ArenaViews, type Kernels, layout } from '../../kernels/index.ts';
import { Labels, PromletError } from '../../model/index.ts';
import { findInTable } from './hash-table.ts';
import { SeriesReader } from './series-reader.ts';

const {
  HEAD_ALL_SERIES,
  HEAD_GENERATION,
  HEAD_HASH_KEY,
  HEAD_MAX_TIME,
  HEAD_MIN_TIME,
  HEAD_NAMES,
  HEAD_NAME_TABLE,
  HEAD_PAIR_TABLE,
  HEAD_SEQUENCE,
  LIST_CAPACITY,
  LIST_ITEMS,
  LIST_LENGTH,
  NAME_PAIRS,
  NAME_TEXT,
  NAME_TEXT_LENGTH,
  PAIR_NAME,
  PAIR_POSTINGS,
  PAIR_TEXT,
  PAIR_TEXT_LENGTH,
} = layout;

/** Entries of the cache of texts; a power of two. */
const CACHE_SIZE = 4096;
/** Lengths above it are believed only after a look at the sequence. */
const UNCHECKED_LENGTH = 1 << 16;
/** No series has more labels; a scrape allows far fewer. */
const MAX_LABELS = 1 << 16;
/** A reader tries so often before it lets the writer finish, and gives up after so many waits of a millisecond. */
const BUSY_ATTEMPTS = 100;
const MAX_WAITS = 20_000;
const WAIT_MS = 1;
/** Text up to this length is hashed without an allocation. */
const TEXT_SCRATCH_BYTES = 256;
const EMPTY = new Uint32Array(0);

/** What another thread is given to read a head with: `new Worker(…, { workerData: handle })`. */
export interface HeadHandle {
  readonly memory: WebAssembly.Memory;
  readonly root: number;
}

/** Reads a head that another thread writes. `kernels` are this thread's own, on a memory of their own. */
export function openHead({ memory, root }: HeadHandle, kernels: Kernels): HeadView {
  return new HeadView(new ArenaViews(memory), root, kernels);
}

/** Thrown to leave a section in which something changed. */
const CHANGED = new Error('the head changed while it was read');

/**
 * Reads a head from its root (layout.ts, HEAD_…) on any thread. On a thread other than the writer's all reading is done in
 * `read`, which starts over when the writer was at work meanwhile; until then anything may have been garbage, so every method
 * here keeps within bounds whatever it finds, and nothing that was found may leave the section before its end.
 */
export class HeadView {
  readonly views: ArenaViews;
  readonly series: SeriesReader;
  readonly #root: number;
  /** On any memory; for hashing. */
  readonly #kernels: Kernels;
  readonly #scratch: number;
  /** Whether this thread writes the head: all of a turn is one section then. */
  readonly isWriter: boolean;
  #sequence = 0;
  #reading = false;
  // The cache of texts: a pair's address and texts where its address points. Addresses are void when the generation changes.
  readonly #cachedPairs = new Uint32Array(CACHE_SIZE);
  readonly #cachedNames: string[] = Array.from({ length: CACHE_SIZE }, () => '');
  readonly #cachedValues: string[] = Array.from({ length: CACHE_SIZE }, () => '');
  readonly #nameTexts = new Map<number, string>();
  #cachedGeneration = 0;

  /**
   * @param views of the memory in which the head lies; the kernels' own on the writer's thread
   * @param root address of the head's root
   * @param kernels the thread's own
   */
  constructor(views: ArenaViews, root: number, kernels: Kernels) {
    this.views = views;
    this.#root = root;
    this.#kernels = kernels;
    this.isWriter = views === kernels.arena;
    this.series = new SeriesReader(views, root, () => void this.bounded(Infinity));
    this.#scratch = kernels.arena.allocate(TEXT_SCRATCH_BYTES);
  }

  /** Gives the scratch memory back; the view is of no use then. */
  release(): void {
    this.#kernels.arena.free(this.#scratch, TEXT_SCRATCH_BYTES);
  }

  get root(): number {
    return this.#root;
  }

  /** For other threads. */
  get handle(): HeadHandle {
    return { memory: this.views.memory, root: this.#root };
  }

  /**
   * Runs `fn`, which only reads, and again until nothing changed meanwhile. Keep it short and free of other effects; nested
   * calls belong to the outermost.
   * @throws PromletError `storage/head-busy` when the writer leaves no gap for it for 20 s
   */
  read<T>(fn: () => T): T {
    if (this.#reading) return fn();
    if (this.isWriter) {
      this.#checkCache();
      return fn();
    }
    this.#reading = true;
    try {
      return this.#attempt(fn);
    } finally {
      this.#reading = false;
    }
  }

  /** Changes whenever series, pairs or names were removed: addresses taken before are then void. */
  get generation(): number {
    return this.views.u32[(this.#root + HEAD_GENERATION) >>> 2]!;
  }

  /** Of all samples in the head; +Infinity and -Infinity while there is none. */
  get minTimeMs(): number {
    return this.views.f64[(this.#root + HEAD_MIN_TIME) / 8]!;
  }

  get maxTimeMs(): number {
    return this.views.f64[(this.#root + HEAD_MAX_TIME) / 8]!;
  }

  /** Refs of all series, ascending; a view. */
  allSeries(): Uint32Array {
    return this.#items(this.#root + HEAD_ALL_SERIES);
  }

  /** Addresses of all names, in no order; a view. */
  names(): Uint32Array {
    return this.#items(this.#root + HEAD_NAMES);
  }

  /** The address of a name, 0 when no series has it. */
  findName(name: string): number {
    const text = Buffer.from(name);
    return this.#find(HEAD_NAME_TABLE, [text], NAME_TEXT, NAME_TEXT_LENGTH);
  }

  /** The address of a pair, 0 when no series has it. */
  findPair(name: string, value: string): number {
    const nameText = Buffer.from(name);
    const valueText = Buffer.from(value);
    const parts = [uvarint(nameText.length), nameText, uvarint(valueText.length), valueText];
    return this.#find(HEAD_PAIR_TABLE, parts, PAIR_TEXT, PAIR_TEXT_LENGTH);
  }

  nameText(name: number): string {
    const known = this.#nameTexts.get(name);
    if (known !== undefined) return known;
    const length = this.bounded(this.views.u32[(name + NAME_TEXT_LENGTH) >>> 2]);
    const text = this.views.buffer.toString('utf8', name + NAME_TEXT, name + NAME_TEXT + length);
    this.#nameTexts.set(name, text);
    return text;
  }

  /** Addresses of the pairs of a name, in no order; a view. */
  pairsOf(name: number): Uint32Array {
    return this.#items(name + NAME_PAIRS);
  }

  /** The address of a pair's name. */
  nameOf(pair: number): number {
    return this.views.u32[(pair + PAIR_NAME) >>> 2] ?? 0;
  }

  pairValue(pair: number): string {
    return this.#cachedValues[this.#cachePair(pair)]!;
  }

  /** Bytes of a pair's name and value with their lengths, as a WAL record has them; a view. */
  pairBytes(pair: number): Uint8Array {
    const length = this.bounded(this.views.u32[(pair + PAIR_TEXT_LENGTH) >>> 2]);
    return this.views.u8.subarray(pair + PAIR_TEXT, pair + PAIR_TEXT + length);
  }

  /** Length of a pair's value in bytes. */
  valueBytes(pair: number): number {
    const end = pair + PAIR_TEXT + this.bounded(this.views.u32[(pair + PAIR_TEXT_LENGTH) >>> 2]);
    return Math.max(0, end - this.#valueAt(pair));
  }

  /** Refs of the series that have a pair, ascending; a view. */
  postings(pair: number): Uint32Array {
    return this.#items(pair + PAIR_POSTINGS);
  }

  /** Addresses of the pairs of a series, in the order of their names; a view. */
  pairsOfSeries(record: number): Uint32Array {
    const { u32 } = this.views;
    const at = this.series.labels(record) >>> 2;
    return u32.subarray(at + 1, at + 1 + Math.min(u32[at] ?? 0, MAX_LABELS));
  }

  labels(record: number): Labels {
    const pairs: string[] = [];
    for (const pair of this.pairsOfSeries(record)) {
      const slot = this.#cachePair(pair);
      pairs.push(this.#cachedNames[slot]!, this.#cachedValues[slot]!);
    }
    return new Labels(pairs);
  }

  #attempt<T>(fn: () => T): T {
    for (let attempt = 1; ; attempt++) {
      this.views.refresh();
      const { u32 } = this.views;
      const at = (this.#root + HEAD_SEQUENCE) >>> 2;
      this.#sequence = Atomics.load(u32, at);
      if (this.#sequence % 2 === 0) {
        this.#checkCache();
        try {
          const result = fn();
          if (this.#isUnchanged()) return result;
        } catch (error) {
          // What garbage led to is of no interest.
          if (error !== CHANGED && this.#isUnchanged()) throw error;
        }
        this.#clearCache();
      }
      if (attempt % BUSY_ATTEMPTS === 0) this.#wait(attempt / BUSY_ATTEMPTS);
    }
  }

  /** Reads and writes the sequence: a mere load would not keep earlier plain loads from being done after it. */
  #isUnchanged(): boolean {
    return Atomics.add(this.views.u32, (this.#root + HEAD_SEQUENCE) >>> 2, 0) === this.#sequence;
  }

  #wait(waits: number): void {
    if (waits >= MAX_WAITS) throw new PromletError('storage/head-busy', 'the head changed whenever it was read');
    const { memory } = this.views;
    // Nobody notifies: this is a sleep that ends early when the sequence has moved on already.
    Atomics.wait(new Int32Array(memory.buffer), (this.#root + HEAD_SEQUENCE) >>> 2, this.#sequence | 0, WAIT_MS);
  }

  /** Before anything whose cost grows with a length: whether that length is real. */
  bounded(length: number | undefined): number {
    if (length === undefined) return 0;
    if (length > UNCHECKED_LENGTH && !this.isWriter && !this.#isUnchanged()) throw CHANGED;
    return length;
  }

  #items(list: number): Uint32Array {
    const { u32 } = this.views;
    const at = list >>> 2;
    const length = this.bounded(u32[at + LIST_LENGTH / 4]);
    if (u32[at + LIST_CAPACITY / 4] === 0) return length === 0 ? EMPTY : u32.subarray(at, at + 1);
    const items = u32[at + LIST_ITEMS / 4]! >>> 2;
    return u32.subarray(items, items + length);
  }

  #find(table: number, parts: readonly Uint8Array[], text: number, textLength: number): number {
    const bytes = Buffer.concat(parts);
    const { views } = this;
    const hash = this.#hash(bytes);
    return findInTable(views, this.#root + table, hash, (found) => {
      const length = views.u32[(found + textLength) >>> 2];
      if (length !== bytes.length) return false;
      for (let i = 0; i < length; i++) if (views.u8[found + text + i] !== bytes[i]) return false;
      return true;
    });
  }

  #hash(bytes: Uint8Array): number {
    const { arena, wasm } = this.#kernels;
    const { u32 } = this.views;
    const key = (this.#root + HEAD_HASH_KEY) >>> 2;
    const fits = bytes.length + 4 <= TEXT_SCRATCH_BYTES;
    const at = fits ? this.#scratch : arena.allocate(bytes.length + 4);
    arena.u8.set(bytes, at);
    const hash = wasm.hashBytes(u32[key]!, u32[key + 1]!, at, bytes.length) >>> 0;
    if (!fits) arena.free(at, bytes.length + 4);
    return hash;
  }

  /** @returns the slot of the cache that holds the pair's texts */
  #cachePair(pair: number): number {
    // Blocks of pairs are 48 bytes or more.
    const slot = ((pair >>> 4) ^ (pair >>> 16)) & (CACHE_SIZE - 1);
    if (this.#cachedPairs[slot] === pair) return slot;
    const { u32, buffer } = this.views;
    const end = pair + PAIR_TEXT + this.bounded(u32[(pair + PAIR_TEXT_LENGTH) >>> 2]);
    this.#cachedNames[slot] = this.nameText(this.nameOf(pair));
    this.#cachedValues[slot] = buffer.toString('utf8', this.#valueAt(pair), end);
    this.#cachedPairs[slot] = pair;
    return slot;
  }

  /** Where a pair's value begins. */
  #valueAt(pair: number): number {
    const { u8 } = this.views;
    let at = pair + PAIR_TEXT;
    let nameLength = 0;
    for (let shift = 0; shift < 32; shift += 7) {
      const byte = u8[at++] ?? 0;
      nameLength |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    at += nameLength >>> 0;
    while ((u8[at++] ?? 0) >= 0x80);
    return at;
  }

  #checkCache(): void {
    const { generation } = this;
    if (generation === this.#cachedGeneration) return;
    this.#clearCache();
    this.#cachedGeneration = generation;
  }

  #clearCache(): void {
    this.#cachedPairs.fill(0);
    this.#nameTexts.clear();
  }
}

function uvarint(value: number): Uint8Array {
  const bytes: number[] = [];
  while (value >= 0x80) {
    bytes.push((value & 0x7f) | 0x80);
    value >>>= 7;
  }
  bytes.push(value);
  return Uint8Array.from(bytes);
}
