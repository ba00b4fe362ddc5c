import { z } from 'zod';
import type { ActiveTarget, DroppedTarget, TargetsSnapshot } from '../../lib/api/index.ts';
import { Annotations, Labels, parseDuration } from '../../lib/model/index.ts';
import { bad, getJson } from './agent-api.ts';
import { fanOut } from './fan-out.ts';
import type { AskOptions } from './federated-metadata.ts';

const PATH = '/api/v1/targets';

/** `data` of an agent's `/api/v1/targets`. */
const labels = z.record(z.string(), z.string()).transform((record) => Labels.of(record));
const durationMs = z.string().transform(parseDuration);
const answer = z.object({
  activeTargets: z.array(
    z.object({
      discoveredLabels: labels,
      labels,
      scrapePool: z.string(),
      scrapeUrl: z.string(),
      globalUrl: z.string(),
      lastError: z.string(),
      lastScrape: z.string().transform(scrapeTimeMs),
      lastScrapeDuration: z.number(),
      health: z.enum(['up', 'down', 'unknown']),
      scrapeInterval: durationMs,
      scrapeTimeout: durationMs,
    }),
  ),
  droppedTargets: z.array(z.object({ discoveredLabels: labels, scrapePool: z.string() })),
  droppedTargetCounts: z.record(z.string(), z.number()).nullish(),
});
type Answer = z.infer<typeof answer>;

/** The targets of all agents together, in the order of the nodes. */
export async function federatedTargets(options: AskOptions): Promise<TargetsSnapshot> {
  const annotations = new Annotations();
  const answers = await fanOut(options, annotations, async (agent, signal) => {
    const parsed = answer.safeParse(await getJson(options, agent, PATH, annotations, signal));
    if (!parsed.success) throw bad(PATH, z.prettifyError(parsed.error));
    return parsed.data;
  });

  const droppedCounts = Object.create(null) as Record<string, number>;
  for (const { value } of answers) {
    for (const [pool, count] of Object.entries(value.droppedTargetCounts ?? {})) {
      droppedCounts[pool] = (droppedCounts[pool] ?? 0) + count;
    }
  }
  return {
    active: answers.flatMap(({ value }) => value.activeTargets.map(activeTarget)),
    dropped: answers.flatMap(({ value }): readonly DroppedTarget[] => value.droppedTargets),
    droppedCounts,
    annotations,
  };
}

function activeTarget(target: Answer['activeTargets'][number]): ActiveTarget {
  const { lastScrape, lastScrapeDuration, scrapeInterval, scrapeTimeout, ...rest } = target;
  return {
    ...rest,
    lastScrapeMs: lastScrape,
    lastScrapeDurationMs: lastScrapeDuration * 1000,
    scrapeIntervalMs: scrapeInterval,
    scrapeTimeoutMs: scrapeTimeout,
  };
}

/** Go's zero time stands for "never"; so does what is no time at all. */
function scrapeTimeMs(text: string): number | undefined {
  const timeMs = Date.parse(text);
  return timeMs > 0 ? timeMs : undefined;
}
