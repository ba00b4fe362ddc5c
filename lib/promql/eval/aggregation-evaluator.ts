import { assert } from '../../model/index.ts';
import type { SelectionPart } from '../../storage/index.ts';
import type { PartAnswer } from '../parallel/assistance.ts';
import type { Distribution } from '../parallel/distribution.ts';
import { PartSource } from '../parallel/part-source.ts';
import type { Sharing } from '../parallel/sharing.ts';
import type { AggregateExpr } from '../parse/ast.ts';
import { aggregate } from './aggregate.ts';
import { type Columns, METADATA_LABELS, type StepGrid } from './columns.ts';
import type { QueryContext } from './context.ts';
import type { OperandEvaluator } from './operand-evaluator.ts';
import { isRunning, RunningAggregation } from './running-aggregation.ts';
import { RunningTop } from './running-top.ts';
import type { SelectorHints, SelectorReader, SeriesSource } from './select.ts';
import type { SeriesVisits } from './series-visits.ts';

export type PartialResult = Pick<PartAnswer, 'partial' | 'nameHashes' | 'samples'>;

/** Evaluates aggregations: of series as they come where that can be, shared with others, or of the whole vector. */
export class AggregationEvaluator {
  readonly #operands: OperandEvaluator;
  readonly #visits: SeriesVisits;
  readonly #context: QueryContext;
  readonly #reader: SelectorReader;
  readonly #sharing: Sharing | undefined;

  /** @param sharing where others help */
  constructor(
    operands: OperandEvaluator,
    visits: SeriesVisits,
    context: QueryContext,
    reader: SelectorReader,
    sharing: Sharing | undefined,
  ) {
    this.#operands = operands;
    this.#visits = visits;
    this.#context = context;
    this.#reader = reader;
    this.#sharing = sharing;
  }

  async evaluate(expr: AggregateExpr, grid: StepGrid): Promise<Columns> {
    const { op } = expr;
    const isValues = op === 'count_values';
    const param = expr.param === undefined || isValues ? undefined : await this.#operands.scalar(expr.param, grid);
    const label = isValues ? this.#operands.string(expr.param!) : '';
    const running = this.#running(expr, param, grid);
    const context = this.#context;
    const { counts, held } = context;
    const before = counts?.mark();
    if (running !== undefined && (await this.#feed(running, expr, grid))) {
      return { type: 'vector', series: running.finish() };
    }
    if (before !== undefined) counts?.restore(before);
    context.holdOnly(held, 0, 0);
    const { grouping, without } = expr;
    const input = await this.#operands.vector(expr.expr, grid, { func: op, grouping, by: !without });
    return { type: 'vector', series: await aggregate(expr, input, { param, label }, grid, context) };
  }

  /** An aggregation that takes series one by one; undefined when it needs all of them at once. */
  #running(
    expr: AggregateExpr,
    param: Float64Array | undefined,
    grid: StepGrid,
    isPart = false,
  ): RunningAggregation | RunningTop | undefined {
    if (isRunning(expr.op)) return new RunningAggregation(expr, expr.op, grid, this.#context);
    const takes = param !== undefined && RunningTop.takes(expr, param);
    return takes ? new RunningTop(expr, param, grid, this.#context, isPart) : undefined;
  }

  /** Gives an aggregation its series, shared with others where that can be. @returns as `SeriesVisits` */
  async #feed(running: RunningAggregation | RunningTop, expr: AggregateExpr, grid: StepGrid): Promise<boolean> {
    const shared = this.#sharing?.begin(expr, grid, running, this.#context);
    if (shared === undefined || !this.#reader.isReadOnce(shared.selector)) {
      return this.#visits.visit(expr.expr, grid, projecting(inputHints(expr)), (series) => running.add(series));
    }
    return shared.run(() => this.#feedFrom(shared, running, expr, grid));
  }

  /** The same with the series of a source, also where they have to be held. */
  async #feedFrom(
    source: SeriesSource,
    running: RunningAggregation | RunningTop,
    expr: AggregateExpr,
    grid: StepGrid,
  ): Promise<boolean> {
    const reader = this.#reader;
    const hints = inputHints(expr);
    const { selections } = source;
    reader.source = source;
    try {
      if (await this.#visits.visit(expr.expr, grid, projecting(hints), (series) => running.add(series))) return true;
      // What was visited became equal without names; else nothing was visited.
      if (source.selections > selections) return false;
      for (const series of await this.#operands.vector(expr.expr, grid, hints)) running.add(series);
      return source.names?.mayCollide !== true;
    } finally {
      reader.source = undefined;
    }
  }

  /** What an aggregation makes of the series of some parts; no partial when it cannot be told of them alone. */
  async partial(distribution: Distribution, grid: StepGrid, parts: readonly SelectionPart[]): Promise<PartialResult> {
    const { expr } = distribution;
    const param = expr.param === undefined ? undefined : await this.#operands.scalar(expr.param, grid);
    const running = this.#running(expr, param, grid, true);
    assert(running !== undefined, 'promql: an aggregation that does not distribute');
    const source = new PartSource(distribution, parts, running);
    const isFed = await this.#feedFrom(source, running, expr, grid);
    const partial = isFed ? running.partial() : undefined;
    return { partial, nameHashes: source.names?.hashes, samples: this.#context.samples };
  }
}

/** What storage is told of the input of an aggregation. */
function inputHints({ op, grouping, without }: AggregateExpr): SelectorHints {
  // Those that choose show all labels of what they choose.
  return isRunning(op) ? { func: op, grouping, by: !without } : { func: op };
}

/** Of the labels, only those that the aggregation looks at. */
function projecting(hints: SelectorHints): SelectorHints {
  const { grouping, by } = hints;
  return by === true && grouping !== undefined ? { ...hints, projection: [...METADATA_LABELS, ...grouping] } : hints;
}
