import { scanLayout as layout } from '../../lib/kernels/index.ts';
import type { SeriesRef } from '../../lib/storage/index.ts';
import type { ExpositionParser } from './exposition.ts';
import { LINES_PER_CLOCK_READ, MAX_LINES_OF_FAILED_PAGES } from './limits.ts';
import { METRIC_TYPES, type MetricType } from './metric-type.ts';
import { PageMetadata } from './page-metadata.ts';
import type { ScanScratch } from './scan-scratch.ts';

const REF_WORD = layout.RECORD_REF / 4;
const SIZE_WORD = layout.RECORD_SIZE / 4;
const SEEN_WORD = layout.RECORD_SEEN / 4;
const LIVE_WORD = layout.RECORD_LIVE / 4;

/** What a page's unknown and unusual lines need from the scrape loop. */
export interface PageSink {
  /**
   * The labels of a line not seen before are `parser.labels()`.
   * @returns its series, 0 when relabelling drops it, undefined when it is counted but not stored (sample limit)
   */
  resolve(parser: ExpositionParser): SeriesRef | undefined;
  /** A sample with its own timestamp; those without are in the columns of the scratch. @returns false when it is refused */
  timestamped(ref: SeriesRef, timestampMs: number, value: number): boolean;
}

export interface PageOptions {
  readonly honorTimestamps: boolean;
  /** Series with timestamps of their own get stale markers too. */
  readonly trackTimestampsStaleness: boolean;
}

export interface PageCounts {
  /** Sample lines. */
  scraped: number;
  /** Of those, kept by metric relabelling. */
  kept: number;
  /** Lines that were not in the last pages, and whose sample was not refused. */
  added: number;
  /** Lines that repeat a series of this page. */
  duplicates: number;
}

/**
 * What one target's last page looked like: a record per line, in order (lib/kernels scan layout). `begin` and `read`
 * walk the next page along it in the kernel; a line that is new, moved or unusual is parsed here, and the walk resumes.
 * Then `accept` makes the page just read the one remembered, or `reject` adds its new lines to the old one's.
 *
 *     records  | lines of the last page: 0 … #count | lines new in this page: #count … #used |
 *     #runs    record indexes in the order of the page being read
 */
export class ScrapeCache {
  readonly metadata = new PageMetadata();
  readonly #scratch: ScanScratch;
  #address = 0;
  /** Records that fit the block at #address. */
  #capacity = 0;
  #count = 0;
  #used = 0;
  /** Number of the page being read; 0 is "never". */
  #page = 0;
  /** Pairs of first and one-past-last record index. */
  #runs: number[] = [];
  #tableBuilt = false;
  #counts: PageCounts = { scraped: 0, kept: 0, added: 0, duplicates: 0 };
  /** Addresses of the page being read. */
  #start = 0;
  #end = 0;
  /** The record expected next. */
  #expected = 0;
  /** False while the stale markers of the remembered series are written already (the last scrape failed). */
  #live = true;
  /** True when the remembered lines no longer lead to the right series: relabelling changed. */
  #outdated = false;
  /** Series that got a timestamp of their own in this page, and so leave the staleness tracking. */
  #untracked: SeriesRef[] = [];
  /** Of each new line of this page without a timestamp: its record, and its index in the columns of the scratch. */
  #newColumns: number[] = [];
  /** Records of the page accepted last. */
  #acceptedCount = 0;

  constructor(scratch: ScanScratch) {
    this.#scratch = scratch;
  }

  /** Lines remembered. */
  get size(): number {
    return this.#count;
  }

  /** Makes every line of the next page new, keeping what is remembered for the stale markers. */
  outdate(): void {
    this.#outdated = true;
  }

  /** Starts on the page at [address, address + length), whose last byte is a line feed. */
  begin(address: number, length: number): void {
    this.#start = address;
    this.#end = address + length;
    this.#page++;
    this.#used = this.#count;
    this.#runs = [];
    this.#tableBuilt = false;
    this.#untracked = [];
    this.#newColumns = [];
    this.#scratch.begin(address, this.#end, this.#page);
    this.#counts = { scraped: 0, kept: 0, added: 0, duplicates: 0 };
    this.#expected = this.#outdated ? this.#count : 0;
  }

