import { type Kernels, Scratch } from '../../kernels/index.ts';
import { compareUtf8, PackedTexts } from '../../model/index.ts';
import type { ValueTest, Watch } from '../select.ts';
import { type EntryRows, isAscii, offsetOf, ROW_BYTES, valueOf, valuesOf } from './entry-rows.ts';
import { MAX_LABEL_NAMES, MAX_WHOLE_TABLE_BYTES, SAMPLE_EVERY } from './format.ts';
import { LastText } from './last-text.ts';
import type { PositionedFile } from './positioned-file.ts';
import { RowMatcher } from './row-matcher.ts';
import { openSection, type Section, SectionReader } from './section.ts';

/** Entries at least this long: key count, two lengths, an offset. */
const MIN_ENTRY_BYTES = 4;

/** Entries that are read at a time. */
const BATCH_ENTRIES = 512;
/** What `gatherValues` writes over behind texts. */
const SPARE_BYTES = 8;

/** Takes a value and the offset of its postings, and reads nothing through the same cache. @returns false to stop */
export type ValueVisitor = (value: string, postingsOffset: number) => boolean;

/** For every (name, value) of an index, where its postings lie. */
export interface PostingsOffsets {
  /** Sorted, without the '' under which all series are listed. */
  names(): string[];
  /** How many values a name has. */
  valueCount(name: string): number;
  /** Offset in the file; undefined when no series has the pair. */
  find(name: string, value: string): number | undefined;
  /** Visits the values of a name in order, from the first that is not below `from`. */
  walk(name: string, from: string, visit: ValueVisitor): void;
  /** The offsets of the postings of the values that are wanted. */
  offsetsWhere(name: string, test: ValueTest, watch: Watch): number[];
  /** The first `limit` values of a name in order; undefined where they are not at hand as bytes. */
  packedValues(name: string, limit: number): PackedTexts | undefined;
}

/** Takes entries in order, as they are read. All return false to stop. */
interface EntryVisitor {
  rows(rows: EntryRows): boolean;
  /** One by itself. */
  readonly one: ValueVisitor;
}

/** The entries of one label name. */
interface NameEntries {
  /** How many values. */
  count: number;
  /** Index of its first sample among all samples. */
  readonly firstSample: number;
}

/**
 * The postings offset table of a version 2 index: entries sorted by name and value. In memory lie the names and the place of every 32nd value of each (tsdb/index, `Reader.postings`), whose text
 * is read again when a value is searched.
 */
export class SampledPostingsOffsets implements PostingsOffsets {
  readonly #kernels: Kernels;
  readonly #file: PositionedFile;
  readonly #section: Section;
  readonly #search: SectionReader;
  readonly #names = new Map<string, NameEntries>();
  /** Offsets behind the start of the section. */
  #samples: Uint32Array = new Uint32Array(256);

  /**
   * Reads the whole table once, through `from`; later through `file`.
   * @throws PromletError `storage/bad-block`, `storage/block-read`
   */
  constructor(kernels: Kernels, file: PositionedFile, from: PositionedFile, at: number) {
    this.#kernels = kernels;
    this.#file = file;
    this.#section = openSection(kernels, from, at, 'postings offset table');
    this.#search = new SectionReader(kernels, file, this.#section, this.#section.offset);
    this.#sample(from);
  }

