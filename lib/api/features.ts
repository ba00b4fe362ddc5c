import { languageFeatures } from '../promql/index.ts';
import type { ApiDeps } from './deps.ts';

type FeatureGroup = Readonly<Record<string, boolean>>;

/** What this program can do, under Prometheus's names (`util/features`), sorted. */
export function featureGroups(deps: ApiDeps): object {
  const { features = {}, promqlFeatures = {}, perStepStats = false, enableAdmin, lifecycle } = deps;
  const language = languageFeatures(promqlFeatures);
  const groups: Readonly<Record<string, FeatureGroup>> = {
    ...language,
    promql: { ...language.promql, per_step_stats: perStepStats },
    ...features,
    api: {
      admin: enableAdmin ?? false,
      exclude_alerts: true,
      label_values_match: true,
      lifecycle,
      query_stats: true,
      query_warnings: true,
      time_range_labels: true,
      time_range_series: true,
      ...features['api'],
    },
  };
  return sorted(Object.fromEntries(Object.entries(groups).map(([name, group]) => [name, sorted(group)])));
}

function sorted<T>(group: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(group).sort(([a], [b]) => (a < b ? -1 : 1)));
}
