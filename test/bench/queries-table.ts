/** The figures of the query benchmark as a table, and what they say of the budgets. */
import { agreed, type QueryFigures, type ServerFigures } from './queries.ts';
import { type Cell, MB, table } from './table.ts';

/** Beside whom, by the beginning of a contender's name. */
const PROMETHEUS = 'prometheus';
const VICTORIA_METRICS = 'victoria-metrics';

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
  const slowerThan = (other: ServerFigures, only: (one: QueryFigures) => boolean): string[] =>
    ours.queries
      .filter((one, i) => only(one) && one.milliseconds > other.queries[i]!.milliseconds)
      .map(({ case: { title } }) => title);
  const means = [ours, ...(victoriaMetrics === undefined ? [] : [victoriaMetrics])].map(
    (one) => `${one.program} ${geometricMean(one, prometheus).toFixed(3)}`,
  );
  console.log(`  geometric mean of the ratios of times to ${prometheus.program}: ${means.join(', ')}`);
  printMissed(
    `queries slower than ${prometheus.program}`,
    slowerThan(prometheus, () => true),
  );
  if (victoriaMetrics !== undefined) {
    printMissed(
      `range aggregations slower than ${victoriaMetrics.program}`,
      slowerThan(victoriaMetrics, ({ case: { isRangeAggregation } }) => isRangeAggregation),
    );
  }
  console.log(`  RSS at its highest: ${(ours.peakRssBytes / MB).toFixed(0)} MB`);
}

function printMissed(what: string, titles: readonly string[]): void {
  console.log(`  ${what}: ${titles.length}${titles.length > 0 ? ` (${titles.join('; ')})` : ''}`);
}

function geometricMean(one: ServerFigures, to: ServerFigures): number {
  const logs = one.queries.map(({ milliseconds }, i) => Math.log(milliseconds / to.queries[i]!.milliseconds));
  return Math.exp(logs.reduce((a, b) => a + b, 0) / logs.length);
}
