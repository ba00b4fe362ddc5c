/** An hour of the metrics that the PromQL compliance queries ask for, and some harder ones; always the same. */
import { seededRandom } from '../../../lib/env/index.ts';
import { Labels, STALE_NAN } from '../../../lib/model/index.ts';
import { open, START_MS, TestClock } from '../../unit/tsdb/harness.ts';

export const DATA_START_MS = START_MS;
export const SCRAPE_INTERVAL_MS = 5_000;
const SCRAPES = 720;
export const DATA_END_MS = DATA_START_MS + (SCRAPES - 1) * SCRAPE_INTERVAL_MS;

const INSTANCES = ['demo.promlabs.com:10000', 'demo.promlabs.com:10001', 'demo.promlabs.com:10002'];
const BUCKETS = ['0.0001', '0.001', '0.01', '0.1', '1', '10', '+Inf'];

/** The value of a series at a scrape; undefined is no sample. */
type Track = (scrape: number) => number | undefined;

interface Made {
  readonly labels: Labels;
  readonly at: Track;
}

/** Writes the data as a write-ahead log into `dir`. */
export async function writeDemoData(dir: string): Promise<void> {
  const clock = new TestClock();
  clock.nowMs = DATA_END_MS + 60_000;
  const db = await open(dir, { clock });
  const series = demoSeries();
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    const appender = db.appender();
    for (const { labels, at } of series) {
      const value = at(scrape);
      if (value === undefined) continue;
      const result = appender.append(appender.series(labels), DATA_START_MS + scrape * SCRAPE_INTERVAL_MS, value);
      if (result !== 0) throw new Error(`${labels.toString()}: append answered ${result}`);
    }
    await appender.commit();
  }
  await db.close();
}

function demoSeries(): Made[] {
  const random = seededRandom(20);
  const made: Made[] = [];
  const add = (name: string, labels: Record<string, string>, at: Track) =>
    made.push({ labels: Labels.of({ __name__: name, job: 'demo', ...labels }), at });

  INSTANCES.forEach((instance, i) => {
    for (const type of ['buffers', 'cached', 'free', 'used']) {
      add('demo_memory_usage_bytes', { instance, type }, walk(random, 1e9, 1e7));
    }
    for (const mode of ['idle', 'system', 'user']) {
      add('demo_cpu_usage_seconds_total', { instance, mode }, counter(random, 5, i === 1 ? 300 : Infinity));
    }
    add('demo_num_cpus', { instance }, () => 4 * (i + 1));
    add('demo_disk_usage_bytes', { instance }, walk(random, 5e10, 1e5));
    add('demo_disk_total_bytes', { instance }, () => 1e11);
    add('demo_batch_last_success_timestamp_seconds', { instance }, (scrape) => {
      return (DATA_START_MS + Math.floor(scrape / 20) * 20 * SCRAPE_INTERVAL_MS) / 1000 + i;
    });
    // Ten scrapes there, ten not, with a stale marker in between.
    add('demo_intermittent_metric', { instance }, (scrape) => {
      const phase = (scrape + i) % 20;
      return phase < 10 ? 1 : phase === 10 ? STALE_NAN : undefined;
    });
    for (const [method, status] of [
      ['GET', '200'],
      ['GET', '500'],
      ['POST', '200'],
    ] as const) {
      const grown = BUCKETS.map(() => counter(random, 3, Infinity));
      const labels = { instance, method, path: '/api/foo', status };
      const upTo = (bucket: number, scrape: number) =>
        grown.slice(0, bucket + 1).reduce((sum, track) => sum + Math.floor(track(scrape)!), 0);
      BUCKETS.forEach((le, bucket) =>
        add('demo_api_request_duration_seconds_bucket', { ...labels, le }, (scrape) => upTo(bucket, scrape)),
      );
      add('demo_api_request_duration_seconds_count', labels, (scrape) => upTo(BUCKETS.length - 1, scrape));
      add('demo_api_request_duration_seconds_sum', labels, counter(random, 1, Infinity));
    }
  });
  addHardSeries(add, random);
  return made;
}

function addHardSeries(
  add: (name: string, labels: Record<string, string>, at: Track) => void,
  random: () => number,
): void {
  const odd = [NaN, Infinity, -Infinity, -0, 0, 1e308, -1e308, 5e-324, 1, -1];
  odd.forEach((value, i) => add('odd_constant', { i: String(i) }, () => value));
  add('odd_mixed', { i: 'mixed' }, (scrape) => odd[scrape % odd.length]!);
  add('odd_nan_then_number', { i: 'nan' }, (scrape) => (scrape % 7 < 3 ? NaN : scrape));
  add('odd_cancelling', { i: 'sum' }, (scrape) => [1e100, 1, -1e100, 1][scrape % 4]!);
  add('odd.dotted/name', { 'label with space': 'ü"\\\n', plain: '1' }, walk(random, 3, 1));
  add('odd_escapes', { path: 'C:\\DIR\\', text: 'two\nlines "quoted"', emoji: '\u{1f600}' }, () => 7);
  add('odd_proto', { __proto__x: '1', constructor: 'c', toString: 't' }, () => 3);
  add('odd_sparse', {}, (scrape) => (scrape % 50 === 0 ? scrape : undefined));
  add('odd_resetting', {}, (scrape) => (scrape * 37) % 101);
  add('odd_negative_counter', {}, (scrape) => -50 + scrape);
  // Buckets that fall, one without +Inf, one with NaN, one with a bound that is not a number.
  for (const [kind, counts] of Object.entries({
    falling: [5, 3, 9, 9],
    nearly: [100, 100 + 1e-12, 100, 101],
    nan: [1, NaN, 3, 4],
    zero: [0, 0, 0, 0],
  })) {
    ['0.5', '1', '2', '+Inf'].forEach((le, i) => add('odd_hist_bucket', { kind, le }, () => counts[i]));
  }
  ['0.5', '1'].forEach((le, i) => add('odd_hist_bucket', { kind: 'open', le }, () => i + 1));
  ['-1', '0', '1', '+Inf'].forEach((le, i) => add('odd_hist_bucket', { kind: 'negative', le }, () => i + 1));
  ['1', 'one', '+Inf'].forEach((le, i) => add('odd_hist_bucket', { kind: 'bound', le }, () => i + 1));
}

/** A gauge wandering around `around`. */
function walk(random: () => number, around: number, stepWidth: number): Track {
  let value = around * (0.5 + random());
  const values = Array.from({ length: SCRAPES }, () => (value += (random() - 0.5) * stepWidth));
  return (scrape) => values[scrape];
}

/** A counter that begins anew every `resetAfter` scrapes. */
function counter(random: () => number, perScrape: number, resetAfter: number): Track {
  let value = 0;
  const values = Array.from({ length: SCRAPES }, (_, scrape) => {
    if (scrape > 0 && scrape % resetAfter === 0) value = 0;
    return (value += random() * perScrape);
  });
  return (scrape) => values[scrape];
}
