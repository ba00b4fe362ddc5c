import type { RangeVector } from './range-selector.ts';
import type { SampleCounts } from './sample-counts.ts';

/** The same windows, counted. @param isRead whether their samples come from storage */
export function countedWindows(range: RangeVector, counts: SampleCounts, isRead: boolean): RangeVector {
  return {
    ...range,
    visit: (visitor) =>
      range.visit((labels, samples, dropName) => {
        counts.addWindows(samples, range, isRead);
        return visitor(labels, samples, dropName);
      }),
  };
}
