import { assert, type FloatHistogram } from '../../model/index.ts';
import { multiplied } from '../histogram/arithmetic.ts';
import { histogramBinary } from '../histogram/binary.ts';
import { type BinaryOperator, isComparison, type SourceRange } from '../parse/ast.ts';
import { type ColumnSeries, renamed } from './columns.ts';
import type { QueryContext } from './context.ts';
import { LastNotes } from './last-notes.ts';
import { seriesBytes } from './memory.ts';

/** A float operation; comparisons yield 1 or 0. */
export type FloatOperation = (left: number, right: number) => number;

const OPERATIONS: Readonly<Partial<Record<BinaryOperator, FloatOperation>>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '^': power,
  atan2: Math.atan2,
  '==': (a, b) => Number(a === b),
  '!=': (a, b) => Number(a !== b),
  '<': (a, b) => Number(a < b),
  '<=': (a, b) => Number(a <= b),
  '>': (a, b) => Number(a > b),
  '>=': (a, b) => Number(a >= b),
};

/** Go's math.Pow: 1 to any power and −1 to ±Inf are 1, where JavaScript has NaN. */
function power(base: number, exponent: number): number {
  if (base === 1 || (base === -1 && Math.abs(exponent) === Infinity)) return 1;
  return base ** exponent;
}

/** undefined for operators that floats do not have (`</`, `>/`). */
export function floatOperation(op: BinaryOperator): FloatOperation | undefined {
  return OPERATIONS[op];
}

export function scalarBinary(op: BinaryOperator, left: Float64Array, right: Float64Array): Float64Array {
  const apply = floatOperation(op);
  assert(apply !== undefined, `promql: operator ${op} between scalars`);
  return left.map((value, i) => apply(value, right[i]!));
}

export interface VectorScalarOperands {
  readonly op: BinaryOperator;
  readonly series: readonly ColumnSeries[];
  readonly scalar: Float64Array;
  readonly scalarIsLeft: boolean;
  readonly returnBool: boolean;
  /** The whole operation, for notes. */
  readonly at: SourceRange;
}

/** The operators whose result is no longer a value of the metric. */
export function changesMetric(op: BinaryOperator): boolean {
  return !isComparison(op) && op !== '</' && op !== '>/';
}

/** A vector with a scalar. A comparison without `bool` filters, and keeps the vector's value on either side. */
export function vectorScalarBinary(operands: VectorScalarOperands, context: QueryContext): ColumnSeries[] {
  const { op, scalar, scalarIsLeft, returnBool } = operands;
  const apply = floatOperation(op);
  const isFilter = isComparison(op) && !returnBool;
  const dropsName = changesMetric(op) || returnBool;
  const notes = new LastNotes();
  const out = operands.series.map((series, place) => {
    context.takeBytes(seriesBytes(series));
    const name = dropsName ? renamed(context, series.labels) : { labels: series.labels, dropName: series.dropName };
    if (apply === undefined || series.histograms !== undefined) {
      return { ...name, ...withHistograms(operands, series, notes, place) };
    }
    const values = new Float64Array(scalar.length);
    const present = new Uint8Array(scalar.length);
    for (let i = 0; i < scalar.length; i++) {
      if (series.present[i] === 0) continue;
      const value = series.values[i]!;
      const result = scalarIsLeft ? apply(scalar[i]!, value) : apply(value, scalar[i]!);
      if (isFilter && result === 0) continue;
      present[i] = 1;
      values[i] = isFilter ? value : result;
    }
    return { ...name, values, present };
  });
  notes.report(context, operands.at);
  return out;
}

/** The same for a series that holds histograms, or an operator of histograms. */
function withHistograms(
  operands: VectorScalarOperands,
  series: ColumnSeries,
  notes: LastNotes,
  place: number,
): Pick<ColumnSeries, 'values' | 'present' | 'histograms'> {
  const { op, scalar, scalarIsLeft, returnBool } = operands;
  const apply = floatOperation(op);
  const isFilter = isComparison(op) && !returnBool;
  const values = new Float64Array(scalar.length);
  const present = new Uint8Array(scalar.length);
  const histograms: (FloatHistogram | undefined)[] = [];
  for (let i = 0; i < scalar.length; i++) {
    if (series.present[i] === 0) continue;
    const sample = series.histograms?.[i] ?? series.values[i]!;
    if (typeof sample === 'number' && apply !== undefined) {
      const result = scalarIsLeft ? apply(scalar[i]!, sample) : apply(sample, scalar[i]!);
      if (isFilter && result === 0) continue;
      present[i] = 1;
      values[i] = isFilter ? sample : result;
      continue;
    }
    const { value, note } = scalarIsLeft
      ? histogramBinary(op, scalar[i]!, sample)
      : histogramBinary(op, sample, scalar[i]!);
    if (note !== undefined) notes.add(i, place, note);
    // Comparisons of a histogram with a number have no value.
    if (typeof value !== 'object') continue;
    present[i] = 1;
    values[i] = NaN;
    histograms[i] = value;
  }
  return histograms.length === 0 ? { values, present } : { values, present, histograms };
}

/** The columns with every sample's sign turned. */
export function negated({
  values,
  present,
  histograms,
}: ColumnSeries): Pick<ColumnSeries, 'values' | 'present' | 'histograms'> {
  const negative = { values: values.map((value) => -value), present };
  if (histograms === undefined) return negative;
  return { ...negative, histograms: histograms.map((one) => one && multiplied(one, -1)) };
}
