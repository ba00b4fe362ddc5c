import { assert } from '../../model/index.ts';
import { type ColumnSeries, type Columns, isFloat, renamed, type StepGrid } from '../eval/columns.ts';
import type { QueryContext } from '../eval/context.ts';
import { seriesBytes } from '../eval/memory.ts';
import type { CallExpr } from '../parse/ast.ts';

/** A call whose arguments are evaluated. */
export interface InstantCall {
  readonly expr: CallExpr;
  /** The scalar and vector arguments, in order. */
  readonly columns: readonly Columns[];
  /** The string arguments, in order. */
  readonly strings: readonly string[];
  readonly grid: StepGrid;
  readonly context: QueryContext;
}

export type InstantFunction = (call: InstantCall) => Columns;

export function vectorArgument(call: InstantCall, index = 0): readonly ColumnSeries[] {
  const columns = call.columns[index];
  assert(columns?.type === 'vector', `promql: argument ${index} of ${call.expr.func.name} is no vector`);
  return columns.series;
}

export function scalarArgument(call: InstantCall, index: number): Float64Array {
  const columns = call.columns[index];
  assert(columns?.type === 'scalar', `promql: argument ${index} of ${call.expr.func.name} is no scalar`);
  return columns.values;
}

/** Every float of the first argument through `compute`; histograms are left out, the name goes. */
export function mapFloats(call: InstantCall, compute: (value: number, step: number) => number): Columns {
  const series = vectorArgument(call).map((one) => {
    call.context.takeBytes(seriesBytes(one));
    const values = new Float64Array(one.values.length);
    const present = new Uint8Array(one.values.length);
    for (let i = 0; i < values.length; i++) {
      if (!isFloat(one, i)) continue;
      present[i] = 1;
      values[i] = compute(one.values[i]!, i);
    }
    return { ...renamed(call.context, one.labels), values, present };
  });
  return { type: 'vector', series };
}

export function scalarOf(call: InstantCall, compute: (step: number) => number): Columns {
  return { type: 'scalar', values: Float64Array.from({ length: call.grid.count }, (_, step) => compute(step)) };
}
