import { type Labels, METRIC_NAME } from '../../model/index.ts';
import type { VectorMatching } from '../parse/ast.ts';

/** A function from a series' labels to a text that is equal where the labels are by which the sides of an operation match. */
export function matchSignature({ labels: names, on }: VectorMatching): (labels: Labels) => string {
  if (on) {
    const [only] = names;
    if (names.length === 1 && only !== undefined) return (labels) => labels.get(only);
    return (labels) => {
      let text = '';
      for (const name of names) text += sized(labels.get(name));
      return text;
    };
  }
  const ignored = new Set([...names, METRIC_NAME]);
  return ({ pairs }) => {
    let text = '';
    for (let i = 0; i < pairs.length; i += 2)
      if (!ignored.has(pairs[i]!)) text += sized(pairs[i]!) + sized(pairs[i + 1]!);
    return text;
  };
}

/** With its length in front, so that what is put together tells its parts. */
function sized(text: string): string {
  return `${text.length}:${text}`;
}

/** The labels that are matched on, as error messages and filled-in series show them (`labels.MatchLabels`). */
export function matchedLabels(labels: Labels, matching: VectorMatching): Labels {
  const names = new Set(matching.labels);
  if (matching.on) return labels.keep(names);
  names.add(METRIC_NAME);
  return labels.without(names);
}
