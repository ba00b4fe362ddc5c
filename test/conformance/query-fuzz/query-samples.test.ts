/** How many samples queries look at, in all and step by step, beside Prometheus 3.15. */
import assert from 'node:assert/strict';
import { needPeer } from '../../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../../tools/prometheus-api.ts';
import type { AskedQuery, QueryTwins } from '../../tools/query-twins.ts';
import { START_MS } from './data.ts';
import { startFuzzTwins } from './fuzz.ts';
import { generateQuery } from './generator.ts';
import { printNode } from './node.ts';

const RANDOM = 150;

const QUERIES = [
  '1',
  'vector(1)',
  'time()',
  '"text"',
  'requests_total',
  'native',
  'custom',
  'mixed',
  'spotty',
  'nothing',
  'requests_total offset 7m',
  'requests_total offset -7m',
  'requests_total @ 1700001200',
  'requests_total @ end()',
  'native @ start() offset 1m',
  'requests_total + errors_total @ 1700001200',
  'sum(requests_total)',
  'sum by (job) (native)',
  'topk(2, temperature)',
  'topk(scalar(count(temperature)), temperature)',
  'count_values("v", build_info)',
  'limitk(2, requests_total)',
  'quantile(0.5, temperature)',
  'errors_total / on (instance, job) group_left () build_info',
  'requests_total and on (job) errors_total',
  'requests_total or errors_total',
  'requests_total unless requests_total',
  'absent(nothing)',
  'absent(requests_total)',
  'abs(temperature)',
  'timestamp(temperature)',
  'timestamp(native)',
  'timestamp(temperature @ 1700001200)',
  'label_replace(temperature, "a", "$1", "zone", "(.*)")',
  'histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket[5m])))',
  'histogram_quantile(0.9, rate(native[5m]))',
  'histogram_count(native)',
  'histogram_sum(rate(native[5m]))',
  'histogram_avg(custom)',
  'rate(requests_total[5m])',
  'rate(requests_total[20s])',
  'rate(requests_total[5m] offset 3m)',
  'rate(requests_total[5m] @ 1700001200)',
  'predict_linear(temperature[5m] @ 1700001200, 60)',
  'sum(rate(requests_total[5m]))',
  'sum by (job) (rate({__name__=~"requests_total|errors_total"}[3m]))',
  'rate(native[5m])',
  'sum_over_time(native_gauge[3m])',
  'count_over_time(mixed[10m])',
  'sum_over_time(mixed[10m])',
  'max_over_time(temperature[30m])',
  'quantile_over_time(scalar(vector(0.5)), temperature[10m])',
  'quantile_over_time(scalar(quantile(0.5, build_info)), temperature[10m])',
  'absent_over_time(nothing[5m])',
  'absent_over_time(spotty[5m])',
  'changes(spotty[15m])',
  'last_over_time(spotty[15m])',
  'increase(requests_total[5m] anchored)',
  'increase(requests_total[5m] smoothed)',
  'temperature smoothed',
  'max_over_time(temperature[10m:1m])',
  'max_over_time(temperature[10m:])',
  'max_over_time(rate(requests_total[5m])[10m:1m])',
  'max_over_time(rate(requests_total[5m])[10m:1m] offset 2m)',
  'max_over_time(rate(requests_total[5m])[10m:1m] @ 1700001200)',
  'max_over_time(sum(requests_total)[30s:15s])',
  'sum_over_time((temperature > 10)[10m:1m])',
  'rate(native[10m:1m])',
  'avg_over_time(max_over_time(temperature[5m:30s])[20m:2m])',
  'max_over_time((temperature @ 1700001200)[10m:1m])',
  'max_over_time(rate(requests_total[5m] @ 1700001200)[10m:1m])',
  'info(requests_total)',
  'info(requests_total, {cluster=~".+"})',
  'info(rate(requests_total[5m]))',
];
/**
 * Only an instant query may be a range vector. In a range Prometheus evaluates a fixed subquery of a function that is not
 * at more times than the function looks at, and counts some of what it read there.
 */
const INSTANT_ONLY = [
  'predict_linear(temperature[10m:1m] @ 1700001200, 60)',
  'requests_total[5m]',
  'native[10m]',
  'mixed[20m] offset 5m',
  'requests_total[5m] @ 1700001200',
  'temperature[5m] anchored',
  'temperature[5m] smoothed',
  'temperature[10m:1m]',
  'rate(requests_total[5m])[10m:1m]',
  'rate(requests_total[5m])[10m:1m] offset 5m',
  'max_over_time(native[5m:1m])[10m:1m] @ 1700001200',
];

describe('The samples that queries look at', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let twins: QueryTwins | undefined;

  before(async function () {
    twins = await startFuzzTwins(needPeer(this, 'prometheus'));
  });
  after(() => twins?.stop());

  const atMs = START_MS + 40 * 60_000;
  const instant = (query: string): AskedQuery => ({ query, startMs: atMs, endMs: atMs, stepMs: 0 });
  const range = (query: string, stepMs: number): AskedQuery => ({
    query,
    startMs: atMs - 10 * 60_000,
    endMs: atMs + 10 * 60_000 + 7_000,
    stepMs,
  });

  /** @returns how many of the queries look at something */
  async function compare(asked: readonly AskedQuery[]): Promise<number> {
    const differences: object[] = [];
    let counted = 0;
    for (const one of asked) {
      const [ours, theirs] = await Promise.all([twins!.ourSamples(one), twins!.theirSamples(one)]);
      try {
        assert.deepEqual(ours, theirs);
      } catch {
        differences.push({ ...one, ours: shortened(ours), theirs: shortened(theirs) });
      }
      if (theirs !== undefined && theirs.totalQueryableSamples > 0) counted++;
    }
    assert.deepEqual(differences, []);
    return counted;
  }

  it('are as many as in Prometheus at one time', async () => {
    assert.ok((await compare([...QUERIES, ...INSTANT_ONLY].map(instant))) > 60);
  });

  for (const stepMs of [15_000, 60_000, 420_000, 1_000_000_000]) {
    it(`are as many as in Prometheus, and at the same steps of ${stepMs} ms`, async () => {
      assert.ok((await compare(QUERIES.filter((query) => query !== '"text"').map((query) => range(query, stepMs)))) > 50);
    });
  }

  it('are as many as in Prometheus for random queries', async () => {
    const asked = Array.from({ length: RANDOM }, (_, seed) => {
      const { node, times } = generateQuery(seed + 1);
      return { query: printNode(node), ...times };
    });
    assert.ok((await compare(asked)) > RANDOM / 3);
  });
});

function shortened(samples: object | undefined): string {
  return JSON.stringify(samples)?.slice(0, 400) ?? 'an error';
}
