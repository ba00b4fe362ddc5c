import type { PartialAggregation } from './partial.ts';

/** An aggregation that takes series one by one, and what others have made of some. */
export interface MergingAggregation {
  /** Whether it can make use of what others make of series, and others of what it makes. */
  readonly takesPartials: boolean;
  /** @returns false when the series themselves are needed; then nothing is added */
  addPartials(partials: readonly PartialAggregation[]): boolean;
}
