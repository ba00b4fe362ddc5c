import type { Labels } from '../../model/index.ts';
import { changesMetric } from './arithmetic.ts';
import { withoutMetadata } from './columns.ts';
import type { QueryContext } from './context.ts';
import type { VectorOperator } from './match-groups.ts';

/** The labels of what a pair of series of the "many" and the "one" side yields (`resultMetric`). */
export function resultLabels(
  { op, returnBool, matching: { cardinality, labels: names, on, include } }: VectorOperator,
  { delayedNameRemoval }: QueryContext,
): (many: Labels, one: Labels) => Labels {
  const dropsName = changesMetric(op) || (returnBool && !delayedNameRemoval);
  const matched = new Set(names);
  return (many, one) => {
    let labels = dropsName ? withoutMetadata(many) : many;
    if (cardinality === 'one-to-one') labels = on ? labels.keep(matched) : labels.without(matched);
    for (const name of include) labels = labels.with(name, one.get(name));
    return labels;
  };
}
