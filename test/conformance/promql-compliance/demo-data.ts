import { seededRandom } from '../../../lib/env/index.ts';
import { Labels } from '../../../lib/model/index.ts';
import type { WrittenSeries } from '../../tools/remote-write.ts';

/** Of the first scrape, ms. */
export const DEMO_START_MS = 1_700_000_000_000;
const INSTANCES = ['10000', '10001', '10002'].map((port) => `demo.promlabs.com:${port}`);
const SCRAPE_INTERVAL_MS = 5_000;
const BOUNDS = ['0.0001', '0.001', '0.0025', '0.01', '0.05', '0.1', '0.5', '2.5', '+Inf'];
const REQUESTS: readonly (readonly [method: string, path: string, status: string])[] = [
  ['GET', '/api/foo', '200'],
  ['GET', '/api/bar', '500'],
  ['POST', '/api/foo', '200'],
];

/** What the three demo services that the compliance queries are written for expose, scraped for `durationMs`. */
export function* demoScrapes(durationMs: number): Generator<WrittenSeries[]> {
  const random = seededRandom(2);
  const totals = new Map<string, number>();
  const grown = (key: string, by: number): number => {
    const total = (totals.get(key) ?? 0) + by;
    totals.set(key, total);
    return total;
  };
  for (let timeMs = DEMO_START_MS; timeMs < DEMO_START_MS + durationMs; timeMs += SCRAPE_INTERVAL_MS) {
    const commit: WrittenSeries[] = [];
    for (const [i, instance] of INSTANCES.entries()) {
      const add = (name: string, labels: Readonly<Record<string, string>>, value: number): void => {
        const all = Labels.of({ __name__: name, job: 'demo', instance, ...labels });
        commit.push({ labels: all, samples: [[timeMs + i * 17, value]] });
      };
      add('demo_num_cpus', {}, 4);
      for (const type of ['buffers', 'cached', 'free', 'used']) {
        add('demo_memory_usage_bytes', { type }, Math.floor(1e9 + random() * 4e9));
      }
      // The second service was restarted in the middle.
      if (i === 1 && timeMs === DEMO_START_MS + SCRAPE_INTERVAL_MS * 600) totals.clear();
      for (const mode of ['idle', 'system', 'user']) {
        add('demo_cpu_usage_seconds_total', { mode }, grown(`cpu ${mode} ${i}`, random() * 5));
      }
      add('demo_disk_usage_bytes', {}, grown(`disk ${i}`, Math.floor(random() * 1e6)));
      add('demo_disk_total_bytes', {}, 2 ** 38);
      if (random() < 0.05) totals.set(`batch ${i}`, timeMs / 1000 - random() * 500);
      add('demo_batch_last_success_timestamp_seconds', {}, grown(`batch ${i}`, 0));
      if (Math.floor(timeMs / 240_000) % 3 !== i) add('demo_intermittent_metric', {}, 1);
      for (const [method, path, status] of REQUESTS) {
        const key = `${method} ${path} ${status}`;
        let below = 0;
        for (const le of BOUNDS) {
          below += grown(`${key} ${le} ${i}`, Math.floor(random() * 4));
          add('demo_api_request_duration_seconds_bucket', { method, path, status, le }, below);
        }
        add('demo_api_request_duration_seconds_count', { method, path, status }, below);
        add('demo_api_request_duration_seconds_sum', { method, path, status }, grown(`${key} sum ${i}`, random() * 9));
      }
    }
    yield commit;
  }
}
