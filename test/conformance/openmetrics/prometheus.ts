/** What Prometheus's own OpenMetrics parser says of the pages of the OpenMetrics test suite. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prometheusContender, Server } from '../../bench/contenders.ts';
import { call, eventually, PATIENCE_MS } from '../../tools/prometheus-api.ts';
import { DATA } from './cases.ts';

interface ActiveTarget {
  readonly labels: { readonly job: string };
  readonly health: 'unknown' | 'up' | 'down';
  readonly lastError: string;
}

/** The beginning of an error of HTTP, like `Get "http://…": context deadline exceeded`, or of one while the page was read. */
const NOT_THERE = /^Get "|^context deadline exceeded|^unexpected EOF/;

/**
 * Lets Prometheus scrape every page. A page without a byte it does not parse at all: promtool is asked of that.
 * @returns why it refuses a page, by its name; undefined for those that it takes
 */
export async function prometheusVerdicts(
  program: string,
  promtool: string,
): Promise<ReadonlyMap<string, string | undefined>> {
  const dir = mkdtempSync(join(tmpdir(), 'promlet-openmetrics-'));
  const pages = new Map(readdirSync(DATA).map((name) => [name, readFileSync(new URL(`${name}/metrics`, DATA))]));
  const exporter = createServer((request, response) => {
    response.setHeader('content-type', 'application/openmetrics-text; version=1.0.0; charset=utf-8');
    response.end(pages.get(request.url!.slice(1)));
  }).listen(0, '127.0.0.1');
  await once(exporter, 'listening');
  const prometheus = await Server.start(prometheusContender(program), dir);
  try {
    await prometheus.ready();
    const address = `127.0.0.1:${(exporter.address() as AddressInfo).port}`;
    await prometheus.configure(scrapeConfig([...pages.keys()], address));
    const verdicts = new Map<string, string | undefined>();
    await eventually('every page scraped', PATIENCE_MS, async () => {
      const { data } = await call<{ activeTargets: ActiveTarget[] }>(prometheus.url, 'targets');
      for (const { labels, health, lastError } of data.activeTargets) {
        // A busy machine does not have every page there in time: that says nothing of it.
        if (health === 'unknown' || NOT_THERE.test(lastError)) continue;
        verdicts.set(labels.job, health === 'up' ? undefined : lastError);
      }
      return verdicts.size === pages.size;
    });
    for (const [name, page] of pages) if (page.length === 0) verdicts.set(name, promtoolVerdict(promtool, name));
    return verdicts;
  } finally {
    await prometheus.stop();
    exporter.close();
    exporter.closeAllConnections();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Makes blocks of a page. @returns why promtool refuses it; undefined when it takes it */
export function promtoolVerdict(promtool: string, name: string): string | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'promlet-openmetrics-'));
  try {
    const page = fileURLToPath(new URL(`${name}/metrics`, DATA));
    // Its times may be decades apart: a block for every two hours of them would take minutes.
    const args = ['tsdb', 'create-blocks-from', '--max-block-duration=87600h', 'openmetrics', page, dir];
    const { status, stderr, error } = spawnSync(promtool, args, { encoding: 'utf8', timeout: PATIENCE_MS });
    if (error !== undefined) throw error;
    return status === 0 ? undefined : stderr.trim();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function scrapeConfig(names: readonly string[], address: string): string {
  return JSON.stringify({
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: names.map((name) => ({
      job_name: name,
      metrics_path: `/${name}`,
      static_configs: [{ targets: [address] }],
    })),
  });
}
