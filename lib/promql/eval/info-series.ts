import { Matcher, METRIC_NAME } from '../../model/index.ts';
import type { Labels } from '../../model/index.ts';
import type { VectorSelector } from '../parse/ast.ts';

/** Labels that say which target a series comes from; an info series belongs to those that share them. */
export const IDENTIFYING_LABELS = ['instance', 'job'] as const;
export const IDENTIFYING: ReadonlySet<string> = new Set(IDENTIFYING_LABELS);
const DEFAULT_INFO_METRIC = 'target_info';

/** What the second argument of `info` asks for. */
export interface InfoRequest {
  /** Which metrics are info metrics: all match. */
  readonly nameMatchers: readonly Matcher[];
  /** Which labels to add, and what their values must be; none: every label. */
  readonly dataMatchers: readonly Matcher[];
}

/** Prometheus `effectiveInfoNameMatchers`: without a positive matcher of names the metric is `target_info`, or `.+_info`. */
export function infoRequest(selector: VectorSelector | undefined): InfoRequest {
  const matchers = selector?.matchers ?? [];
  const names = matchers.filter(({ name }) => name === METRIC_NAME);
  const dataMatchers = matchers.filter(({ name }) => name !== METRIC_NAME);
  if (names.length === 0) names.push(new Matcher('=', METRIC_NAME, DEFAULT_INFO_METRIC));
  else if (names.every(({ type }) => type === '!=' || type === '!~')) {
    names.unshift(new Matcher('=~', METRIC_NAME, '.+_info'));
  }
  return { nameMatchers: names, dataMatchers };
}

/**
 * Matchers of the info series that may belong to series with these labels: one set for each combination of identifying
 * labels they have, and the sets select no series twice (Prometheus `infoIdentifyingMatcherSets`).
 */
export function identifyingMatchers(labelSets: Iterable<Labels>): Matcher[][] {
  const groups = new Map<number, readonly Set<string>[]>();
  for (const labels of labelSets) {
    const values = IDENTIFYING_LABELS.map((name) => labels.get(name));
    const presence = values.reduce((bits, value, i) => (value === '' ? bits : bits | (1 << i)), 0);
    if (presence === 0) continue;
    let group = groups.get(presence);
    if (group === undefined) groups.set(presence, (group = IDENTIFYING_LABELS.map(() => new Set())));
    for (const [i, value] of values.entries()) if (value !== '') group[i]!.add(value);
  }
  return [...groups.values()].map((group) =>
    group.map((values, i) => {
      const name = IDENTIFYING_LABELS[i]!;
      if (values.size === 0) return new Matcher('=', name, '');
      return new Matcher('=~', name, [...values].sort().map(quoteMeta).join('|'));
    }),
  );
}

/** Text as a regular expression that matches nothing else (Go `regexp.QuoteMeta`). */
function quoteMeta(text: string): string {
  return text.replaceAll(/[\\.+*?()|[\]{}^$]/g, String.raw`\$&`);
}
