import type { FloatHistogram, SampleColumns } from '../../model/index.ts';
import { withHint } from '../histogram/arithmetic.ts';
import { ReachableSamples } from './column-memory.ts';
import type { ColumnSeries, StepGrid } from './columns.ts';
import type { QueryContext } from './context.ts';
import type { LookupTimes } from './lookup-times.ts';
import { SAMPLE_BYTES } from './memory.ts';
import type { RangeVector } from './range-selector.ts';

/** The range vector of a subquery, whose expression has been evaluated on a grid. */
export function subqueryWindows(
  series: readonly ColumnSeries[],
  { startMs, stepMs, count }: StepGrid,
  times: LookupTimes,
  rangeMs: number,
  context: QueryContext,
): RangeVector {
  const samples = new ReachableSamples(context.memory);
  context.takeBytes(SAMPLE_BYTES * count);
  samples.reserve(count);
  return {
    times,
    rangeMs,
    async visit(visitor) {
      for (const one of series) {
        collectSamples(one, startMs, stepMs, samples);
        const pending = visitor(one.labels, samples, one.dropName);
        if (pending !== undefined) await pending;
        if (context.spend(count)) await context.pause();
      }
    },
  };
}

function collectSamples(series: ColumnSeries, startMs: number, stepMs: number, into: SampleColumns): void {
  into.clear();
  const { present, values, histograms } = series;
  for (let i = 0; i < present.length; i++) {
    if (present[i] === 0) continue;
    const histogram = histograms?.[i];
    if (histogram === undefined) into.push(startMs + i * stepMs, values[i]!);
    else into.pushHistogram(startMs + i * stepMs, withoutResetHint(histogram));
  }
}

/** Steps skip samples or repeat them, so that what was true of neighbours in storage is not of those in a subquery. */
function withoutResetHint(histogram: FloatHistogram): FloatHistogram {
  const { counterResetHint } = histogram;
  return counterResetHint === 'reset' || counterResetHint === 'not_reset' ? withHint(histogram, 'unknown') : histogram;
}
