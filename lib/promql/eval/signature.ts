import { type Labels, METRIC_NAME } from '../../model/index.ts';
import type { VectorMatching } from '../parse/ast.ts';

/** A function from a series' labels to the text by which the two sides of an operation are matched. */
export function matchSignature(matching: VectorMatching): (labels: Labels) => string {
  const names = new Set(matching.labels);
  if (matching.on) return (labels) => labels.keep(names).key;
  names.add(METRIC_NAME);
  return (labels) => labels.without(names).key;
}

/** The labels that are matched on, as error messages and filled-in series show them (`labels.MatchLabels`). */
export function matchedLabels(labels: Labels, matching: VectorMatching): Labels {
  const names = new Set(matching.labels);
  if (matching.on) return labels.keep(names);
  names.add(METRIC_NAME);
  return labels.without(names);
}
