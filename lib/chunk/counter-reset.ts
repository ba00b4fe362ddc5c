import type { FloatHistogram } from '../model/index.ts';

/** The upper two bits of a histogram chunk's third byte (`CounterResetHeader` of tsdb/chunkenc/histogram.go). */
export const CounterResetHeader = {
  unknown: 0x00,
  /** The counters went on from the chunk before. */
  notReset: 0x40,
  /** A counter reset led to this chunk. */
  reset: 0x80,
  /** Gauge histograms, which know no resets. */
  gauge: 0xc0,
} as const;
export type CounterResetHeader = (typeof CounterResetHeader)[keyof typeof CounterResetHeader];

/**
 * What is said of sample `index` of a chunk (`counterResetHint` of tsdb/chunkenc/histogram_meta.go): of the first nothing,
 * whatever the header says, because the chunk before may be gone or have come later.
 */
export function counterResetHint(header: number, index: number): FloatHistogram['counterResetHint'] {
  if (header === CounterResetHeader.gauge) return 'gauge';
  return index > 0 ? 'not_reset' : 'unknown';
}
