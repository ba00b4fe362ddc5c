import type { Context } from 'koa';
import {
  compareUtf8,
  errorMessage,
  isStaleNaN,
  type Labels,
  type Matcher,
  METRIC_NAME,
  SampleColumns,
} from '../model/index.ts';
import { parseSelector } from '../promql/index.ts';
import type { Series } from '../storage/index.ts';
import type { ApiDeps } from './deps.ts';
import { toApiError } from './errors.ts';
import { negotiateText } from './exposition-format.ts';
import { type FederatedSample, federationText } from './federation-text.ts';
import { partialResponseParam } from './params.ts';
import { sendText } from './respond.ts';
import type { Turns } from './turns.ts';

const DEFAULT_LOOKBACK_DELTA_MS = 300_000;

/**
 * `/federate`: the newest sample of every selected series, in the text format (Prometheus `web/federate.go`). Native
 * histograms with exponential buckets have no place in that format and are left out, as Prometheus does.
 */
export async function federate(ctx: Context, deps: ApiDeps, turns: Turns): Promise<void> {
  const params = new URLSearchParams(ctx.querystring);
  const gone = new AbortController();
  ctx.res.once('close', () => gone.abort());
  let sets: (readonly Matcher[])[];
  try {
    sets = params.getAll('match[]').map(parseSelector);
  } catch (error) {
    sendPlainError(ctx, 400, errorMessage(error));
    return;
  }
  try {
    const samples = await turns.take(new URLSearchParams(), gone.signal, () => newest(deps, params, sets, gone.signal));
    const format = negotiateText(ctx.get('Accept'));
    const external = deps.externalLabels?.();
    ctx.vary('Accept-Encoding');
    ctx.status = 200;
    await sendText(ctx, format.contentType, federationText(samples, external, format.escaping));
  } catch (error) {
    deps.log.warn({ error: errorMessage(error) }, 'federation failed');
    if (ctx.res.headersSent) return;
    sendPlainError(ctx, toApiError(error, gone.signal).errorType === 'unavailable' ? 503 : 500, errorMessage(error));
  }
}

/** By metric name. */
async function newest(
  deps: ApiDeps,
  params: URLSearchParams,
  sets: readonly (readonly Matcher[])[],
  signal: AbortSignal,
): Promise<FederatedSample[]> {
  const endMs = deps.clock.now();
  const startMs = endMs - (deps.lookbackDeltaMs ?? DEFAULT_LOOKBACK_DELTA_MS);
  const view = deps.queryable({ partialResponse: partialResponseParam(params), params });
  const querier = view.querier(startMs, endMs);
  const found = new Map<string, FederatedSample>();
  const columns = new SampleColumns();
  try {
    for (const matchers of sets) {
      const set = await querier.select(true, { startMs, endMs, signal }, matchers);
      for await (const batch of set.batches) {
        signal.throwIfAborted();
        for (const series of batch) {
          if (found.has(series.labels.key)) continue;
          const sample = last(series, columns);
          if (sample !== undefined) found.set(series.labels.key, sample);
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

function sendPlainError(ctx: Context, status: number, message: string): void {
  ctx.status = status;
  ctx.set('Content-Type', 'text/plain; charset=utf-8');
  ctx.body = `${message}\n`;
}
