import { createLogger } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { formatGeneral, type Labels, METRIC_NAME, quote, SampleColumns } from '../../lib/model/index.ts';
import { parseSelector } from '../../lib/promql/index.ts';
import type { Querier, Series } from '../../lib/storage/index.ts';
import { openReadOnly } from '../../lib/tsdb/index.ts';
import { requireDirectory } from './data-directory.ts';
import { formatGoJsonString } from './go-format.ts';
import { histogramText } from './histogram-text.ts';
import type { TextOutput, TsdbHost } from './host.ts';

/** What is to be dumped: the union of what the selectors select, within times that are both inclusive. */
export interface DumpSelection {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly selectors: readonly string[];
}

/** `tsdb dump`: one line a sample, `{__name__="up", job="a"} 1 1700000000000`. */
export async function dumpSamples(host: TsdbHost, dir: string, selection: DumpSelection): Promise<void> {
  const columns = new SampleColumns();
  await dump(host, dir, selection, (series, out) => {
    columns.clear();
    series.read(columns);
    const { timestamps, values, histograms, length } = columns;
    const labels = series.labels.toString();
    for (let i = 0; i < length; i++) {
      const histogram = histograms?.[i];
      const value = histogram === undefined ? formatGeneral(values[i]!) : histogramText(histogram);
      out.write(`${labels} ${value} ${timestamps[i]!}\n`);
    }
  });
}

/** `tsdb dump --format=seriesjson`: the labels of each series once, as JSON. */
export async function dumpSeries(host: TsdbHost, dir: string, selection: DumpSelection): Promise<void> {
  await dump(host, dir, selection, (series, out) => {
    const fields = [...series.labels].map(
      ([name, value]) => `${formatGoJsonString(name)}:${formatGoJsonString(value)}`,
    );
    out.write(`{${fields.join(',')}}\n`);
  });
}

/**
 * `tsdb dump-openmetrics`: what `create-blocks-from openmetrics` reads back. A series ends at its first native histogram, as
 * promtool's does; they have no text form.
 */
export async function dumpOpenMetrics(host: TsdbHost, dir: string, selection: DumpSelection): Promise<void> {
  const columns = new SampleColumns();
  await dump(host, dir, selection, (series, out) => {
    columns.clear();
    series.read(columns);
    const { timestamps, values, histograms, length } = columns;
    const name = series.labels.get(METRIC_NAME) + condensed(series.labels);
    for (let i = 0; i < length && histograms?.[i] === undefined; i++) {
      out.write(`${name} ${formatGeneral(values[i]!)} ${(timestamps[i]! / 1000).toFixed(3)}\n`);
    }
  });
  host.out.write('# EOF\n');
}

/** The labels but the name, without blanks; names as they are (`CondensedString` of cmd/promtool/tsdb.go). */
function condensed(labels: Labels): string {
  const parts: string[] = [];
  for (const [name, value] of labels) if (name !== METRIC_NAME) parts.push(`${name}=${quote(value)}`);
  return `{${parts.join(',')}}`;
}

async function dump(
  host: TsdbHost,
  dir: string,
  { minTimeMs, maxTimeMs, selectors }: DumpSelection,
  format: (series: Series, out: TextOutput) => void,
): Promise<void> {
  const matcherSets = selectors.map((selector) => parseSelector(selector));
  const { fileSystem, clock } = host;
  requireDirectory(fileSystem, dir);
  const logger = createLogger('error');
  const tsdb = await openReadOnly({ dir, fileSystem, clock, logger, kernels: createKernels() }, maxTimeMs);
  const querier = tsdb.querier(minTimeMs, maxTimeMs);
  try {
    const hints = { startMs: minTimeMs, endMs: maxTimeMs };
    const sets = matcherSets.map((matchers) => batchesOf(querier, matcherSets.length > 1, hints, matchers));
    for await (const series of sets.length === 1 ? sets[0]! : union(sets)) format(series, host.out);
  } finally {
    querier.close();
    tsdb.close();
  }
}

async function* batchesOf(
  querier: Querier,
  sorted: boolean,
  ...rest: [Parameters<Querier['select']>[1], Parameters<Querier['select']>[2]]
): AsyncGenerator<Series> {
  const set = await querier.select(sorted, ...rest);
  for await (const batch of set.batches) yield* batch;
}

/** Sorted sets as one; what several select comes once, read from the first. */
async function* union(sets: readonly AsyncGenerator<Series>[]): AsyncGenerator<Series> {
  const heads = await Promise.all(sets.map(async (set) => ({ set, next: await set.next() })));
  for (;;) {
    const open = heads.filter(({ next }) => next.done !== true);
    if (open.length === 0) return;
    let first = open[0]!.next.value as Series;
    for (const { next } of open)
      if ((next.value as Series).labels.compare(first.labels) < 0) first = next.value as Series;
    yield first;
    for (const head of open)
      if ((head.next.value as Series).labels.equals(first.labels)) head.next = await head.set.next();
  }
}
