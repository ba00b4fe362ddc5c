import { Labels, LabelsBuilder, Matcher } from '../model/index.ts';

/** Stored labels win over external ones, as in Prometheus's `MergeLabels`. */
export function withExternalLabels(labels: Labels, external: Labels): Labels {
  if (external.size === 0) return labels;
  const builder = new LabelsBuilder(external);
  for (const [name, value] of labels) builder.set(name, value);
  return builder.labels();
}

/**
 * What to ask the storage so that no series is missed whose labels match once the external ones are added; the answer must
 * still be checked with `matchesAll` when there are external labels. (Prometheus rewrites equality matchers only and so
 * finds nothing for `cluster=~"a|b"`.)
 */
export function storageMatchers(matchers: readonly Matcher[], external: Labels): readonly Matcher[] {
  const kept = matchers.filter(
    (matcher) => !external.has(matcher.name) || !matcher.matches(external.get(matcher.name)),
  );
  return kept.length > 0 ? kept : [EVERYTHING];
}

const EVERYTHING = new Matcher('=~', '__name__', '.*');

export function matchesAll(labels: Labels, matchers: readonly Matcher[]): boolean {
  return matchers.every((matcher) => matcher.matches(labels.get(matcher.name)));
}
