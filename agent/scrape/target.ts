import { relabel, type ScrapeConfig, type TargetGroup } from '../../lib/config/index.ts';
import { formatDuration, Labels, LabelsBuilder, parseDuration, PromletError, quote } from '../../lib/model/index.ts';

export const ADDRESS = '__address__';
const SCHEME = '__scheme__';
const METRICS_PATH = '__metrics_path__';
const SCRAPE_INTERVAL = '__scrape_interval__';
const SCRAPE_TIMEOUT = '__scrape_timeout__';
const PARAM_PREFIX = '__param_';
const META_PREFIX = '__meta_';
const RESERVED_PREFIX = '__';

/** One endpoint to scrape, after relabelling (Prometheus `scrape/target.go`). Immutable. */
export interface Target {
  /** Equal for targets with equal labels and URL. */
  readonly key: string;
  /** Before relabelling, as the API shows it. */
  readonly discoveredLabels: Labels;
  /** What every series of the target gets: its labels without those that start with `__`. */
  readonly labels: Labels;
  readonly url: URL;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

export interface TargetSet {
  readonly targets: readonly Target[];
  /** Discovered labels of those that relabelling dropped. */
  readonly dropped: readonly Labels[];
  /** One message for each that is invalid. */
  readonly failures: readonly string[];
}

/** The targets of a job: relabelled, without duplicates, in the order of the groups. */
export function targetsFromGroups(config: ScrapeConfig, groups: readonly TargetGroup[]): TargetSet {
  const targets = new Map<string, Target>();
  const dropped: Labels[] = [];
  const failures: string[] = [];
  for (const group of groups) {
    group.targets.forEach((own, i) => {
      const discovered = discoveredLabels(config, own, group.labels);
      try {
        const target = targetOf(config, discovered);
        if (target === undefined) dropped.push(discovered);
        else targets.set(target.key, target);
      } catch (error) {
        if (!(error instanceof PromletError)) throw error;
        failures.push(`instance ${i} in group ${group.source}: ${error.message}`);
      }
    });
  }
  return { targets: [...targets.values()], dropped, failures };
}

/** Prometheus `PopulateDiscoveredLabels`: the target's own labels first, then the group's, then the job's. */
function discoveredLabels(config: ScrapeConfig, own: Labels, group: Labels): Labels {
  const builder = new LabelsBuilder(group);
  for (const [name, value] of own) builder.set(name, value);
  const defaults: [string, string][] = [
    ['job', config.job_name],
    [SCRAPE_INTERVAL, formatDuration(config.scrape_interval)],
    [SCRAPE_TIMEOUT, formatDuration(config.scrape_timeout)],
    [METRICS_PATH, config.metrics_path],
    [SCHEME, config.scheme],
    ['__convert_classic_histograms_to_nhcb__', String(config.convert_classic_histograms_to_nhcb)],
    ['__always_scrape_classic_histograms__', String(config.always_scrape_classic_histograms)],
    ['__scrape_native_histograms__', String(config.scrape_native_histograms)],
  ];
  for (const [name, values] of Object.entries(config.params)) defaults.push([PARAM_PREFIX + name, values[0] ?? '']);
  for (const [name, value] of defaults) if (builder.get(name) === '') builder.set(name, value);
  return builder.labels();
}

/** @returns undefined when relabelling drops it. @throws PromletError `scrape/bad-target` and those of relabelling */
function targetOf(config: ScrapeConfig, discovered: Labels): Target | undefined {
  const relabelled = relabel(discovered, config.relabel_configs, config.metric_name_validation_scheme);
  if (relabelled === undefined) return undefined;
  const address = relabelled.get(ADDRESS);
  if (address === '') throw new PromletError('scrape/bad-target', 'no address');
  if (address.includes('/')) throw new PromletError('scrape/bad-target', `${quote(address)} is not a valid hostname`);
  const intervalMs = durationLabel(relabelled, SCRAPE_INTERVAL, 'scrape interval');
  const timeoutMs = durationLabel(relabelled, SCRAPE_TIMEOUT, 'scrape timeout');
  if (timeoutMs > intervalMs) {
    const [timeout, interval] = [relabelled.get(SCRAPE_TIMEOUT), relabelled.get(SCRAPE_INTERVAL)];
    throw new PromletError(
      'scrape/bad-target',
      `scrape timeout cannot be greater than scrape interval ("${timeout}" > "${interval}")`,
    );
  }
  const builder = new LabelsBuilder();
  const identity = new LabelsBuilder();
  for (const [name, value] of relabelled) {
    if (!value.isWellFormed()) {
      throw new PromletError('scrape/bad-target', `invalid label value for "${name}": ${quote(value)}`);
    }
    if (!name.startsWith(META_PREFIX)) identity.set(name, value);
    if (!name.startsWith(RESERVED_PREFIX)) builder.set(name, value);
  }
  if (builder.get('instance') === '') builder.set('instance', address);
  const url = urlOf(config, relabelled);
  return {
    key: `${identity.labels().key}${url.href}`,
    discoveredLabels: discovered,
    labels: builder.labels(),
    url,
    intervalMs,
    timeoutMs,
  };
}

function durationLabel(labels: Labels, name: string, what: string): number {
  let durationMs: number;
  try {
    durationMs = parseDuration(labels.get(name));
  } catch (cause) {
    throw new PromletError('scrape/bad-target', `error parsing ${what}: ${(cause as Error).message}`, { cause });
  }
  if (durationMs === 0) throw new PromletError('scrape/bad-target', `${what} cannot be 0`);
  return durationMs;
}

/** `__param_x` replaces the first value of the job's parameter x. Parameters are sorted, as Go encodes them. */
function urlOf(config: ScrapeConfig, labels: Labels): URL {
  const params = new Map(Object.entries(config.params).map(([name, values]) => [name, [...values]]));
  for (const [name, value] of labels) {
    if (!name.startsWith(PARAM_PREFIX)) continue;
    const key = name.slice(PARAM_PREFIX.length);
    params.set(key, [value, ...(params.get(key) ?? []).slice(1)]);
  }
  const address = labels.get(ADDRESS);
  const scheme = labels.get(SCHEME) || 'http';
  const url = URL.canParse(`${scheme}://${address}`) ? new URL(`${scheme}://${address}`) : undefined;
  if (url === undefined || url.hostname === '' || url.username !== '') {
    throw new PromletError('scrape/bad-target', `${quote(`${scheme}://${address}`)} is not a valid HTTP address`);
  }
  url.pathname = labels.get(METRICS_PATH);
  for (const name of [...params.keys()].sort())
    for (const value of params.get(name)!) url.searchParams.append(name, value);
  return url;
}

/**
 * A target keeps whatever scheme relabelling gave it; its scrapes fail then, in the words of Go's client.
 * @throws PromletError `scrape/scheme`
 */
export function requireHttp({ url }: Target): void {
  if (url.protocol === 'http:' || url.protocol === 'https:') return;
  const scheme = quote(url.protocol.slice(0, -1));
  throw new PromletError('scrape/scheme', `Get ${quote(url.href)}: unsupported protocol scheme ${scheme}`);
}
