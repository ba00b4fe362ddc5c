import Koa from 'koa';
import { type ApiDeps, createApi, listen, type Listening } from '../../../lib/api/index.ts';
import { type Logger, systemClock } from '../../../lib/env/index.ts';
import { Annotations, compareUtf8, Labels, type Matcher, type SampleColumns } from '../../../lib/model/index.ts';
import { Engine } from '../../../lib/promql/index.ts';
import type { LabelAnswer, Queryable, Series, SeriesSet } from '../../../lib/storage/index.ts';

export interface MemorySeries {
  readonly labels: Record<string, string>;
  readonly samples: readonly (readonly [timestampMs: number, value: number])[];
}

/** A small storage in memory. `warning` comes with every answer. */
export function memoryQueryable(all: readonly MemorySeries[], warning?: string): Queryable {
  const annotations = new Annotations();
  if (warning !== undefined) annotations.warn(warning);
  const entries = all
    .map(({ labels, samples }) => ({ labels: Labels.of(labels), samples }))
    .sort((a, b) => a.labels.compare(b.labels));
  return {
    querier(minTimeMs, maxTimeMs) {
      const matching = (matchers: readonly Matcher[]) =>
        entries.filter(
          ({ labels, samples }) =>
            matchers.every((matcher) => matcher.matches(labels.get(matcher.name))) &&
            samples.some(([t]) => t >= minTimeMs && t <= maxTimeMs),
        );
      const answer = (values: Iterable<string>): LabelAnswer => ({
        values: [...new Set(values)].sort(compareUtf8),
        annotations,
      });
      return {
        async select(_sorted, _hints, matchers): Promise<SeriesSet> {
          const series: Series[] = matching(matchers).map(({ labels, samples }) => ({
            labels,
            read(into: SampleColumns) {
              for (const [t, value] of samples) if (t >= minTimeMs && t <= maxTimeMs) into.push(t, value);
            },
          }));
          async function* batches() {
            yield series;
          }
          return { batches: batches(), annotations };
        },
        async labelNames(_hints, matchers) {
          return answer(matching(matchers).flatMap(({ labels }) => [...labels].map(([name]) => name)));
        },
        async labelValues(name, _hints, matchers) {
          return answer(matching(matchers).flatMap(({ labels }) => (labels.has(name) ? [labels.get(name)] : [])));
        },
        close() {},
      };
    },
  };
}

const silentLog: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silentLog };

export const NOW_MS = 1_700_000_000_000;

export function testDeps(queryable: Queryable, changes: Partial<ApiDeps> = {}): ApiDeps {
  return {
    queryable: () => queryable,
    engine: new Engine(),
    clock: { ...systemClock, now: () => NOW_MS },
    log: silentLog,
    ready: () => true,
    build: { version: '0.1.0', revision: 'r', branch: 'b', buildUser: 'u', buildDate: 'd', goVersion: 'node24' },
    flags: { 'web.listen-address': '127.0.0.1:0' },
    lifecycle: false,
    ...changes,
  };
}

export interface TestServer extends Listening {
  readonly url: string;
}

export async function serve(deps: ApiDeps): Promise<TestServer> {
  const app = new Koa();
  app.silent = true;
  app.use(createApi(deps));
  const listening = await listen(app, '127.0.0.1:0', deps.limits);
  return { ...listening, url: `http://127.0.0.1:${listening.port}` };
}

export const SERIES: readonly MemorySeries[] = ['a', 'b', 'c'].map((instance, i) => ({
  labels: { __name__: 'http_requests_total', instance, job: 'app', 'dotted.name': 'x' },
  samples: Array.from({ length: 11 }, (_, k) => [NOW_MS - 600_000 + k * 60_000, k * (i + 1)] as const),
}));
