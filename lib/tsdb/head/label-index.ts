import { type Kernels, layout, type SharedArena } from '../../kernels/index.ts';
import { type Labels, PromletError } from '../../model/index.ts';
import { readLabels } from '../wal/labels-field.ts';
import { RecordReader } from '../wal/record-reader.ts';
import { HashTable } from './hash-table.ts';
import type { HeadRoot } from './head-root.ts';
import { Lists } from './list.ts';

const {
  HEAD_ALL_SERIES,
  HEAD_DIRECTORY,
  HEAD_HASH_KEY,
  HEAD_NAMES,
  HEAD_NAME_TABLE,
  HEAD_PAGE_COUNT,
  HEAD_PAIR_TABLE,
  HEAD_SERIES_TABLE,
  LOOKUP_CONSUMED,
  LOOKUP_COUNT,
  LOOKUP_DETAIL_SIZE,
  LOOKUP_HASH,
  LOOKUP_MALFORMED,
  LOOKUP_NOT_CANONICAL,
  LOOKUP_OK,
  LOOKUP_PAIRS,
  LOOKUP_STATUS,
  LOOKUP_TOO_MANY,
  NAME_INDEX,
  NAME_PAIRS,
  NAME_TEXT,
  NAME_TEXT_LENGTH,
  PAIR_INDEX,
  PAIR_NAME,
  PAIR_POSTINGS,
  PAIR_TEXT,
  PAIR_TEXT_LENGTH,
} = layout;

const MAX_VARINT_BYTES = 5;
/** Strings up to this length have a length of one byte when they are ASCII. */
const SHORT_TEXT = 127;

/**
 * The writer's side of the labels (layout.ts): label sets to refs, and the postings. A label set is stored as the addresses
 * of its (name, value) pairs, in label order; equal sets have equal pairs, so that comparing costs no text. All texts
 * lie in the arena, and are looked up by their bytes.
 *
 *     names ─▶ pairs ─▶ postings: sorted refs
 *     hash of pairs ─▶ ref ─▶ record ─▶ pairs
 */
export class LabelIndex {
  readonly #kernels: Kernels;
  readonly #arena: SharedArena;
  readonly #root: number;
  readonly #lists: Lists;
  readonly #series: HashTable;
  readonly #pairs: HashTable;
  readonly #names: HashTable;
  /** Text of labels that came as strings. */
  #text = 0;
  #textCapacity = 0;
  /** What the last lookup found (layout.ts, LOOKUP_…). */
  #lookup = 0;
  #lookupCapacity = 0;
  /** Address of the labels of the last lookup. */
  #encoded = 0;
  /** Of a list that is being swept in several steps: refs looked at, those kept, and the block that those are in. */
  #sweeping = { from: 0, kept: 0, block: 0, blockBytes: 0 };

  constructor(kernels: Kernels, root: HeadRoot) {
    const { arena } = kernels;
    this.#kernels = kernels;
    this.#arena = arena;
    this.#root = root.address;
    this.#lists = new Lists(arena);
    this.#series = new HashTable(arena, root.address + HEAD_SERIES_TABLE);
    this.#pairs = new HashTable(arena, root.address + HEAD_PAIR_TABLE);
    this.#names = new HashTable(arena, root.address + HEAD_NAME_TABLE);
    this.#reserveLookup(32);
    this.#reserveText(1024);
  }

  get numSeries(): number {
    return this.#series.size;
  }

  get numPairs(): number {
    return this.#pairs.size;
  }

