/** The query benchmark's samples in VictoriaMetrics, which reads no blocks: imported through its JSON lines. */
import { eventually } from '../tools/prometheus-api.ts';
import { type Contender, Server } from './contenders.ts';
import { InstanceWorkload, type QueryShape, scrapeTimeMs, SERIES_PER_INSTANCE } from './query-data.ts';

/**
 * Fills the directory of a VictoriaMetrics by a server that is stopped afterwards, so that one which is measured on it
 * starts afresh. What was imported is merged, as a compacted block is.
 */
export async function importQueryData(contender: Contender, dir: string, shape: QueryShape): Promise<void> {
  const server = await Server.start(contender, dir);
  try {
    await server.ready();
    for (let instance = 0; instance < shape.instances; instance++) {
      await post(`${server.url}/api/v1/import`, linesOf(instance, shape));
    }
    await post(`${server.url}/internal/force_flush`);
    await post(`${server.url}/internal/force_merge`);
    // It goes on behind the answer; a stop meanwhile loses samples.
    await eventually('VictoriaMetrics has merged', 120_000, async () => {
      const inMemory = await server.metric('vm_parts{type="storage/inmemory"}');
      return inMemory === 0 && (await server.metric('vm_active_force_merges')) === 0;
    });
  } finally {
    await server.stop();
  }
}

async function post(url: string, body?: string): Promise<void> {
  const answer = await fetch(url, { method: 'POST', ...(body !== undefined && { body }) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`);
}

/** A line for each series: its labels, its values and their times. */
function linesOf(instance: number, shape: QueryShape): string {
  const workload = new InstanceWorkload(instance);
  const values: string[][] = Array.from({ length: SERIES_PER_INSTANCE }, () => []);
  const times: number[] = [];
  for (let scrape = 0; scrape < shape.scrapes; scrape++) {
    times.push(scrapeTimeMs(shape, instance, scrape));
    for (const [i, value] of workload.scrape().entries()) values[i]!.push(String(value));
  }
  const timestamps = times.join(',');
  const lines = values.map((column, i) => {
    const metric = JSON.stringify(workload.labels(i));
    return `{"metric":${metric},"values":[${column.join(',')}],"timestamps":[${timestamps}]}`;
  });
  return lines.join('\n');
}
