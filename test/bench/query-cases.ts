/** The requests of the query benchmark, on the data of query-data.ts. */

/**
 * How much of VictoriaMetrics's answer must be as ours. It means something else by `rate`: no extrapolation, and the sample
 * before the window counts. Of equal series it takes others for `topk`, and other values of
 * a label up to a limit.
 */
export type Agreement = 'answer' | 'points' | 'entries';

/** One request of the list. */
export interface QueryCase {
  readonly title: string;
  /** Of the API, below `/api/v1/`. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  /** Many series become few, at many steps. */
  readonly isRangeAggregation: boolean;
  readonly agreement: Agreement;
}

const COUNTER = 'http_requests_total';
const BUCKET = 'http_request_duration_seconds_bucket';
const QUANTILE = `histogram_quantile(0.9, sum by (le, service) (rate(${BUCKET}[5m])))`;
const JOIN = `sum by (version) (rate(${COUNTER}{handler="/api/v1/1"}[5m]) * on (instance) group_left (version) build_info)`;

interface Query {
  readonly query: string;
  /** Its answer has as many series as it reads. */
  readonly perSeries?: true;
}

/** By title; run as instant queries and over ranges. */
const QUERIES: Readonly<Record<string, Query>> = {
  'one series': { query: `${COUNTER}{instance="10.0.0.1:8080",handler="/api/v1/7",code="200"}`, perSeries: true },
  selector: { query: `${COUNTER}{handler="/api/v1/3"}`, perSeries: true },
  'rate per series': { query: `rate(${COUNTER}{code="404"}[5m])`, perSeries: true },
  'sum by (handler) (rate)': { query: `sum by (handler) (rate(${COUNTER}[5m]))` },
  'sum (rate) of all': { query: 'sum(rate({__name__=~".+"}[5m]))' },
  histogram_quantile: { query: QUANTILE },
  topk: { query: `topk(5, ${COUNTER})` },
  'count by (__name__) of all': { query: 'count by (__name__) ({__name__=~".+"})' },
  'max_over_time 1 h': { query: 'max by (area) (max_over_time(memory_bytes[1h]))' },
  subquery: { query: `max_over_time(sum(rate(${COUNTER}{handler="/api/v1/2"}[5m]))[30m:1m])` },
  'many-to-one join': { query: JOIN },
  'regex on ids': { query: 'count({id=~".*a.*7.*"})' },
};

/** All requests on data that ends at a time, in seconds; those whose title matches. */
export function queryCases(endSeconds: number, titles = /^/): readonly QueryCase[] {
  const end = String(endSeconds);
  const range = (hours: number, step: number) => ({
    start: String(endSeconds - hours * 3600),
    end,
    step: String(step),
  });
  const kinds = [
    { kind: 'instant', path: 'query', times: { time: end } },
    { kind: '1 h by 15 s', path: 'query_range', times: range(1, 15) },
    { kind: '24 h by 60 s', path: 'query_range', times: range(24, 60) },
  ];
  const queries = Object.entries(QUERIES).flatMap(([title, { query, perSeries }]) =>
    kinds.map(({ kind, path, times }): QueryCase => ({
      title: `${title}, ${kind}`,
      path,
      params: { query, ...times },
      isRangeAggregation: path === 'query_range' && perSeries !== true,
      agreement: query.includes('rate(') ? 'entries' : title === 'topk' ? 'points' : 'answer',
    })),
  );
  const day = { start: String(endSeconds - 86_400), end };
  const listing = (title: string, path: string, params: Readonly<Record<string, string>>): QueryCase => {
    const agreement = params['limit'] === undefined ? 'answer' : 'entries';
    return { title, path, params: { ...params, ...day }, isRangeAggregation: false, agreement };
  };
  return [
    ...queries,
    listing('values of handler', 'label/handler/values', {}),
    listing('10,000 values of id', 'label/id/values', { limit: '10000' }),
    listing('values of area, matched', 'label/area/values', { 'match[]': 'memory_bytes' }),
    listing('series', 'series', { 'match[]': `${COUNTER}{handler="/api/v1/5"}` }),
  ].filter(({ title }) => titles.test(title));
}
