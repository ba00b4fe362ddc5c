import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SharedArena } from './memory.ts';

export * as histogramLayout from './assembly/histogram-layout.ts';
export * as layout from './assembly/layout.ts';
export * as scanLayout from './assembly/scan-layout.ts';
export { ArenaViews, SharedArena } from './memory.ts';
export { Scratch } from './scratch.ts';

/**
 * What the kernels over windows take first: samples as two f64 columns, the windows (t − rangeMs, t] of the steps `from` up to
 * `end`, t = firstMs + step × stepMs, and where it goes by step: results f64, present u8 as 1 where there is one.
 */
export type WindowArguments = [
  times: number,
  values: number,
  length: number,
  firstMs: number,
  stepMs: number,
  rangeMs: number,
  from: number,
  end: number,
  results: number,
  present: number,
];

/** The exports of build/kernels.wasm. Addresses and lengths are bytes in the arena's memory. */
export interface KernelExports {
  _start(): void;
  heapBase(): number;
  /** Fills bytes with zeros. Of shared memory it takes a tenth of the time that `fill` of typed arrays takes. */
  clearBytes(address: number, length: number): void;
  /** Copies bytes, also to where some of them lie; likewise. */
  copyBytes(from: number, to: number, length: number): void;
  /** @returns 1 when one of `length` f64 is a stale marker */
  hasStaleMarkers(values: number, length: number): number;
  /** The newest sample of each window, unless it is stale. @returns how many windows have one */
  lookUp(...windows: WindowArguments): number;
  /**
   * `rate`, `increase` or `delta`. @param rateSeconds what the increase is divided by, 0 for nothing @param resets scratch,
   * `length` u32 @returns how many windows have a value, −1 when they are better computed one by one
   */
  sweepDelta(...windows: [...WindowArguments, isCounter: number, rateSeconds: number, resets: number]): number;
  /** `irate` or `idelta`. @returns how many windows have a value */
  sweepInstantDelta(...windows: [...WindowArguments, isRate: number]): number;
  /** The greatest (`sign` 1) or least (−1) sample. @param queue scratch, `length` u32 @returns how many windows have one */
  sweepExtreme(...windows: [...WindowArguments, sign: number, queue: number]): number;
  /**
   * The sum, or with `isMean` the mean. @param isDirect each window is summed by itself @param suffixes scratch, 2 × `length` f64
   * @returns how many windows have one, −1 when they have to be computed one by one
   */
  sweepSum(...windows: [...WindowArguments, isMean: number, isDirect: number, suffixes: number]): number;
  /** The number of samples. @returns how many windows have any */
  sweepCount(...windows: WindowArguments): number;
  /** The next step at which a value is beyond the bound of that step, or one of them is NaN; `count` when there is none. */
  firstBeyond(values: number, present: number, bounds: number, sign: number, from: number, count: number): number;
  /** Adds a column to sums with compensations (f64) where `present` (u8) says so; `there` says which sums have begun. */
  addSums(values: number, present: number, count: number, sums: number, compensations: number, there: number): void;
  /** The same for means: `held` (u8) is 1 where there is a sum, 2 where it would be infinite and there is the mean; `counts` are f64. */
  addMeans(
    values: number,
    present: number,
    count: number,
    sums: number,
    compensations: number,
    held: number,
    counts: number,
  ): void;
  /** Keeps the greatest (`sign` 1) or least (−1) of values where `present` says so; `there` says which have begun. */
  addExtremes(values: number, present: number, count: number, sign: number, extremes: number, there: number): void;
  /** Adds `count` flags (u8) to counts (f64). */
  addCounts(present: number, count: number, counts: number): void;
  /** CRC-32C, unsigned; `seed` is 0 or the CRC so far. Returned as a signed 32-bit integer: apply `>>> 0`. */
  crc32c(seed: number, address: number, length: number): number;
  /** Walks a known exposition page; `state` is laid out in assembly/scan-layout.ts. @returns 1 at its end, 0 at a line to be parsed */
  scanPage(state: number): number;
  /** Writes the 16-byte hash of a line, seeded by `state`, to `out`. */
  hashLine(state: number, address: number, length: number, out: number): void;
  /** Checks a scrape against the head and copies what will be stored; see assembly/xor.ts. @returns how many */
  stageSamples(
    directory: number,
    pageCount: number,
    refs: number,
    values: number,
    sampleCount: number,
    timeMs: number,
    minValidMs: number,
    results: number,
    outRefs: number,
    outTimes: number,
    outValues: number,
    tally: number,
  ): number;
  /** Appends samples to their series' chunks; stops at `index << 3 | outcome` where the caller must act. */
  appendBatch(
    directory: number,
    pageCount: number,
    refs: number,
    times: number,
    values: number,
    from: number,
    sampleCount: number,
    tally: number,
  ): number;
  /** Decodes an XOR chunk into two f64 columns. @returns the number of samples, -1 when it is damaged */
  decodeXor(chunk: number, length: number, times: number, values: number, capacity: number): number;
  /** As `decodeXor`, only samples within [minMs, maxMs]. */
  decodeXorWithin(
    chunk: number,
    length: number,
    minMs: number,
    maxMs: number,
    times: number,
    values: number,
    capacity: number,
  ): number;
  /**
   * Reads the entry of a series in a block: its symbols, and where its chunks lie that overlap [minMs, maxMs]; see
   * assembly/series-entry.ts. @returns symbols << 16 | chunks, -1 to be looked at closer
   */
  readSeriesEntry(
    entry: number,
    available: number,
    minMs: number,
    maxMs: number,
    symbols: number,
    symbolRoom: number,
    columns: number,
    capacity: number,
    used: number,
  ): number;
  /** Whether `count` big-endian u32 from an address on ascend and the first is `least` or above. @returns 0 or 1 */
  postingsAscend(at: number, count: number, least: number): number;
  /**
   * Reads entries of the postings offset table of a block to rows of 16 bytes; see assembly/postings-offsets.ts.
   * @returns how many; the u32 at `consumed` becomes the bytes that they take
   */
  readPostingsOffsets(at: number, available: number, rows: number, capacity: number, consumed: number): number;
  /** Leaves of such rows those whose values match patterns, or are not all ASCII. @returns how many are left */
  keepMatching(base: number, rows: number, count: number, patterns: number, isNegated: number): number;
  /** Puts the values of such rows one behind the other. @returns how many bytes there are then */
  gatherValues(base: number, rows: number, count: number, out: number, length: number, ends: number): number;
  /** Reads a list of postings of a block. @returns how many refs, -1 to be looked at closer */
  readPostings(list: number, available: number, out: number, room: number): number;
  /** Reads an XOR chunk where it lies in a block: samples within [minMs, maxMs]. @returns how many, -1 to be looked at closer */
  readXorChunk(
    at: number,
    available: number,
    minMs: number,
    maxMs: number,
    times: number,
    values: number,
    capacity: number,
  ): number;
  /** Writes two f64 columns as one XOR chunk to `out`, with room for 10 + 19 × count bytes; `window` is 2 bytes of scratch. @returns its length */
  encodeXor(times: number, values: number, count: number, out: number, window: number): number;
  /** As `decodeXor` for an XOR2 chunk; `scratch` is 24 bytes, aligned to 8. */
  decodeXor2(chunk: number, length: number, times: number, values: number, capacity: number, scratch: number): number;
  /** Begins to read a histogram chunk; states and rows are laid out in assembly/histogram-layout.ts. @returns 0 or OPEN_… */
  openHistograms(
    chunk: number,
    length: number,
    encoding: number,
    state: number,
    layoutArea: number,
    capacity: number,
  ): number;
  /** Reads the next samples of an open chunk into rows, none before `minMs`. @returns how many, -1 when it is damaged */
  decodeHistograms(state: number, minMs: number, rows: number, capacity: number): number;
  /** Begins to write a histogram chunk. */
  startHistograms(state: number, chunk: number, layoutArea: number): void;
  /** Appends a row to the chunk that is written. */
  appendHistogram(state: number, row: number): void;
  /** Writes the newest sample as a row. */
  histogramValues(state: number, row: number): void;
  /** @returns 1 when a bucket of the row is smaller than in the newest sample */
  histogramDecreased(state: number, row: number): number;
  /** HalfSipHash-1-3 of bytes, keyed by two words. Reads up to three bytes behind them. Signed: apply `>>> 0`. */
  hashBytes(key0: number, key1: number, address: number, length: number): number;
  /** Finds a series by its labels as a WAL series record has them; see assembly/labels.ts. @returns the ref (`>>> 0`), or 0 */
  lookupLabels(root: number, encoded: number, length: number, out: number, capacity: number): number;
  /** Copies refs that have a series record to `out`, which may be where they lie. @returns how many */
  filterPostings(directory: number, pageCount: number, refs: number, length: number, out: number): number;
  /** Writes a WAL samples record, at most 17 + 23 × count bytes. @returns its length */
  encodeSamples(refs: number, times: number, values: number, count: number, out: number): number;
  /** @returns the number of samples; -1 malformed, -2 a ref beyond 32 bits */
  decodeSamples(record: number, length: number, refs: number, times: number, values: number, capacity: number): number;
  /** Writes a float as answers have it, at most 25 bytes. Printing writes over up to 32 bytes behind. @returns the address behind it */
  printFloat(value: number, out: number): number;
  /** Writes whole milliseconds as seconds, at most 21 bytes. @returns the address behind it */
  printTime(timeMs: number, out: number): number;
  /** Writes `[time,"value"]`, at most 51 bytes. @returns the address behind it */
  printPoint(timeMs: number, value: number, out: number): number;
  /** Writes `[time,"value"],` for each pair of two f64 columns, at most 52 bytes. @returns the address behind them */
  printPoints(times: number, values: number, count: number, out: number): number;
  /** Writes `"text",` for texts, as long as JSON has them as they are. @returns how many; the u32 at `end` becomes the address behind them */
  printTexts(texts: number, start: number, ends: number, count: number, out: number, end: number): number;
  /** `out` needs room for 32 + length + length / 6. @returns the compressed length */
  snappyCompress(from: number, length: number, out: number): number;
  /** @returns what a compressed block says its uncompressed length is, -1 when it says nothing sensible */
  snappyLength(from: number, length: number): number;
  /** @returns `size`, -1 when the block is damaged */
  snappyDecompress(from: number, length: number, out: number, size: number): number;
}

/** One instance of the kernels on one shared memory. */
export interface Kernels {
  readonly arena: SharedArena;
  readonly wasm: KernelExports;
}

let compiled: WebAssembly.Module | undefined;

/** A fresh memory with the kernels on it. Compiling takes about a millisecond, once per thread. */
export function createKernels(): Kernels {
  compiled ??= new WebAssembly.Module(readFileSync(fileURLToPath(new URL('./build/kernels.wasm', import.meta.url))));
  const arena = new SharedArena();
  const instance = new WebAssembly.Instance(compiled, { env: { memory: arena.memory, abort } });
  const wasm = instance.exports as unknown as KernelExports;
  wasm._start();
  arena.start(wasm.heapBase());
  return { arena, wasm };
}

let ofThread: Kernels | undefined;

/** Kernels on a memory that all who need some on this thread share, made when they are first asked for. */
export function threadKernels(): Kernels {
  return (ofThread ??= createKernels());
}

function abort(_message: number, _file: number, line: number, column: number): never {
  throw new Error(`kernel aborted at ${line}:${column}`);
}
