/** The figures of the query benchmark as a table, and what they say of the budgets. */
import { agreed, type QueryFigures, type ServerFigures } from './queries.ts';
import { type Cell, MB, table } from './table.ts';

/** Beside whom, by the beginning of a contender's name. */
const PROMETHEUS = 'prometheus';
const VICTORIA_METRICS = 'victoria-metrics';

/** The kernel counts CPU time in steps that are too coarse for quicker ones. */
const CPU_FROM_MS = 1;

/** @param figures ours first; of others those that were there */
export function printQueries(title: string, figures: readonly ServerFigures[]): void {
  const [ours, ...others] = figures;
  const prometheus = others.find(({ program }) => program.startsWith(PROMETHEUS));
  const victoriaMetrics = others.find(({ program }) => program.startsWith(VICTORIA_METRICS));
  /** A figure of all, then the ratios of all but Prometheus to Prometheus. */
  const group = (digits: number, read: (one: ServerFigures) => number): Cell[] => [
    ...figures.map((one) => read(one).toFixed(digits)),
    ...(prometheus === undefined
      ? []
      : othersThan(prometheus, figures).map((one) => ratio(read(one), read(prometheus)))),
  ];
  const names = figures.map(shortName);
  const heading = [
    ...names,
    ...(prometheus === undefined ? [] : othersThan(prometheus, figures).map((one) => `${shortName(one)} ÷`)),
  ];
  table(title, [
    ['', 'ms', ...heading.slice(1).map(() => ''), 'CPU ms', ...heading.slice(1).map(() => ''), 'peak MB'],
    ['', ...heading, ...heading, names[0]!, 'answer'],
    ...ours!.queries.map((query, i) => [
      query.case.title,
      ...group(1, ({ queries }) => queries[i]!.milliseconds),
      ...group(1, ({ queries }) => queries[i]!.cpuMilliseconds),
      (query.peakRssBytes / MB).toFixed(0),
      agreement(query, prometheus?.queries[i], victoriaMetrics?.queries[i]),
    ]),
    ['RSS before, MB', ...group(1, ({ rssBytes }) => rssBytes / MB)],
    ['RSS at its highest, MB', ...group(1, ({ peakRssBytes }) => peakRssBytes / MB)],
  ]);
  if (prometheus !== undefined) printBeside(ours!, prometheus, victoriaMetrics);
}

function othersThan(to: ServerFigures, figures: readonly ServerFigures[]): readonly ServerFigures[] {
  return figures.filter((one) => one !== to);
}

function shortName({ program }: ServerFigures): string {
  return program.replace(/[ -].*/, '');
}

function ratio(value: number, to: number): string {
  return to > 0 ? (value / to).toFixed(2) : '';
}

/** Of Prometheus the whole answer must be ours; of VictoriaMetrics what it means as we do. */
function agreement(
  ours: QueryFigures,
  prometheus: QueryFigures | undefined,
  victoriaMetrics: QueryFigures | undefined,
): string {
  const differing = [
    ...(prometheus !== undefined && prometheus.hash !== ours.hash ? ['prometheus DIFFERS'] : []),
    ...(victoriaMetrics !== undefined && agreed(victoriaMetrics) !== agreed(ours)
      ? [`victoria DIFFERS: ${agreed(victoriaMetrics)}, not ${agreed(ours)}`]
      : []),
  ];
  if (differing.length > 0) return differing.join(', ');
  const partly = victoriaMetrics !== undefined && ours.case.agreement !== 'answer';
  return partly ? `${ours.hash}, victoria's ${agreed(ours)}` : ours.hash;
}

function printBeside(ours: ServerFigures, prometheus: ServerFigures, victoriaMetrics: ServerFigures | undefined): void {
  const compared = [ours, ...(victoriaMetrics === undefined ? [] : [victoriaMetrics])];
  const means = (read: (one: QueryFigures) => number, fromMs: number): string =>
    compared.map((one) => `${one.program} ${geometricMean(one, prometheus, read, fromMs).toFixed(3)}`).join(', ');
  console.log(`  geometric means of the ratios to ${prometheus.program}`);
  console.log(`    of times: ${means(({ milliseconds }) => milliseconds, 0)}`);
  console.log(
    `    of CPU times from ${CPU_FROM_MS} ms: ${means(({ cpuMilliseconds }) => cpuMilliseconds, CPU_FROM_MS)}`,
  );
  printSlower('queries', ours.queries, ours, prometheus);
  if (victoriaMetrics !== undefined) {
    const aggregations = ours.queries.filter((one) => one.case.isRangeAggregation);
    printSlower('range aggregations', aggregations, ours, victoriaMetrics);
  }
  console.log(`  RSS at its highest: ${(ours.peakRssBytes / MB).toFixed(0)} MB`);
}

/** By the time of the answer, which others on the machine blur, and by CPU time, which several threads do not make less. */
function printSlower(what: string, queries: readonly QueryFigures[], ours: ServerFigures, other: ServerFigures): void {
  const exceeds = (read: (one: QueryFigures) => number): QueryFigures[] =>
    queries.filter((one) => read(one) > read(other.queries[ours.queries.indexOf(one)]!));
  const slower = exceeds(({ milliseconds }) => milliseconds);
  const costlier = exceeds(({ cpuMilliseconds }) => cpuMilliseconds);
  console.log(`  ${what} slower than ${other.program}: ${slower.length}; that take more CPU: ${costlier.length}`);
  for (const { case: one } of slower) console.log(`    slower: ${one.title}`);
}

/** Over the queries that take the other at least so long. */
function geometricMean(
  one: ServerFigures,
  to: ServerFigures,
  read: (one: QueryFigures) => number,
  fromMs: number,
): number {
  const logs = one.queries.flatMap((query, i) => {
    const theirs = read(to.queries[i]!);
    return theirs >= fromMs ? [Math.log(read(query) / theirs)] : [];
  });
  return Math.exp(logs.reduce((a, b) => a + b, 0) / logs.length);
}