  names(): string[] {
    return [...this.#names.keys()].filter((name) => name !== '');
  }

  valueCount(name: string): number {
    return this.#names.get(name)?.count ?? 0;
  }

  find(name: string, value: string): number | undefined {
    let found: number | undefined;
    this.walk(name, value, (candidate, offset) => {
      if (candidate === value) found = offset;
      return false;
    });
    return found;
  }

  walk(name: string, from: string, visit: ValueVisitor): void {
    const { arena } = this.#kernels;
    let below = from !== '';
    const one: ValueVisitor = (value, offset) => {
      if (below && compareUtf8(value, from) < 0) return true;
      below = false;
      return visit(value, offset);
    };
    this.#scan(name, from, {
      rows: (rows) => valuesOf(arena, rows).every((value, i) => one(value, offsetOf(arena, rows, i))),
      one,
    });
  }

  offsetsWhere(name: string, test: ValueTest, { signal, spend }: Watch): number[] {
    if (test.plain === undefined) return wantedOffsets(this, name, test);
    const { arena } = this.#kernels;
    const { prefix } = test;
    const { isExact } = test.plain;
    const offsets: number[] = [];
    const matcher = new RowMatcher(this.#kernels, test.plain);
    try {
      this.#scan(name, prefix, {
        rows: (rows) => {
          signal?.throwIfAborted();
          spend?.(matcher.workOf(rows));
          const isLast = isBehind(valueOf(arena, rows, rows.count - 1), prefix);
          const count = matcher.keep(rows);
          for (let i = 0; i < count; i++) {
            const isWanted = (isExact && isAscii(arena, rows, i)) || test.accepts(valueOf(arena, rows, i));
            if (isWanted) offsets.push(offsetOf(arena, rows, i));
          }
          return !isLast;
        },
        one: (value, offset) => {
          if (test.accepts(value)) offsets.push(offset);
          return !isBehind(value, prefix);
        },
      });
    } finally {
      matcher.release();
    }
    return offsets;
  }

  packedValues(name: string, limit: number): PackedTexts {
    const { arena, wasm } = this.#kernels;
    const texts = new Scratch(arena);
    const ends = new Scratch(arena);
    let count = 0;
    let length = 0;
    try {
      this.#scan(name, '', {
        rows: (rows) => {
          const more = Math.min(rows.count, limit - count);
          texts.grow(length + rows.bytes + SPARE_BYTES, length);
          ends.grow((count + more) * 4, count * 4);
          length = wasm.gatherValues(rows.base, rows.address, more, texts.address, length, ends.address + count * 4);
          count += more;
          return count < limit;
        },
        one: (value) => {
          const text = Buffer.from(value);
          texts.grow(length + text.length, length);
          ends.grow((count + 1) * 4, count * 4);
          arena.u8.set(text, texts.address + length);
          length += text.length;
          arena.u32[(ends.address >>> 2) + count++] = length;
          return count < limit;
        },
      });
      return new PackedTexts(
        arena.u8.slice(texts.address, texts.address + length),
        arena.u32.slice(ends.address >>> 2, (ends.address >>> 2) + count),
      );
    } finally {
      texts.release();
      ends.release();
    }
  }

  /** Visits the entries of a name in order, some from in front of the first whose value is not below `from`. */
  #scan(name: string, from: string, visitor: EntryVisitor): void {
    const entries = this.#names.get(name);
    if (entries === undefined) return;
    let index = from === '' ? 0 : this.#lastSampleBelow(entries, from) * SAMPLE_EVERY;
    let offset = this.#offsetOf(entries, index / SAMPLE_EVERY);
    // Who begins with a value mostly looks for it alone.
    let most = from === '' ? BATCH_ENTRIES : SAMPLE_EVERY;
    const scratch = new Scratch(this.#kernels.arena);
    try {
      while (index < entries.count) {
        const rows = this.#readRows(offset, Math.min(most, entries.count - index), scratch);
        index += rows.count;
        offset += rows.bytes;
        most = BATCH_ENTRIES;
        if (rows.count > 0) {
          if (!visitor.rows(rows)) return;
          continue;
        }
        // One that goes over to the next page, or an odd one.
        this.#search.seek(offset);
        skipKeys(this.#search);
        const value = this.#search.text();
        const postings = this.#search.uvarint();
        offset = this.#search.offset;
        index++;
        if (!visitor.one(value, postings)) return;
      }
    } finally {
      scratch.release();
    }
  }

  #readRows(offset: number, most: number, scratch: Scratch): EntryRows {
    const { arena, wasm } = this.#kernels;
    const address = scratch.reserve(BATCH_ENTRIES * ROW_BYTES + 8);
    const consumed = address + BATCH_ENTRIES * ROW_BYTES;
    const available = Math.min(this.#file.stretch(offset), this.#section.offset + this.#section.length - offset);
    const base = this.#file.at(offset, available);
    const count = wasm.readPostingsOffsets(base, available, address, most, consumed);
    return { address, count, base, bytes: arena.u32[consumed >>> 2]! };
  }

  /** The last sample of a name whose value is not above `value`; 0 when there is none. */
  #lastSampleBelow(entries: NameEntries, value: string): number {
    let low = 0;
    let high = Math.ceil(entries.count / SAMPLE_EVERY);
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      this.#search.seek(this.#offsetOf(entries, middle));
      skipKeys(this.#search);
      if (compareUtf8(this.#search.text(), value) <= 0) low = middle;
      else high = middle;
    }
    return low;
  }

  #offsetOf(entries: NameEntries, sample: number): number {
    return this.#section.offset + this.#samples[entries.firstSample + sample]!;
  }

  #sample(from: PositionedFile): void {
    const walk = new SectionReader(this.#kernels, from, this.#section, this.#section.offset);
    const count = checkedCount(walk, this.#section);
    const lastName = new LastText();
    const lastValue = new LastText();
    let entries: NameEntries | undefined;
    let samples = 0;
    for (let i = 0; i < count; i++) {
      const at = walk.offset;
      checkKeys(walk);
      const order = walk.replaceText(lastName);
      if (order < 0) walk.fail('names out of order');
      if (order > 0 || entries === undefined) {
        entries = { count: 0, firstSample: samples };
        if (this.#names.size === MAX_LABEL_NAMES) walk.fail(`more than ${MAX_LABEL_NAMES} label names`);
        this.#names.set(String(lastName), entries);
        lastValue.forget();
      }
      if (walk.replaceText(lastValue) <= 0) walk.fail('values out of order');
      walk.uvarint();
      if (entries.count % SAMPLE_EVERY === 0) {
        if (samples === this.#samples.length) this.#samples = grown(this.#samples);
        this.#samples[samples++] = at - this.#section.offset;
      }
      entries.count++;
    }
    this.#samples = this.#samples.slice(0, samples);
  }
}

function grown(samples: Uint32Array): Uint32Array {
  const out = new Uint32Array(samples.length * 2);
  out.set(samples);
  return out;
}

/**
 * The table of a version 1 index, whose entries are in no particular order: held whole, as Prometheus does
 * (`Reader.postingsV1`). Such indexes were last written in 2018.
 */
export class WholePostingsOffsets implements PostingsOffsets {
  readonly #offsets = new Map<string, Map<string, number>>();

  /** @throws PromletError `storage/bad-block`, `storage/block-read` */
  constructor(kernels: Kernels, from: PositionedFile, at: number) {
    const section = openSection(kernels, from, at, 'postings offset table');
    const walk = new SectionReader(kernels, from, section, section.offset);
    if (section.length > MAX_WHOLE_TABLE_BYTES)
      walk.fail(`a table of ${section.length} bytes is too large for version 1`);
    for (let left = checkedCount(walk, section); left > 0; left--) {
      const { name, value, offset } = readEntry(walk);
      let values = this.#offsets.get(name);
      if (values === undefined) this.#offsets.set(name, (values = new Map()));
      values.set(value, offset);
    }
  }

  names(): string[] {
    return [...this.#offsets.keys()].filter((name) => name !== '').sort(compareUtf8);
  }

  valueCount(name: string): number {
    return this.#offsets.get(name)?.size ?? 0;
  }

  find(name: string, value: string): number | undefined {
    return this.#offsets.get(name)?.get(value);
  }

  walk(name: string, from: string, visit: ValueVisitor): void {
    const offsets = this.#offsets.get(name) ?? new Map<string, number>();
    for (const value of [...offsets.keys()].sort(compareUtf8)) {
      if (compareUtf8(value, from) >= 0 && !visit(value, offsets.get(value)!)) return;
    }
  }

  offsetsWhere(name: string, test: ValueTest): number[] {
    return wantedOffsets(this, name, test);
  }

  packedValues(): undefined {}
}

function wantedOffsets(table: PostingsOffsets, name: string, { prefix, accepts }: ValueTest): number[] {
  const offsets: number[] = [];
  table.walk(name, prefix, (value, offset) => {
    if (!value.startsWith(prefix)) return false;
    if (accepts(value)) offsets.push(offset);
    return true;
  });
  return offsets;
}

/** Whether a value and all behind it begin otherwise. */
function isBehind(value: string, prefix: string): boolean {
  return !value.startsWith(prefix) && compareUtf8(value, prefix) > 0;
}

function skipKeys(walk: SectionReader): void {
  walk.uvarint();
  walk.skipText();
}

function checkedCount(walk: SectionReader, section: Section): number {
  const count = walk.u32();
  if (count * MIN_ENTRY_BYTES > section.length) walk.fail(`postings offset table cannot hold ${count} entries`);
  return count;
}

function checkKeys(walk: SectionReader): void {
  const keys = walk.uvarint();
  if (keys !== 2) walk.fail(`an entry of the postings offset table has ${keys} keys`);
}

function readEntry(walk: SectionReader): { name: string; value: string; offset: number } {
  checkKeys(walk);
  return { name: walk.text(), value: walk.text(), offset: walk.uvarint() };
}
