import { seededRandom } from '../../../lib/env/index.ts';
import { Labels, STALE_NAN } from '../../../lib/model/index.ts';
import { HistogramProcess } from '../../tools/demo-commits.ts';
import type { WrittenSeries } from '../../tools/remote-write.ts';

/** Of the first scrape, ms; kept queries count from it. */
export const START_MS = 1_700_000_000_000;
export const DURATION_MS = 90 * 60_000;
const SCRAPE_INTERVAL_MS = 15_000;
const BOUNDS = ['0.1', '0.25', '0.5', '1', '+Inf'];
const ODD_VALUES = [0, -0, 1.5, 1e308, -1e308, 1e-300, Infinity, -Infinity, NaN, 123456789, 1e-7, 2 ** 53, -42, 0.1];
const TARGETS = [
  { job: 'api', instance: 'a:9090' },
  { job: 'api', instance: 'b:9090' },
  { job: 'db', instance: 'a:9090' },
  { job: 'db', instance: 'c' },
];
/** Those that have odd kinds too. */
const LAST = TARGETS.length - 1;

/** Series of all sorts: counters with resets, gauges, gaps, odd values, classic and native histograms, mixed ones. */
export function* fuzzScrapes(): Generator<WrittenSeries[]> {
  const random = seededRandom(3);
  const totals = new Map<string, number>();
  const processes = new Map<string, HistogramProcess>();
  for (let step = 0; step * SCRAPE_INTERVAL_MS < DURATION_MS; step++) {
    const commit: WrittenSeries[] = [];
    for (const [i, target] of TARGETS.entries()) {
      // A scrape is missed sometimes; times are a little off.
      if (random() < 0.02) continue;
      const timeMs = START_MS + step * SCRAPE_INTERVAL_MS + i * 1000 + Math.floor(random() * 4);
      const add = (name: string, labels: Readonly<Record<string, string>>, value: number): void => {
        commit.push({ labels: Labels.of({ __name__: name, ...target, ...labels }), samples: [[timeMs, value]] });
      };
      const grow = (key: string, by: number): number => {
        const total = random() < 0.004 ? 0 : (totals.get(`${key} ${i}`) ?? 0) + by;
        totals.set(`${key} ${i}`, total);
        return total;
      };
      for (const code of ['200', '404', '500']) add('requests_total', { code }, grow(code, Math.floor(random() * 50)));
      add('errors_total', {}, grow('errors', Math.floor(random() * 3)));
      for (const zone of ['x', 'y']) add('temperature', { zone }, Math.round((random() * 60 - 20) * 8) / 8);
      add('cpu_seconds_total', {}, grow('cpu', random()));
      add('build_info', { version: i === 1 ? '2.0' : '1.0' }, 1);
      add('target_info', { cluster: step < 150 ? 'east' : 'west', 'service.name': target.job }, 1);
      add('odd', { i: String(i) }, ODD_VALUES[Math.floor(random() * ODD_VALUES.length)]!);
      add('dotted.name', { 'label.dot': `v${i}` }, step % 7);
      const period = (step + i * 9) % 40;
      if (period < 20) add('spotty', {}, step);
      else if (period === 20 && i % 2 === 0) add('spotty', {}, STALE_NAN);
      addClassic(add, grow, i);
      const observe = (name: string, kind: 'integer' | 'float' | 'custom', gauge: boolean): void => {
        const key = `${name} ${i}`;
        if (!processes.has(key)) processes.set(key, new HistogramProcess(random, kind, gauge));
        const labels = Labels.of({ __name__: name, ...target });
        commit.push({ labels, histograms: [[timeMs, processes.get(key)!.next()]] });
      };
      observe('native', i % 2 === 0 ? 'integer' : 'float', false);
      observe('native_gauge', 'float', true);
      observe('custom', 'custom', false);
      if (step % 60 < 40) observe('mixed', i === LAST ? 'custom' : 'integer', false);
      else add('mixed', {}, step * 2);
    }
    yield commit;
  }

  function addClassic(
    add: (name: string, labels: Readonly<Record<string, string>>, value: number) => void,
    grow: (key: string, by: number) => number,
    i: number,
  ): void {
    let below = 0;
    for (const le of BOUNDS) {
      // The last target has no highest bucket, the one before buckets that are not monotonic.
      if (le === '+Inf' && i === LAST) continue;
      below += grow(`bucket ${le}`, Math.floor(random() * 5)) - (i === LAST - 1 && random() < 0.1 ? 3 : 0);
      add('latency_seconds_bucket', { le }, below);
    }
    add('latency_seconds_count', {}, below);
    add('latency_seconds_sum', {}, grow('sum', random() * 3));
  }
}
