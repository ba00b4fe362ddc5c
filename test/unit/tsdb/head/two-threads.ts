/** What writer and reader of the two-thread test agree on: groups of series, scraped together, that come and go. */
import { type FloatHistogram, Labels } from '../../../../lib/model/index.ts';
import type { Chunk } from '../../../../lib/chunk/chunk.ts';
import type { HeadHandle } from '../../../../lib/tsdb/head/head-view.ts';
import type { ChunkFilePlace } from '../../../../lib/tsdb/head/chunk-block.ts';

export const INTERVAL_MS = 15_000;
export const SERIES_PER_GROUP = 40;

export interface ReaderData {
  readonly head: HeadHandle;
  /** FLAGS words. */
  readonly flags: SharedArrayBuffer;
  /** The chunks "on file": at an offset, u32 length and encoding, f64 first and last ms, bytes. */
  readonly file: SharedArrayBuffer;
}

export const FLAG_STOP = 0;
/** Intervals before it may be gone, or go at any time. */
export const FLAG_KEPT_FROM = 1;
/** Selections that the reader could check to be whole. */
export const FLAG_WHOLE = 2;
/** 1 when the reader has read enough of every kind. */
export const FLAG_ENOUGH = 3;
export const FLAGS = 4;

export interface ReaderReport {
  readonly error: string | undefined;
  /** Selections read, those of them that could be checked to be whole, series and samples in them. */
  readonly selections: number;
  readonly whole: number;
  readonly samples: number;
  /** Of those, out of order. */
  readonly late: number;
  readonly sources: number;
}

export function labelsOf(group: number, index: number): Labels {
  return Labels.of({
    __name__: `m${index % 7}`,
    group: String(group),
    i: String(index),
    pod: `pod-${group}-${index >> 3}`,
  });
}

export function valueOf(group: number, index: number, scrape: number): number {
  return index % 3 === 0 ? index : group * 1e6 + index * 1e3 + scrape * (index % 3 === 1 ? 1 : 0.37);
}

/** Series of histograms. */
export function isHistogram(index: number): boolean {
  return index % 10 === 9;
}

export function histogramOf(group: number, index: number, scrape: number): FloatHistogram {
  return {
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: scrape,
    count: 3 * scrape + index,
    sum: valueOf(group, index, scrape),
    positiveSpans: [{ offset: 0, length: 2 }],
    negativeSpans: [],
    positiveBuckets: Float64Array.of(scrape, scrape + index),
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
  };
}

/** Out-of-order samples of the first series of a group lie so far behind every third interval, and come three late. */
export const LATE_MS = 5000;
export const LATE_INTERVALS = 3;

const HEADER_BYTES = 24;

/** @returns the offset behind it */
export function storeChunk(file: SharedArrayBuffer, at: number, chunk: Chunk): number {
  const view = new DataView(file);
  view.setUint32(at, chunk.bytes.length);
  view.setUint32(at + 4, chunk.encoding);
  view.setFloat64(at + 8, chunk.minTimeMs);
  view.setFloat64(at + 16, chunk.maxTimeMs);
  new Uint8Array(file).set(chunk.bytes, at + HEADER_BYTES);
  return at + HEADER_BYTES + chunk.bytes.length;
}

export function storedChunk(file: SharedArrayBuffer, { offsetBytes }: ChunkFilePlace): Chunk {
  const view = new DataView(file);
  const start = offsetBytes + HEADER_BYTES;
  return {
    bytes: new Uint8Array(file).slice(start, start + view.getUint32(offsetBytes)),
    encoding: view.getUint32(offsetBytes + 4) as Chunk['encoding'],
    minTimeMs: view.getFloat64(offsetBytes + 8),
    maxTimeMs: view.getFloat64(offsetBytes + 16),
  };
}
