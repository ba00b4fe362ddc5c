import { compareUtf8, isStaleNaN, Labels, METRIC_NAME, SampleColumns } from '../model/index.ts';
import { labelsBytes, parseSelector } from '../promql/index.ts';
import type { Series } from '../storage/index.ts';
import type { ApiRequest, Endpoint, QueryDeps } from './deps.ts';
import type { Escaping } from './exposition-format.ts';
import { type FederatedSample, federationText } from './federation-text.ts';
import { partialResponseParam } from './params.ts';

const DEFAULT_LOOKBACK_DELTA_MS = 300_000;

/** What is asked of `federateEndpoint` beside the client's own parameters. */
export interface FederationRequest {
  /** Of the whole program. */
  readonly external: Labels | undefined;
  readonly escaping: Escaping;
}

/** The parameters of a request to `federateEndpoint`. @param params of the client */
export function federationParams(params: URLSearchParams, { external, escaping }: FederationRequest): URLSearchParams {
  const out = new URLSearchParams(params);
  // What would mean something here is not the client's to say.
  for (const name of ['external', 'timeout']) out.delete(name);
  out.set('escaping', escaping);
  if (external !== undefined) out.set('external', JSON.stringify([...external]));
  return out;
}

/**
 * The newest sample of every series that one of the `match[]` selects, in the text format. Like the other endpoints that read
 * samples it may work on any thread; the client's request does not come here as it is, but as `federationParams`.
 */
export function federateEndpoint(
  deps: Pick<QueryDeps, 'queryable' | 'clock'> & { readonly lookbackDeltaMs?: number },
): Endpoint {
  return async (request) => {
    const { params } = request;
    const samples = await newest(deps, request);
    const external = params.get('external');
    const labels = external === null ? undefined : Labels.of(JSON.parse(external) as [string, string][]);
    return { pieces: federationText(samples, labels, params.get('escaping') as Escaping) };
  };
}

/** By metric name. */
async function newest(
  deps: Parameters<typeof federateEndpoint>[0],
  { params, signal, budget }: ApiRequest,
): Promise<FederatedSample[]> {
  const endMs = deps.clock.now();
  const startMs = endMs - (deps.lookbackDeltaMs ?? DEFAULT_LOOKBACK_DELTA_MS);
  const view = deps.queryable({ partialResponse: partialResponseParam(params), params, budget });
  const querier = view.querier(startMs, endMs);
  const found = new Map<string, FederatedSample>();
  const columns = new SampleColumns();
  try {
    for (const selector of params.getAll('match[]')) {
      const set = await querier.select(true, { startMs, endMs, signal }, parseSelector(selector));
      for await (const batch of set.batches) {
        signal.throwIfAborted();
        for (const series of batch) {
          if (found.has(series.labels.key)) continue;
          const sample = last(series, columns);
          if (sample === undefined) continue;
          // The labels, and with their key once more.
          budget?.hold(2 * labelsBytes(series.labels));
          found.set(series.labels.key, sample);
        }
      }
    }
  } finally {
    querier.close();
  }
  return [...found.values()].sort((a, b) => byName(a.labels, b.labels));
}

/** The formats know no stale markers: what is stale is left out. */
function last(series: Series, columns: SampleColumns): FederatedSample | undefined {
  columns.clear();
  series.read(columns);
  const at = columns.length - 1;
  if (at < 0) return undefined;
  const histogram = columns.histograms?.[at];
  const value = columns.values[at]!;
  if (isStaleNaN(histogram === undefined ? value : histogram.sum)) return undefined;
  return { labels: series.labels, timestampMs: columns.timestamps[at]!, value, histogram };
}

function byName(a: Labels, b: Labels): number {
  const order = compareUtf8(a.get(METRIC_NAME), b.get(METRIC_NAME));
  return order === 0 ? a.compare(b) : order;
}
