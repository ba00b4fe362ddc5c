/** The figures of scrapes among other work, as tables. */
import type { DashboardFigures } from './dashboard.ts';
import type { JitterFigures } from './jitter.ts';
import type { Lateness } from './lateness.ts';
import { type Cell, compared, MB, table } from './table.ts';

export function printDashboard(title: string, figures: readonly DashboardFigures[]): void {
  const row = rowOf(figures);
  table(title, [
    ['', ...figures.map(({ program }) => program), 'ratio of the first two'],
    row('answers per second', 1, ({ answersPerSecond }) => answersPerSecond),
    row('median, ms', 1, ({ p50Ms }) => p50Ms),
    row('p99, ms', 1, ({ p99Ms }) => p99Ms),
    row('requests that failed', 0, ({ failed }) => failed),
    row('CPU of the server per answer, ms', 1, ({ cpuMilliseconds }) => cpuMilliseconds),
    row('RSS at its highest, MB', 1, ({ peakRssBytes }) => peakRssBytes / MB),
    ...latenessRows('scrapes alone', figures, ({ quiet }) => quiet),
    ...latenessRows('scrapes beside the clients', figures, ({ busy }) => busy),
  ]);
}

/** Of the 99th percentile, ours, while a heavy query and a compaction run. */
const BUDGET_MS = 20;

export function printJitter(title: string, figures: readonly JitterFigures[]): void {
  const row = rowOf(figures);
  table(title, [
    ['', ...figures.map(({ program }) => program), 'ratio'],
    row('queries', 0, ({ queries }) => queries),
    row('one query, ms', 0, ({ queryMilliseconds }) => queryMilliseconds),
    row('blocks were written for, s', 2, ({ compactionSeconds }) => compactionSeconds),
    row('RSS at its highest, MB', 1, ({ peakRssBytes }) => peakRssBytes / MB),
    ...latenessRows('scrapes alone', figures, ({ quiet }) => quiet),
    ...latenessRows('scrapes beside queries', figures, ({ busy }) => busy),
    ...latenessRows('scrapes beside queries and compaction', figures, ({ compacting }) => compacting),
  ]);
  const { p99Ms } = figures[0]!.compacting;
  console.log(`  ours beside queries and compaction, p99: ${p99Ms.toFixed(1)} ms of a budget of ${BUDGET_MS} ms`);
}

function latenessRows<T>(title: string, figures: readonly T[], read: (one: T) => Lateness): Cell[][] {
  const row = rowOf(figures);
  return [
    row(`${title}: skipped`, 0, (one) => read(one).skipped),
    row('  start late by, p50, ms', 1, (one) => read(one).p50Ms),
    row('  p99, ms', 1, (one) => read(one).p99Ms),
    row('  at most, ms', 1, (one) => read(one).maxMs),
  ];
}

function rowOf<T>(figures: readonly T[]): (title: string, digits: number, read: (one: T) => number) => Cell[] {
  return (title, digits, read) => compared(title, figures.map(read), digits);
}
