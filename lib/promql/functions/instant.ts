import { Labels } from '../../model/index.ts';
import { absentLabels } from '../eval/absent.ts';
import { type ColumnSeries, type Columns, isFloat, renamed } from '../eval/columns.ts';
import type { QueryTimes } from '../eval/context.ts';
import { seriesBytes } from '../eval/memory.ts';
import { histogramVariance } from '../histogram/variance.ts';
import { calendarFunction, year } from './calendar.ts';
import {
  histogramFractionCall,
  histogramNumber,
  histogramQuantileCall,
  histogramQuantilesCall,
} from './histogram-functions.ts';
import {
  type InstantCall,
  type InstantFunction,
  mapFloats,
  scalarArgument,
  scalarOf,
  vectorArgument,
} from './instant-call.ts';
import { labelJoin, labelReplace } from './labels.ts';
import { sortByLabel, sortByValue } from './sort.ts';

function math(compute: (value: number) => number): InstantFunction {
  return (call) => mapFloats(call, compute);
}

/** Go's math.Max and math.Min: NaN wins unless the other is infinite in the function's own direction. */
function clamped(value: number, min: number, max: number): number {
  return maxOf(min, minOf(max, value));
}

/** Go's `math.Max`: Infinity wins over NaN. */
function maxOf(a: number, b: number): number {
  return a === Infinity || b === Infinity ? Infinity : Math.max(a, b);
}

/** Go's `math.Min`: -Infinity wins over NaN. */
function minOf(a: number, b: number): number {
  return a === -Infinity || b === -Infinity ? -Infinity : Math.min(a, b);
}

function clamp(call: InstantCall, min: Float64Array | undefined, max: Float64Array | undefined): Columns {
  const minAt = (step: number): number => min?.[step] ?? -Infinity;
  const maxAt = (step: number): number => max?.[step] ?? Infinity;
  const result = mapFloats(call, (value, step) => clamped(value, minAt(step), maxAt(step)));
  if (result.type !== 'vector') return result;
  for (const { present } of result.series) {
    for (let step = 0; step < present.length; step++) if (maxAt(step) < minAt(step)) present[step] = 0;
  }
  return result;
}

function round(call: InstantCall): Columns {
  const nearest = call.columns.length > 1 ? scalarArgument(call, 1) : undefined;
  return mapFloats(call, (value, step) => {
    // The inverse causes fewer rounding errors.
    const inverse = 1 / (nearest?.[step] ?? 1);
    return Math.floor(value * inverse + 0.5) / inverse;
  });
}

function sign(value: number): number {
  if (value < 0) return -1;
  return value > 0 ? 1 : value;
}

/** The value of the only float at a step, NaN when there are none or several. */
function scalar(call: InstantCall): Columns {
  const series = vectorArgument(call);
  return scalarOf(call, (step) => {
    let found: number | undefined;
    for (const one of series) {
      if (!isFloat(one, step)) continue;
      if (found !== undefined) return NaN;
      found = one.values[step]!;
    }
    return found ?? NaN;
  });
}

function vector(call: InstantCall): Columns {
  const values = scalarArgument(call, 0);
  const present = new Uint8Array(values.length).fill(1);
  return { type: 'vector', series: [{ labels: Labels.EMPTY, dropName: false, values, present }] };
}

function absent(call: InstantCall): Columns {
  const present = new Uint8Array(call.grid.count).fill(1);
  for (const series of vectorArgument(call)) {
    for (let i = 0; i < present.length; i++) if (series.present[i] === 1) present[i] = 0;
  }
  const values = new Float64Array(call.grid.count).fill(1);
  const series: ColumnSeries = { labels: absentLabels(call.expr.args[0]!), dropName: false, values, present };
  return { type: 'vector', series: [series] };
}

function stepTimeSeconds(call: InstantCall, step: number): number {
  return (call.grid.startMs + step * call.grid.stepMs) / 1000;
}

/** A query of a single time has no step, whatever was asked for. */
function stepSeconds({ startMs, endMs, stepMs }: QueryTimes): number {
  return startMs === endMs ? 0 : stepMs / 1000;
}

