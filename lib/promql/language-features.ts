import type { PromqlFeatures } from './features.ts';
import { FUNCTION_SIGNATURES } from './parse/signatures.ts';
import { AGGREGATOR_WORDS } from './parse/tokens.ts';

type FeatureGroup = Readonly<Record<string, boolean>>;

const OPERATORS = '!= !~ % * + - / < </ <= == =~ > >/ >= @ ^ and or unless atan2'.split(' ');
const EXPERIMENTAL_AGGREGATORS: ReadonlySet<string> = new Set(['limitk', 'limit_ratio']);

/** What of the language is on, under Prometheus's names (`promql/parser/features.go`, `promql/engine.go`). */
export function languageFeatures(features: PromqlFeatures): {
  readonly promql: FeatureGroup;
  readonly promql_functions: FeatureGroup;
  readonly promql_operators: FeatureGroup;
} {
  const {
    experimentalFunctions: experiments = false,
    // On without a flag since Prometheus 3.15.
    durationExpressions = true,
    extendedRangeSelectors = false,
    fillModifiers = false,
    delayedNameRemoval = false,
  } = features;
  const functions = Array.from(FUNCTION_SIGNATURES.values(), ({ name, experimental }) => [
    name,
    !experimental || experiments,
  ]);
  const aggregators = Array.from(AGGREGATOR_WORDS, (name) => [
    name,
    !EXPERIMENTAL_AGGREGATORS.has(name) || experiments,
  ]);
  return {
    promql: {
      anchored: extendedRangeSelectors,
      at_modifier: true,
      bool: true,
      by: true,
      delayed_name_removal: delayedNameRemoval,
      duration_expr: durationExpressions,
      fill: fillModifiers,
      fill_left: fillModifiers,
      fill_right: fillModifiers,
      group_left: true,
      group_right: true,
      ignoring: true,
      negative_offset: true,
      offset: true,
      on: true,
      per_query_lookback_delta: true,
      smoothed: extendedRangeSelectors,
      subqueries: true,
      type_and_unit_labels: false,
      without: true,
    },
    promql_functions: Object.fromEntries(functions) as FeatureGroup,
    promql_operators: {
      ...Object.fromEntries(OPERATORS.map((operator) => [operator, true])),
      ...(Object.fromEntries(aggregators) as FeatureGroup),
    },
  };
}
