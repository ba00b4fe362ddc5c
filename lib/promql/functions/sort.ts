import { type ColumnSeries, type Columns, isFloat } from '../eval/columns.ts';
import { type InstantCall, vectorArgument } from './instant-call.ts';

/** Sorting means nothing where there are several steps: the answer is sorted by labels then. */
function warnInRange(call: InstantCall): boolean {
  if (call.grid.count === 1 && call.grid.isRange !== true) return false;
  const reason = 'sort is ineffective for range queries since results are always ordered by labels';
  call.context.warn(reason, call.expr);
  return true;
}

/** `sort`, `sort_desc`: NaN last in either direction. */
export function sortByValue(call: InstantCall, direction: 1 | -1): Columns {
  const input = vectorArgument(call);
  if (warnInRange(call)) return { type: 'vector', series: input.map(withoutHistograms) };
  const series = input.filter((one) => isFloat(one, 0));
  series.sort((a, b) => {
    const x = a.values[0]!;
    const y = b.values[0]!;
    if (x !== x || y !== y) return Number(x !== x) - Number(y !== y);
    return direction * (x < y ? -1 : Number(x > y));
  });
  return { type: 'vector', series };
}

function withoutHistograms(series: ColumnSeries): ColumnSeries {
  const { labels, dropName, values, present, histograms } = series;
  if (histograms === undefined) return series;
  return { labels, dropName, values, present: present.map((_, step) => Number(isFloat(series, step))) };
}

/** `sort_by_label`, `sort_by_label_desc`: natural order (`a2` before `a10`), then by all labels. */
export function sortByLabel(call: InstantCall, direction: 1 | -1): Columns {
  const input = vectorArgument(call);
  if (warnInRange(call)) return { type: 'vector', series: input };
  const series = input.toSorted((a, b) => {
    for (const name of call.strings) {
      const order = compareNatural(a.labels.get(name), b.labels.get(name));
      if (order !== 0) return direction * order;
    }
    return direction * a.labels.compare(b.labels);
  });
  return { type: 'vector', series };
}

/** Runs of digits compare as numbers, the rest as text. */
function compareNatural(a: string, b: string): number {
  if (a === b) return 0;
  const x = a.match(/\d+|\D+/g) ?? [];
  const y = b.match(/\d+|\D+/g) ?? [];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const p = x[i]!;
    const q = y[i]!;
    if (p === q) continue;
    const byNumber = /^\d/.test(p) && /^\d/.test(q) ? Number(p) - Number(q) : 0;
    if (byNumber !== 0) return byNumber;
    return p < q ? -1 : 1;
  }
  return x.length - y.length;
}