/** The time of samples that are computed is that of the step. */
function timestamp(call: InstantCall): Columns {
  const series = vectorArgument(call).map(({ labels, present }) => {
    const values = Float64Array.from(present, (_, step) => stepTimeSeconds(call, step));
    const result = { ...renamed(call.context, labels), values, present };
    call.context.takeBytes(seriesBytes(result));
    return result;
  });
  return { type: 'vector', series };
}

/** Functions over instant vectors and scalars, by name. */
export const INSTANT_FUNCTIONS: ReadonlyMap<string, InstantFunction> = new Map<string, InstantFunction>([
  ['abs', math(Math.abs)],
  ['acos', math(Math.acos)],
  ['acosh', math(Math.acosh)],
  ['asin', math(Math.asin)],
  ['asinh', math(Math.asinh)],
  ['atan', math(Math.atan)],
  ['atanh', math(Math.atanh)],
  ['ceil', math(Math.ceil)],
  ['cos', math(Math.cos)],
  ['cosh', math(Math.cosh)],
  ['deg', math((value) => (value * 180) / Math.PI)],
  ['exp', math(Math.exp)],
  ['floor', math(Math.floor)],
  ['ln', math(Math.log)],
  ['log10', math(Math.log10)],
  ['log2', math(Math.log2)],
  ['rad', math((value) => (value * Math.PI) / 180)],
  ['sgn', math(sign)],
  ['sin', math(Math.sin)],
  ['sinh', math(Math.sinh)],
  ['sqrt', math(Math.sqrt)],
  ['tan', math(Math.tan)],
  ['tanh', math(Math.tanh)],
  ['round', round],
  ['clamp', (call) => clamp(call, scalarArgument(call, 1), scalarArgument(call, 2))],
  ['clamp_min', (call) => clamp(call, scalarArgument(call, 1), undefined)],
  ['clamp_max', (call) => clamp(call, undefined, scalarArgument(call, 1))],
  ['pi', (call) => scalarOf(call, () => Math.PI)],
  ['time', (call) => scalarOf(call, (step) => stepTimeSeconds(call, step))],
  ['start', (call) => scalarOf(call, () => call.context.times.startMs / 1000)],
  ['end', (call) => scalarOf(call, () => call.context.times.endMs / 1000)],
  ['range', (call) => scalarOf(call, () => (call.context.times.endMs - call.context.times.startMs) / 1000)],
  ['step', (call) => scalarOf(call, () => stepSeconds(call.context.times))],
  ['max_of', (call) => scalarOf(call, (step) => maxOf(scalarArgument(call, 0)[step]!, scalarArgument(call, 1)[step]!))],
  ['min_of', (call) => scalarOf(call, (step) => minOf(scalarArgument(call, 0)[step]!, scalarArgument(call, 1)[step]!))],
  ['scalar', scalar],
  ['vector', vector],
  ['absent', absent],
  ['timestamp', timestamp],
  ['minute', calendarFunction((date) => date.getUTCMinutes())],
  ['hour', calendarFunction((date) => date.getUTCHours())],
  ['day_of_week', calendarFunction((date) => date.getUTCDay())],
  ['day_of_month', calendarFunction((date) => date.getUTCDate())],
  [
    'day_of_year',
    calendarFunction((date) => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1),
  ],
  [
    'days_in_month',
    calendarFunction((date) => new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()),
  ],
  ['month', calendarFunction((date) => date.getUTCMonth() + 1)],
  ['year', year],
  ['label_replace', labelReplace],
  ['label_join', labelJoin],
  ['sort', (call) => sortByValue(call, 1)],
  ['sort_desc', (call) => sortByValue(call, -1)],
  ['sort_by_label', (call) => sortByLabel(call, 1)],
  ['sort_by_label_desc', (call) => sortByLabel(call, -1)],
  ['histogram_count', histogramNumber(({ count }) => count)],
  ['histogram_sum', histogramNumber(({ sum }) => sum)],
  ['histogram_avg', histogramNumber(({ sum, count }) => sum / count)],
  ['histogram_stddev', histogramNumber((histogram) => Math.sqrt(histogramVariance(histogram)))],
  ['histogram_stdvar', histogramNumber(histogramVariance)],
  ['histogram_quantile', histogramQuantileCall],
  ['histogram_quantiles', histogramQuantilesCall],
  ['histogram_fraction', histogramFractionCall],
]);
