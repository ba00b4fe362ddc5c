import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const ARITHMETIC = ['+', '-', '*', '/', '%', '^'];
const COMPARISON = ['==', '!=', '<', '>', '<=', '>='];

/** The values of the templates' arguments, as the origin expands them. */
const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  range: ['1s', '15s', '1m', '5m', '15m', '1h'],
  offset: ['1m', '5m', '10m'],
  simpleAggrOp: ['sum', 'avg', 'max', 'min', 'count', 'stddev', 'stdvar'],
  simpleTimeAggrOp: ['sum', 'avg', 'max', 'min', 'count', 'stddev', 'stdvar', 'absent', 'last'],
  topBottomOp: ['topk', 'bottomk'],
  quantile: ['-0.5', '0.1', '0.5', '0.75', '0.95', '0.90', '0.99', '1', '1.5'],
  arithBinOp: ARITHMETIC,
  compBinOp: COMPARISON,
  binOp: [...ARITHMETIC, ...COMPARISON],
  simpleMathFunc: ['abs', 'ceil', 'floor', 'exp', 'sqrt', 'ln', 'log2', 'log10', 'round'],
  extrapolatedRateFunc: ['delta', 'rate', 'increase'],
  clampFunc: ['clamp_min', 'clamp_max'],
  instantRateFunc: ['idelta', 'irate'],
  dateFunc: ['day_of_month', 'day_of_week', 'days_in_month', 'hour', 'minute', 'month', 'year'],
};

interface Template {
  readonly query: string;
  readonly variant_args?: readonly string[];
  readonly should_fail?: boolean;
}

export interface ComplianceQuery {
  readonly query: string;
  readonly shouldFail: boolean;
}

/** The queries of the PromQL compliance test, every template with all its arguments. */
export function complianceQueries(): ComplianceQuery[] {
  const text = readFileSync(new URL('promql-test-queries.yml', import.meta.url), 'utf8');
  const { test_cases: templates } = parse(text) as { test_cases: readonly Template[] };
  return templates.flatMap(({ query, variant_args: names = [], should_fail: shouldFail = false }) => {
    let queries = [query];
    for (const name of names) {
      queries = queries.flatMap((one) => VARIANTS[name]!.map((value) => one.replaceAll(`{{.${name}}}`, value)));
    }
    return queries.map((one) => ({ query: one, shouldFail }));
  });
}