  /**
   * The ref of a label set, 0 when there is none.
   * @throws PromletError `storage/bad-labels` when they have no UTF-8 form in the order of their names
   */
  find(labels: Labels): number {
    const length = this.#encode(labels.pairs);
    const ref = this.#lookUp(this.#text, length);
    if (this.#status !== LOOKUP_OK)
      throw new PromletError('storage/bad-labels', `labels that are not text: ${labels.toString()}`);
    return ref;
  }

  /** As `find`, of labels as a WAL series record has them, which lie at the beginning of `bytes`. `consumedBytes` are theirs. */
  findEncoded(bytes: Uint8Array): number {
    this.consumedBytes = -1;
    let at = bytes.byteOffset;
    if (bytes.buffer !== this.#arena.memory.buffer) {
      this.#reserveText(bytes.length);
      at = this.#text;
      this.#arena.u8.set(bytes, at);
    }
    const ref = this.#lookUp(at, bytes.length);
    const status = this.#status;
    if (status === LOOKUP_MALFORMED) return 0;
    this.consumedBytes = this.#arena.u32[(this.#lookup + LOOKUP_CONSUMED) >>> 2]!;
    // Another writer's: as labels of ours.
    return status === LOOKUP_NOT_CANONICAL ? this.find(readLabels(new RecordReader(bytes))) : ref;
  }

  /** Of the labels that `findEncoded` read; -1 when they were malformed. */
  consumedBytes = -1;

  /** Of the label set that was last looked for. */
  get foundSize(): number {
    return this.#arena.u32[(this.#lookup + LOOKUP_COUNT) >>> 2]!;
  }

  /** Adds the label set that was just looked for in vain. @returns the address of its labels */
  add(ref: number): number {
    const arena = this.#arena;
    const count = this.foundSize;
    const pairsAt = (this.#lookup + LOOKUP_PAIRS) >>> 2;
    let known = true;
    for (let i = 0; i < count; i++) {
      if (arena.u32[pairsAt + i] !== 0) continue;
      known = false;
      const detail = pairsAt + this.#lookupCapacity + (i * LOOKUP_DETAIL_SIZE) / 4;
      const { u32 } = arena;
      const pair = this.#addPair(u32[detail]!, this.#encoded + u32[detail + 1]!, u32[detail + 2]!);
      arena.u32[pairsAt + i] = pair;
    }
    const hash = known ? arena.u32[(this.#lookup + LOOKUP_HASH) >>> 2]! : this.#hash(pairsAt * 4, count * 4);
    const labels = arena.allocate(4 + 4 * count);
    arena.u32[labels >>> 2] = count;
    arena.u32.copyWithin((labels >>> 2) + 1, pairsAt, pairsAt + count);
    for (let i = 0; i < count; i++) this.#lists.insert(arena.u32[pairsAt + i]! + PAIR_POSTINGS, ref);
    this.#lists.insert(this.#root + HEAD_ALL_SERIES, ref);
    this.#series.insert(hash, ref);
    return labels;
  }

  /**
   * Takes a series out of the table and frees its labels. It stays in the postings of its pairs, which are added to
   * `pairs`: they are to be swept.
   */
  remove(ref: number, labels: number, pairs: Set<number>): void {
    const { u32 } = this.#arena;
    const count = u32[labels >>> 2]!;
    this.#series.remove(this.#hash(labels + 4, count * 4), ref);
    for (let i = 1; i <= count; i++) pairs.add(u32[(labels >>> 2) + i]!);
    this.#arena.free(labels, 4 + 4 * count);
  }

  /**
   * Takes refs without a record out of the postings of a pair, and the pair away when none is left. Looks at no more than
   * `most` refs; of a longer list the next call looks at those that follow.
   * @returns at how many it looked, and whether the list is through
   */
  sweepPair(pair: number, most: number): { looked: number; through: boolean } {
    const swept = this.#sweep(pair + PAIR_POSTINGS, most);
    if (swept.through && this.#lists.length(pair + PAIR_POSTINGS) === 0) this.#removePair(pair);
    return swept;
  }

  /** As `sweepPair`, for the list of all series. */
  sweepAllSeries(most: number): { looked: number; through: boolean } {
    return this.#sweep(this.#root + HEAD_ALL_SERIES, most);
  }

  #sweep(list: number, most: number): { looked: number; through: boolean } {
    const sweep = this.#sweeping;
    const { length } = this.#lists.items(list);
    const looked = Math.min(most, length - sweep.from);
    // A list that takes several calls is copied, so that readers find it whole between them; new refs come at its end.
    if (sweep.from > 0 || looked < length) this.#reserveSweep(sweep.kept + looked);
    const { u32 } = this.#arena;
    const { byteOffset } = this.#lists.items(list);
    const kept = this.#kernels.wasm.filterPostings(
      u32[(this.#root + HEAD_DIRECTORY) >>> 2]!,
      u32[(this.#root + HEAD_PAGE_COUNT) >>> 2]!,
      byteOffset + sweep.from * 4,
      looked,
      sweep.block === 0 ? byteOffset : sweep.block + sweep.kept * 4,
    );
    if (sweep.block === 0) {
      if (kept < length) this.#lists.truncate(list, kept);
      return { looked, through: true };
    }
    sweep.from += looked;
    sweep.kept += kept;
    if (sweep.from < length) return { looked, through: false };
    this.#lists.replace(list, sweep.block, sweep.blockBytes, sweep.kept);
    this.#sweeping = { from: 0, kept: 0, block: 0, blockBytes: 0 };
    return { looked, through: true };
  }

  #reserveSweep(items: number): void {
    const arena = this.#arena;
    const sweep = this.#sweeping;
    if (items * 4 <= sweep.blockBytes) return;
    const blockBytes = arena.capacityOf(items * 4);
    const block = arena.allocate(blockBytes);
    arena.u8.copyWithin(block, sweep.block, sweep.block + sweep.kept * 4);
    if (sweep.block !== 0) arena.free(sweep.block, sweep.blockBytes);
    sweep.block = block;
    sweep.blockBytes = blockBytes;
  }

  get #status(): number {
    return this.#arena.u32[(this.#lookup + LOOKUP_STATUS) >>> 2]!;
  }

  #lookUp(encoded: number, length: number): number {
    const { wasm } = this.#kernels;
    this.#encoded = encoded;
    const ref = wasm.lookupLabels(this.#root, encoded, length, this.#lookup, this.#lookupCapacity) >>> 0;
    if (this.#status !== LOOKUP_TOO_MANY) return ref;
    this.#reserveLookup(this.foundSize);
    return this.#lookUp(encoded, length);
  }

  #hash(at: number, length: number): number {
    const { u32 } = this.#arena;
    const key = (this.#root + HEAD_HASH_KEY) >>> 2;
    return this.#kernels.wasm.hashBytes(u32[key]!, u32[key + 1]!, at, length) >>> 0;
  }

  #addPair(hash: number, text: number, length: number): number {
    const arena = this.#arena;
    const pair = arena.allocate(PAIR_TEXT + length);
    const { u8, u32 } = arena;
    u8.fill(0, pair, pair + PAIR_TEXT);
    u32[(pair + PAIR_TEXT_LENGTH) >>> 2] = length;
    u8.copyWithin(pair + PAIR_TEXT, text, text + length);
    const name = this.#internName(pair + PAIR_TEXT);
    arena.u32[(pair + PAIR_NAME) >>> 2] = name;
    arena.u32[(pair + PAIR_INDEX) >>> 2] = this.#lists.length(name + NAME_PAIRS);
    this.#lists.push(name + NAME_PAIRS, pair);
    this.#pairs.insert(hash, pair);
    return pair;
  }

  #removePair(pair: number): void {
    const arena = this.#arena;
    const { u32 } = arena;
    const length = u32[(pair + PAIR_TEXT_LENGTH) >>> 2]!;
    const name = u32[(pair + PAIR_NAME) >>> 2]!;
    const index = u32[(pair + PAIR_INDEX) >>> 2]!;
    this.#pairs.remove(this.#hash(pair + PAIR_TEXT, length), pair);
    const moved = this.#lists.removeAt(name + NAME_PAIRS, index);
    if (moved !== 0) arena.u32[(moved + PAIR_INDEX) >>> 2] = index;
    arena.free(pair, PAIR_TEXT + length);
    if (this.#lists.length(name + NAME_PAIRS) === 0) this.#removeName(name);
  }

  /** The name that a pair's text begins with. */
  #internName(text: number): number {
    const arena = this.#arena;
    const { u8 } = arena;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = u8[text++]!;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    const hash = this.#hash(text, length);
    const known = this.#names.find(hash, (name) => this.#isName(name, text, length));
    if (known !== 0) return known;
    const name = arena.allocate(NAME_TEXT + length);
    arena.u8.fill(0, name, name + NAME_TEXT);
    arena.u32[(name + NAME_TEXT_LENGTH) >>> 2] = length;
    arena.u8.copyWithin(name + NAME_TEXT, text, text + length);
    arena.u32[(name + NAME_INDEX) >>> 2] = this.#lists.length(this.#root + HEAD_NAMES);
    this.#lists.push(this.#root + HEAD_NAMES, name);
    this.#names.insert(hash, name);
    return name;
  }

  #isName(name: number, text: number, length: number): boolean {
    const { u8, u32 } = this.#arena;
    if (u32[(name + NAME_TEXT_LENGTH) >>> 2] !== length) return false;
    for (let i = 0; i < length; i++) if (u8[name + NAME_TEXT + i] !== u8[text + i]) return false;
    return true;
  }

  #removeName(name: number): void {
    const { u32 } = this.#arena;
    const length = u32[(name + NAME_TEXT_LENGTH) >>> 2]!;
    const index = u32[(name + NAME_INDEX) >>> 2]!;
    this.#names.remove(this.#hash(name + NAME_TEXT, length), name);
    const moved = this.#lists.removeAt(this.#root + HEAD_NAMES, index);
    if (moved !== 0) this.#arena.u32[(moved + NAME_INDEX) >>> 2] = index;
    this.#arena.free(name, NAME_TEXT + length);
  }

  /** Writes labels to `#text` as a WAL series record has them. @returns the length */
  #encode(pairs: readonly string[]): number {
    let bound = MAX_VARINT_BYTES;
    for (const text of pairs) bound += MAX_VARINT_BYTES + text.length * 3;
    this.#reserveText(bound);
    const { u8, buffer } = this.#arena;
    let at = this.#uvarint(this.#text, pairs.length / 2);
    for (let i = 0; i < pairs.length; i++) {
      const text = pairs[i]!;
      const { length } = text;
      let ascii = 0;
      if (length <= SHORT_TEXT) {
        u8[at] = length;
        for (; ascii < length; ascii++) {
          const code = text.charCodeAt(ascii);
          if (code >= 0x80) break;
          u8[at + 1 + ascii] = code;
        }
      }
      if (ascii === length) {
        at += 1 + length;
      } else {
        at = this.#uvarint(at, Buffer.byteLength(text));
        at += buffer.write(text, at, 'utf8');
      }
    }
    return at - this.#text;
  }

  #uvarint(at: number, value: number): number {
    const { u8 } = this.#arena;
    while (value >= 0x80) {
      u8[at++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    u8[at++] = value;
    return at;
  }

  #reserveText(sizeBytes: number): void {
    if (sizeBytes <= this.#textCapacity) return;
    if (this.#textCapacity > 0) this.#arena.free(this.#text, this.#textCapacity);
    this.#textCapacity = this.#arena.capacityOf(sizeBytes);
    this.#text = this.#arena.allocate(this.#textCapacity);
  }

  #reserveLookup(labels: number): void {
    const bytesPerLabel = 4 + LOOKUP_DETAIL_SIZE;
    if (this.#lookupCapacity > 0) this.#arena.free(this.#lookup, LOOKUP_PAIRS + this.#lookupCapacity * bytesPerLabel);
    const sizeBytes = this.#arena.capacityOf(LOOKUP_PAIRS + labels * bytesPerLabel);
    this.#lookupCapacity = Math.floor((sizeBytes - LOOKUP_PAIRS) / bytesPerLabel);
    this.#lookup = this.#arena.allocate(sizeBytes);
  }
}