  /**
   * Reads on, until the end of the page or, now and then among lines that the kernel does not know, `expired` says to
   * stop. The samples without a timestamp are in the scratch columns then.
   * @returns true at the end of the page
   * @throws PromletError `scrape/parse`, and what the sink throws; then call `reject`
   */
  read(options: PageOptions, sink: PageSink, expired: () => boolean): boolean {
    const scratch = this.#scratch;
    const { kernels, parser } = scratch;
    const end = this.#end;
    for (let parsed = 1; ; parsed++) {
      if (parsed % LINES_PER_CLOCK_READ === 0 && expired()) return false;
      const expected = this.#expected;
      scratch.reserve(scratch.count + this.#count - expected + 1);
      scratch.set(layout.STATE_RECORD, this.#addressOf(expected));
      scratch.set(layout.STATE_RECORDS_END, this.#addressOf(this.#count));
      const done = kernels.wasm.scanPage(scratch.state) === 1;
      const walked = (scratch.get(layout.STATE_RECORD) - this.#address) / layout.RECORD_BYTES;
      this.#addRun(expected, walked);
      this.#expected = walked;
      if (done) return true;

      const kind = scratch.get(layout.STATE_TYPE);
      parser.reset(kernels.arena.u8, this.#start, end);
      parser.position = scratch.get(layout.STATE_POSITION);
      parser.type = kind === 0 ? undefined : METRIC_TYPES[kind - layout.KIND_TYPE];
      const entry = parser.next();
      if (entry === 'end') return true;
      scratch.set(layout.STATE_POSITION, parser.position);
      if (entry === 'series') this.#expected = this.#readSeries(walked, options, sink, this.#counts);
      else {
        if (entry === 'type') this.metadata.setType(parser.metadataName, parser.metadataText);
        else if (entry === 'help') this.metadata.setHelp(parser.metadataName, parser.metadataText);
        this.#readComment(entry === 'type' ? parser.type : undefined);
      }
    }
  }

  /** Of the page begun last, as far as it was read. */
  get counts(): PageCounts {
    const { kept } = this.#counts;
    return { ...this.#counts, scraped: this.#scratch.get(layout.STATE_SCRAPED), kept: kept + this.#scratch.count };
  }

  /** The page just read becomes the remembered one. @returns the series that are gone and need a stale marker */
  accept(): SeriesRef[] {
    const stale = this.#live ? this.#gone() : [];
    const inOrder = this.#runs.length === 2 && this.#runs[0] === 0 && this.#runs[1] === this.#used;
    if (!inOrder) this.#reorder();
    this.#count = this.#used;
    this.#acceptedCount = this.#count;
    this.#live = true;
    this.#endPage();
    return stale;
  }

  /**
   * Storage refused the samples of these indexes in the columns. As in Prometheus their lines, if they are new, count as
   * not added, and are new again in the next page.
   */
  refuse(isRefused: (column: number) => boolean): void {
    for (let i = 0; i < this.#newColumns.length; i += 2) {
      if (!isRefused(this.#newColumns[i + 1]!)) continue;
      this.#erase(this.#newColumns[i]!);
      this.#counts.added--;
    }
  }

  /**
   * Nothing was scraped, or not all could be read. As in Prometheus the new lines of a page that failed are known from
   * now on, until failing pages have brought too many.
   * @returns the series that need a stale marker
   */
  reject(): SeriesRef[] {
    const stale = this.#live ? this.#untracked : [];
    const { u32 } = this.#scratch.kernels.arena;
    for (let record = 0; this.#live && record < this.#count; record++) {
      const word = this.#wordOf(record);
      if (isSeries(u32, word) && u32[word + LIVE_WORD] === 1) stale.push(u32[word + REF_WORD]!);
    }
    if (this.#outdated || this.#used > 2 * this.#acceptedCount + MAX_LINES_OF_FAILED_PAGES) this.#reorder();
    this.#count = this.#used;
    this.#live = false;
    this.#endPage();
    return stale;
  }

  /** Drops the lines of series that the storage no longer knows; they are new when they come again. */
  forget(refs: ReadonlySet<SeriesRef>): void {
    const { u32 } = this.#scratch.kernels.arena;
    for (let record = 0; record < this.#count; record++) {
      const word = this.#wordOf(record);
      if (isSeries(u32, word) && refs.has(u32[word + REF_WORD]!)) this.#erase(record);
    }
  }

  /** Makes the record a comment longer than any page: it matches nothing and needs no marker. */
  #erase(record: number): void {
    this.#scratch.kernels.arena.u32[this.#wordOf(record) + SIZE_WORD] = sizeOf(layout.KIND_COMMENT, -1);
  }

  #endPage(): void {
    this.#runs = [];
    this.#untracked = [];
    this.#newColumns = [];
    this.#outdated = false;
  }

  /** Gives the memory back. */
  close(): void {
    if (this.#capacity > 0) this.#scratch.kernels.arena.free(this.#address, this.#capacity * layout.RECORD_BYTES);
    this.#capacity = 0;
    this.#count = 0;
    this.#used = 0;
  }

  /** Takes the series line in the parser. @returns the record expected next */
  #readSeries(expected: number, options: PageOptions, sink: PageSink, counts: PageCounts): number {
    const scratch = this.#scratch;
    const { parser } = scratch;
    const { seriesStart: start, value } = parser;
    const length = parser.seriesEnd - start;
    const ownTimeMs = options.honorTimestamps ? parser.timestampMs : undefined;
    const live = ownTimeMs === undefined || options.trackTimestampsStaleness;
    scratch.set(layout.STATE_SCRAPED, scratch.get(layout.STATE_SCRAPED) + 1);
    const record = this.#find(start, length, expected);
    const next = record >= 0 && record < this.#count ? record + 1 : expected;
    let ref: SeriesRef;
    if (record >= 0) {
      const { u32 } = scratch.kernels.arena;
      const word = this.#wordOf(record);
      const repeated = u32[word + SEEN_WORD] === this.#page;
      if (!repeated) this.#addRun(record, record + 1);
      u32[word + SEEN_WORD] = this.#page;
      if (!isSeries(u32, word)) return next;
      if (repeated && ownTimeMs === undefined) {
        counts.kept++;
        counts.duplicates++;
        return next;
      }
      ref = u32[word + REF_WORD]!;
      if (!live && u32[word + LIVE_WORD] === 1) this.#untracked.push(ref);
      u32[word + LIVE_WORD] = live ? 1 : 0;
    } else {
      const resolved = sink.resolve(parser);
      if (resolved === undefined) {
        counts.kept++;
        return next;
      }
      ref = resolved;
      if (ref !== 0 && ownTimeMs !== undefined) {
        counts.kept++;
        if (!sink.timestamped(ref, ownTimeMs, value)) return next;
        this.#remember(start, length, layout.KIND_SERIES, ref, live);
        counts.added++;
        return next;
      }
      if (ref !== 0) this.#newColumns.push(this.#used, scratch.count);
      this.#remember(start, length, ref === 0 ? layout.KIND_DROPPED : layout.KIND_SERIES, ref, live);
      if (ref === 0) return next;
      counts.added++;
    }
    if (ownTimeMs === undefined) {
      scratch.push(ref, value);
    } else {
      counts.kept++;
      sink.timestamped(ref, ownTimeMs, value);
    }
    return next;
  }

  /** Comments are compared whole and never looked up: a moved one is just remembered anew. */
  #readComment(type: MetricType | undefined): void {
    const { parser } = this.#scratch;
    const kind = type === undefined ? layout.KIND_COMMENT : layout.KIND_TYPE + METRIC_TYPES.indexOf(type);
    if (type !== undefined) this.#scratch.set(layout.STATE_TYPE, kind);
    this.#remember(parser.lineStart, parser.position - 1 - parser.lineStart, kind, 0, false);
  }

  /** @returns the record of the series at `start`, -1 when there is none */
  #find(start: number, length: number, expected: number): number {
    const scratch = this.#scratch;
    const { arena, wasm } = scratch.kernels;
    wasm.hashLine(scratch.state, start, length, scratch.hash);
    const { u32 } = arena;
    const hash = scratch.hash / 4;
    if (expected < this.#count && sameLine(u32, this.#wordOf(expected), hash, length)) return expected;
    if (!this.#tableBuilt) this.#buildTable();
    const { table } = scratch;
    for (let slot = slotOf(u32, hash, table.length); table[slot] !== 0; slot = (slot + 1) & (table.length - 1)) {
      if (sameLine(u32, this.#wordOf(table[slot]! - 1), hash, length)) return table[slot]! - 1;
    }
    return -1;
  }

  #buildTable(): void {
    const scratch = this.#scratch;
    const size = 2 ** Math.ceil(Math.log2(4 * this.#used + 1024));
    if (scratch.table.length < size) scratch.table = new Uint32Array(size);
    else scratch.table.fill(0);
    this.#tableBuilt = true;
    for (let record = this.#outdated ? this.#count : 0; record < this.#used; record++) this.#enter(record);
  }

  #enter(record: number): void {
    const { table, kernels } = this.#scratch;
    const { u32 } = kernels.arena;
    const word = this.#wordOf(record);
    if (u32[word + SIZE_WORD]! >>> layout.KIND_SHIFT >= layout.KIND_COMMENT) return;
    let slot = slotOf(u32, word, table.length);
    while (table[slot] !== 0) slot = (slot + 1) & (table.length - 1);
    table[slot] = record + 1;
  }

  /** Adds a record for the line at `start`, seen in this page. */
  #remember(start: number, length: number, kind: number, ref: SeriesRef, live: boolean): void {
    const scratch = this.#scratch;
    const { arena, wasm } = scratch.kernels;
    if (this.#used === this.#capacity) this.#moveTo(Math.max(64, this.#capacity * 1.5), [0, this.#used]);
    const record = this.#used++;
    wasm.hashLine(scratch.state, start, length, this.#addressOf(record));
    const word = this.#wordOf(record);
    arena.u32[word + SIZE_WORD] = sizeOf(kind, length);
    arena.u32[word + REF_WORD] = ref;
    arena.u32[word + SEEN_WORD] = this.#page;
    arena.u32[word + LIVE_WORD] = live ? 1 : 0;
    this.#addRun(record, record + 1);
    if (!this.#tableBuilt) return;
    if (this.#used * 2 > scratch.table.length) this.#buildTable();
    else this.#enter(record);
  }

  #addRun(first: number, end: number): void {
    const runs = this.#runs;
    if (first === end) return;
    if (runs.length > 0 && runs[runs.length - 1] === first) runs[runs.length - 1] = end;
    else runs.push(first, end);
  }

  /** Live series of the last page that this page lacks. */
  #gone(): SeriesRef[] {
    const { u32 } = this.#scratch.kernels.arena;
    const gone = new Set(this.#untracked);
    for (let record = 0; record < this.#count; record++) {
      const word = this.#wordOf(record);
      if (u32[word + SEEN_WORD] !== this.#page && isSeries(u32, word) && u32[word + LIVE_WORD] === 1) {
        gone.add(u32[word + REF_WORD]!);
      }
    }
    if (gone.size === 0) return [];
    // Another spelling of the same series may be there.
    this.#forEachSeen((word) => {
      if (isSeries(u32, word) && u32[word + LIVE_WORD] === 1) gone.delete(u32[word + REF_WORD]!);
    });
    return [...gone];
  }

  #forEachSeen(visit: (word: number) => void): void {
    const runs = this.#runs;
    for (let i = 0; i < runs.length; i += 2) {
      for (let record = runs[i]!; record < runs[i + 1]!; record++) visit(this.#wordOf(record));
    }
  }

  /** Puts the records into the order of the page just read, and drops those it lacks. */
  #reorder(): void {
    const runs = this.#runs;
    let count = 0;
    for (let i = 0; i < runs.length; i += 2) count += runs[i + 1]! - runs[i]!;
    if (count === 0) this.close();
    else this.#moveTo(count, runs);
    this.#used = count;
  }

  #moveTo(count: number, runs: readonly number[]): void {
    const { arena } = this.#scratch.kernels;
    const sizeBytes = Math.ceil(count) * layout.RECORD_BYTES;
    const address = arena.allocate(sizeBytes);
    let to = address;
    for (let i = 0; i < runs.length; i += 2) {
      const from = this.#addressOf(runs[i]!);
      const end = this.#addressOf(runs[i + 1]!);
      arena.u8.copyWithin(to, from, end);
      to += end - from;
    }
    if (this.#capacity > 0) arena.free(this.#address, this.#capacity * layout.RECORD_BYTES);
    this.#address = address;
    this.#capacity = Math.ceil(count);
  }

  #addressOf(record: number): number {
    return this.#address + record * layout.RECORD_BYTES;
  }

  #wordOf(record: number): number {
    return this.#addressOf(record) / 4;
  }
}

function isSeries(u32: Uint32Array, word: number): boolean {
  return u32[word + SIZE_WORD]! >>> layout.KIND_SHIFT === layout.KIND_SERIES;
}

function sizeOf(kind: number, length: number): number {
  return ((kind << layout.KIND_SHIFT) | (length & layout.SIZE_MASK)) >>> 0;
}

function sameLine(u32: Uint32Array, word: number, hash: number, length: number): boolean {
  return (
    u32[word] === u32[hash] &&
    u32[word + 1] === u32[hash + 1] &&
    u32[word + 2] === u32[hash + 2] &&
    u32[word + 3] === u32[hash + 3] &&
    (u32[word + SIZE_WORD]! & layout.SIZE_MASK) === length &&
    u32[word + SIZE_WORD]! >>> layout.KIND_SHIFT < layout.KIND_COMMENT
  );
}

function slotOf(u32: Uint32Array, word: number, tableLength: number): number {
  const mixed = Math.imul(u32[word]! ^ u32[word + 3]!, 0x9e3779b1);
  return (mixed >>> 7) & (tableLength - 1);
}
