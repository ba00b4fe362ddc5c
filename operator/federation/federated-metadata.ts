/** What the agents know besides series: pools, metadata, exemplars. A missing agent is a warning or an error as in a query. */
import { z } from 'zod';
import type { Found, TargetMetadata } from '../../lib/api/index.ts';
import { Annotations, Labels, type Matcher, parseFloatStrict } from '../../lib/model/index.ts';
import type { SeriesExemplars } from '../../lib/storage/index.ts';
import { type AgentClient, bad, getJson } from './agent-api.ts';
import { fanOut, type FanOutOptions } from './fan-out.ts';

export type AskOptions = FanOutOptions & AgentClient;

const labels = z.record(z.string(), z.string()).transform((record) => Labels.of(record));
const pools = z.object({ scrapePools: z.array(z.string()) });
const metadata = z.array(
  z.object({ target: labels, metric: z.string(), type: z.string(), help: z.string(), unit: z.string() }),
);
const value = z.string().transform((text, context) => {
  const number = parseFloatStrict(text);
  if (number === undefined) context.addIssue('not a number');
  return number ?? Number.NaN;
});
const exemplars = z.array(
  z.object({
    seriesLabels: labels,
    exemplars: z.array(z.object({ labels, value, timestamp: z.number() })),
  }),
);

/** The pools of all agents, each once. */
export async function federatedScrapePools(options: AskOptions): Promise<Found<{ names: readonly string[] }>> {
  const { answers, annotations } = await askAll(options, '/api/v1/scrape_pools', pools);
  return { names: [...new Set(answers.flatMap(({ scrapePools }) => scrapePools))], annotations };
}

/** By target, in the order of the nodes. */
export async function federatedMetadata(options: AskOptions): Promise<Found<{ targets: readonly TargetMetadata[] }>> {
  const { answers, annotations } = await askAll(options, '/api/v1/targets/metadata', metadata);
  const targets = new Map<string, { labels: Labels; metrics: TargetMetadata['metrics'][number][] }>();
  for (const { target, metric: name, type, help, unit } of answers.flat()) {
    let known = targets.get(target.key);
    if (known === undefined) targets.set(target.key, (known = { labels: target, metrics: [] }));
    known.metrics.push({ name, type, help, unit });
  }
  return { targets: [...targets.values()], annotations };
}

/** Sorted by labels, each series once: no two nodes have the same. Times in ms. */
export async function federatedExemplars(
  options: AskOptions,
  minMs: number,
  maxMs: number,
  matcherSets: readonly (readonly Matcher[])[],
): Promise<Found<{ series: readonly SeriesExemplars[] }>> {
  const query = matcherSets.map((matchers) => `{${matchers.map(String).join(',')}}`).join(' or ');
  const parameters = new URLSearchParams({ query, start: String(minMs / 1000), end: String(maxMs / 1000) });
  const path = `/api/v1/query_exemplars?${parameters.toString()}`;
  const { answers, annotations } = await askAll(options, path, exemplars);
  const series = answers.flat().map(({ seriesLabels, exemplars: list }) => ({
    labels: seriesLabels,
    exemplars: list.map((one) => ({
      labels: one.labels,
      value: one.value,
      timestampMs: Math.round(one.timestamp * 1000),
    })),
  }));
  return { series: series.sort((a, b) => a.labels.compare(b.labels)), annotations };
}

async function askAll<T>(
  options: AskOptions,
  path: string,
  schema: z.ZodType<T>,
): Promise<{ answers: T[]; annotations: Annotations }> {
  const annotations = new Annotations();
  const found = await fanOut(options, annotations, async (agent, signal) => {
    const parsed = schema.safeParse(await getJson(options, agent, path, annotations, signal));
    if (!parsed.success) throw bad(path, z.prettifyError(parsed.error));
    return parsed.data;
  });
  return { answers: found.map((answer) => answer.value), annotations };
}
