/** The endpoints that tell of scraping: targets, pools, relabelling, metadata. */
import { relabel, type RelabelConfig } from '../config/index.ts';
import { Annotations, formatDuration, Labels, type Matcher } from '../model/index.ts';
import { parseSelector } from '../promql/index.ts';
import type { ActiveTarget, ApiDeps, ApiRequest, DroppedTarget, QueryableRequest, TargetMetadata } from './deps.ts';
import { type Endpoints, needed } from './endpoint.ts';
import { ApiError } from './errors.ts';
import { countParam, partialResponseParam, required } from './params.ts';
import { relabelRuleJson } from './relabel-json.ts';

/** Go's zero time, which the API shows for "never". */
const NEVER = '0001-01-01T00:00:00Z';

/** All take GET. */
export function targetEndpoints(deps: ApiDeps): Endpoints {
  return {
    targets: async (request) => {
      const { params } = request;
      const snapshot = await needed(deps.targets, 'targets')(viewRequest(request));
      const pool = params.get('scrapePool') ?? '';
      const state = (params.get('state') ?? '').toLowerCase();
      const shows = (which: string): boolean => state === '' || state === 'any' || state === which;
      const inPool = (target: { readonly scrapePool: string }): boolean => pool === '' || target.scrapePool === pool;
      const dropped = shows('dropped');
      return {
        data: {
          activeTargets: shows('active') ? snapshot.active.filter(inPool).map(activeTarget) : [],
          droppedTargets: dropped ? snapshot.dropped.filter(inPool).map(droppedTarget) : [],
          droppedTargetCounts: dropped ? snapshot.droppedCounts : null,
        },
        ...(snapshot.annotations && { annotations: snapshot.annotations }),
      };
    },

    scrape_pools: async (request) => {
      const { names, annotations } = await needed(deps.scrapePools, 'scrape_pools')(viewRequest(request));
      return { data: { scrapePools: names.toSorted() }, ...(annotations && { annotations }) };
    },

    'targets/relabel_steps': async ({ params }) => {
      const pool = params.get('scrapePool') ?? '';
      if (pool === '') throw new ApiError('bad_data', 'no scrapePool parameter provided');
      const json = params.get('labels') ?? '';
      if (json === '') throw new ApiError('bad_data', 'no labels parameter provided');
      const labels = parseLabels(json);
      const rules = needed(deps.relabelRules, 'targets/relabel_steps')(pool);
      if (rules === undefined) {
        throw new ApiError('bad_data', `error retrieving scrape config: scrape pool ${JSON.stringify(pool)} not found`);
      }
      return { data: { steps: relabelSteps(labels, rules) } };
    },

    'targets/metadata': async (request) => {
      const { params } = request;
      const limit = countParam(params, 'limit') ?? -1;
      const selector = params.get('match_target') ?? '';
      const matchers = selector === '' ? [] : required(params, 'match_target', parseSelector);
      const metric = params.get('metric') ?? '';
      const { targets, annotations } = await metadataOf(deps, request);
      return { data: listMetadata(targets, matchers, metric, limit), annotations };
    },

    metadata: async (request) => {
      const { params } = request;
      const limit = countParam(params, 'limit') ?? -1;
      const perMetric = countParam(params, 'limit_per_metric') ?? -1;
      const { targets, annotations } = await metadataOf(deps, request);
      return { data: metadataByMetric(targets, params.get('metric') ?? '', limit, perMetric), annotations };
    },
  };
}

function viewRequest({ params, budget }: ApiRequest): QueryableRequest {
  return { partialResponse: partialResponseParam(params), params, budget };
}

async function metadataOf(
  deps: ApiDeps,
  request: ApiRequest,
): Promise<{ targets: readonly TargetMetadata[]; annotations: Annotations }> {
  const found = await needed(deps.targetMetadata, 'metadata')(viewRequest(request));
  return { targets: found.targets, annotations: found.annotations ?? new Annotations() };
}

function activeTarget(target: ActiveTarget): object {
  return {
    discoveredLabels: target.discoveredLabels,
    labels: target.labels,
    scrapePool: target.scrapePool,
    scrapeUrl: target.scrapeUrl,
    globalUrl: target.globalUrl ?? target.scrapeUrl,
    lastError: target.lastError,
    lastScrape: target.lastScrapeMs === undefined ? NEVER : new Date(target.lastScrapeMs).toISOString(),
    lastScrapeDuration: target.lastScrapeDurationMs / 1000,
    health: target.health,
    scrapeInterval: formatDuration(target.scrapeIntervalMs),
    scrapeTimeout: formatDuration(target.scrapeTimeoutMs),
  };
}

function droppedTarget({ discoveredLabels, scrapePool }: DroppedTarget): object {
  return { discoveredLabels, scrapePool };
}

function parseLabels(json: string): Labels {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    throw new ApiError('bad_data', `error parsing labels: ${(error as Error).message}`, { cause: error });
  }
  const entries = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) && Object.entries(parsed);
  if (entries === false || !entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) {
    throw new ApiError('bad_data', 'error parsing labels: want an object of strings');
  }
  return Labels.of(entries);
}

/** What each rule makes of the labels; behind one that drops them, nothing. */
function relabelSteps(labels: Labels, rules: readonly RelabelConfig[]): object[] {
  let current: Labels | undefined = labels;
  return rules.map((rule) => {
    if (current !== undefined) current = relabel(current, [rule]);
    return { rule: relabelRuleJson(rule), output: current ?? Labels.EMPTY, keep: current !== undefined };
  });
}

function listMetadata(
  targets: readonly TargetMetadata[],
  matchers: readonly Matcher[],
  metric: string,
  limit: number,
): object[] {
  const out: object[] = [];
  for (const { labels, metrics } of targets) {
    // Prometheus looks at the limit between targets only.
    if (limit >= 0 && out.length >= limit) break;
    if (!matchers.every((matcher) => matcher.matches(labels.get(matcher.name)))) continue;
    for (const { name, type, help, unit } of metrics) {
      if (metric === '') out.push({ target: labels, metric: name, type, help, unit });
      else if (name === metric) out.push({ target: labels, type, help, unit });
    }
  }
  return out;
}

function metadataByMetric(
  targets: readonly TargetMetadata[],
  metric: string,
  limit: number,
  perMetric: number,
): Record<string, object[]> {
  const found = new Map<string, Map<string, object>>();
  for (const { metrics } of targets) {
    for (const { name, type, help, unit } of metrics) {
      if (metric !== '' && name !== metric) continue;
      const known = found.get(name);
      if (perMetric > 0 && known !== undefined && known.size >= perMetric) continue;
      const key = JSON.stringify([type, unit, help]);
      if (known === undefined) found.set(name, new Map([[key, { type, unit, help }]]));
      else known.set(key, { type, unit, help });
    }
  }
  const names = [...found.keys()].sort();
  const out = Object.create(null) as Record<string, object[]>;
  for (const name of limit >= 0 ? names.slice(0, limit) : names) out[name] = [...found.get(name)!.values()];
  return out;
}
