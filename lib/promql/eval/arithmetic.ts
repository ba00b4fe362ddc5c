import { assert } from '../../model/index.ts';
import { type BinaryOperator, isComparison } from '../parse/ast.ts';
import { type ColumnSeries, renamed } from './columns.ts';
import type { QueryContext } from './context.ts';
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
}

/** A vector with a scalar. A comparison without `bool` filters, and keeps the vector's value on either side. */
export function vectorScalarBinary(operands: VectorScalarOperands, context: QueryContext): ColumnSeries[] {
  const { op, scalar, scalarIsLeft, returnBool } = operands;
  const apply = floatOperation(op);
  if (apply === undefined) return [];
  const isFilter = isComparison(op) && !returnBool;
  return operands.series.map((series) => {
    context.takeBytes(seriesBytes(series));
    const values = new Float64Array(scalar.length);
    const present = new Uint8Array(scalar.length);
    for (let i = 0; i < scalar.length; i++) {
      if (series.present[i] === 0 || series.histograms?.[i] !== undefined) continue;
      const value = series.values[i]!;
      const result = scalarIsLeft ? apply(scalar[i]!, value) : apply(value, scalar[i]!);
      if (isFilter && result === 0) continue;
      present[i] = 1;
      values[i] = isFilter ? value : result;
    }
    if (isFilter) return { labels: series.labels, dropName: series.dropName, values, present };
    return { ...renamed(context, series.labels), values, present };
  });
}
