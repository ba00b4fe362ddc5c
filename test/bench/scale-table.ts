/** The figures of the scale example as a table: a column for each number of hours, ours before Prometheus's. */
import type { ScaleFigures } from './scale.ts';
import { type Cell, MB, table } from './table.ts';

export function printScale(services: number, ours: readonly ScaleFigures[], theirs: readonly ScaleFigures[]): void {
  const all = [...ours, ...theirs];
  const row = (title: string, digits: number, read: (figures: ScaleFigures) => number): Cell[] => [
    title,
    ...all.map((figures) => read(figures).toFixed(digits)),
  ];
  table(`Scale: ${services} services × 10 instances × 20 APIs × 4 methods at 30 s`, [
    ['', ...ours.map(() => 'promlet'), ...theirs.map(() => 'prometheus')],
    ['hours of data', ...all.map(({ hours }) => hours)],
    row('series in the head', 0, ({ series }) => series),
    row('samples', 0, ({ samples }) => samples),
    row('writing and maintenance, s', 1, ({ seconds }) => seconds),
    row('samples per second', 0, ({ samples, seconds }) => samples / seconds),
    row('RSS, MB', 1, ({ rssBytes }) => rssBytes / MB),
    row('RSS at its highest while writing, MB', 1, ({ peakRssBytes }) => peakRssBytes / MB),
    row('RSS at its highest while querying, MB', 1, ({ queryPeakRssBytes }) => queryPeakRssBytes / MB),
    row('blocks', 0, ({ blocks }) => blocks),
    row('disk: blocks, MB', 1, ({ blockBytes }) => blockBytes / MB),
    row('disk: log, MB', 1, ({ logBytes }) => logBytes / MB),
    row('disk: head chunks, MB', 1, ({ headChunkBytes }) => headChunkBytes / MB),
    row('disk, bytes per sample', 2, (one) => (one.blockBytes + one.logBytes + one.headChunkBytes) / one.samples),
    ...ours[0]!.queries.map(({ title }, i) => row(`${title}, ms`, 1, ({ queries }) => queries[i]!.milliseconds)),
    ...ours[0]!.queries.map(({ title }, i) => row(`${title}, sum`, 2, ({ queries }) => queries[i]!.sum)),
  ]);
}
