import type { AggregateExpr, Expr } from '../parse/ast.ts';
import type { StepGrid } from '../eval/columns.ts';
import type { QueryContext } from '../eval/context.ts';
import type { Assistants } from './assistance.ts';
import { type DistributionOptions, distributionsOf } from './distribution.ts';
import type { MergingAggregation } from './merging-aggregation.ts';
import { SharedAggregation } from './shared-aggregation.ts';

/** Which aggregations of a query are shared with others. */
export class Sharing {
  readonly #byExpr: ReadonlyMap<AggregateExpr, number>;
  readonly #distributions: ReturnType<typeof distributionsOf>;
  readonly #assistants: Assistants;

  constructor(root: Expr, options: DistributionOptions, assistants: Assistants) {
    this.#distributions = distributionsOf(root, options);
    this.#byExpr = new Map(this.#distributions.map(({ expr }, index) => [expr, index]));
    this.#assistants = assistants;
  }

  /** Undefined for what does not distribute. */
  begin(
    expr: AggregateExpr,
    grid: StepGrid,
    aggregation: MergingAggregation,
    context: QueryContext,
  ): SharedAggregation | undefined {
    const index = this.#byExpr.get(expr);
    if (index === undefined) return undefined;
    const distribution = this.#distributions[index]!;
    return new SharedAggregation({ distribution, index, grid, context, assistants: this.#assistants }, aggregation);
  }
}
