import { type Kernels, Scratch } from '../../kernels/index.ts';
import { compareUtf8 } from '../../model/index.ts';
import { MAX_LABEL_NAMES, MAX_WHOLE_TABLE_BYTES, SAMPLE_EVERY } from './format.ts';
import { LastText } from './last-text.ts';
import type { PositionedFile } from './positioned-file.ts';
import { openSection, type Section, SectionReader } from './section.ts';

/** Entries at least this long: key count, two lengths, an offset. */
const MIN_ENTRY_BYTES = 4;

/** Entries that are read at a time, to rows as assembly/postings-offsets.ts has them. */
const BATCH_ENTRIES = 512;
const ROW_BYTES = 16;
const LENGTH_MASK = 0x7fff_ffff;

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
    const entries = this.#names.get(name);
    if (entries === undefined) return;
    let index = from === '' ? 0 : this.#lastSampleBelow(entries, from) * SAMPLE_EVERY;
    let offset = this.#offsetOf(entries, index / SAMPLE_EVERY);
    let below = from !== '';
    // Who begins with a value mostly looks for it alone.
    let most = below ? SAMPLE_EVERY : BATCH_ENTRIES;
    const rows = new Scratch(this.#kernels.arena);
    try {
      while (index < entries.count) {
        const plain = this.#readPlain(offset, Math.min(most, entries.count - index), rows);
        const { length } = plain.values;
        for (let i = 0; i < length; i++) {
          const value = plain.values[i]!;
          if (below && compareUtf8(value, from) < 0) continue;
          below = false;
          if (!visit(value, plain.offsets[i]!)) return;
        }
        index += length;
        offset += plain.bytes;
        most = BATCH_ENTRIES;
        if (length > 0 || index === entries.count) continue;
        // One that goes over to the next page, or an odd one.
        this.#search.seek(offset);
        skipKeys(this.#search);
        const value = this.#search.text();
        const postings = this.#search.uvarint();
        offset = this.#search.offset;
        index++;
        if (below && compareUtf8(value, from) < 0) continue;
        below = false;
        if (!visit(value, postings)) return;
      }
    } finally {
      rows.release();
    }
  }

  /** Reads entries that lie on one page: their texts are cut from one, which takes a quarter of the time of decoding each. */
  #readPlain(offset: number, most: number, scratch: Scratch): { values: string[]; offsets: number[]; bytes: number } {
    const { arena, wasm } = this.#kernels;
    const rows = scratch.reserve(BATCH_ENTRIES * ROW_BYTES + 8);
    const consumed = rows + BATCH_ENTRIES * ROW_BYTES;
    const available = Math.min(this.#file.stretch(offset), this.#section.offset + this.#section.length - offset);
    const at = this.#file.at(offset, available);
    const count = wasm.readPostingsOffsets(at, available, rows, most, consumed);
    const { u32, f64, buffer } = arena;
    const bytes = u32[consumed >>> 2]!;
    const text = buffer.toString('latin1', at, at + bytes);
    const values: string[] = [];
    const offsets: number[] = [];
    for (let i = 0, row = rows; i < count; i++, row += ROW_BYTES) {
      const start = u32[row >>> 2]!;
      const length = u32[(row >>> 2) + 1]!;
      const end = start + (length & LENGTH_MASK);
      values.push(length > LENGTH_MASK ? buffer.toString('utf8', at + start, at + end) : text.slice(start, end));
      offsets.push(f64[row / 8 + 1]!);
    }
    return { values, offsets, bytes };
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
