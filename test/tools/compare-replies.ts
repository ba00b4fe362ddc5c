import { isDeepStrictEqual } from 'node:util';
import type { Reply, ReplyHistogram, ReplySeries } from './query-twins.ts';

export interface CompareOptions {
  /** Relative difference of two numbers that are the same. */
  readonly tolerance: number;
  /** How much of the order of a vector is told: nothing, its values (equal ones may change places), or everything. */
  readonly order: 'none' | 'values' | 'all';
  /** Texts of errors, warnings and infos. */
  readonly texts: boolean;
}

/** In ranges Prometheus adds up the samples of this note anew at each step, so that they double until they overflow. */
const MONOTONICITY_COUNT = / over -?\d+ samples from /;
/** More of a kind are not told, and which are is up to chance. */
const MAX_ANNOTATIONS = 10;
const MAX_SHOWN = 300;

/** @returns how two answers differ, beginning with the kind of the difference and a colon; undefined when they do not */
export function differenceOf(ours: Reply, theirs: Reply, options: CompareOptions): string | undefined {
  if (theirs.status === 'error' || ours.status === 'error') {
    if (ours.status !== theirs.status) return `status: ours ${shown(errorOf(ours))}, theirs ${shown(errorOf(theirs))}`;
    if (ours.errorType === theirs.errorType && (!options.texts || ours.error === theirs.error)) return undefined;
    return `error: ours ${shown(errorOf(ours))}, theirs ${shown(errorOf(theirs))}`;
  }
  return dataDifference(ours, theirs, options) ?? (options.texts ? annotationDifference(ours, theirs) : undefined);
}

function errorOf(reply: Reply): unknown {
  return reply.status === 'success' ? reply.data : `${reply.errorType}: ${reply.error}`;
}

function dataDifference(ours: Reply, theirs: Reply, options: CompareOptions): string | undefined {
  const [a, b] = [ours.data!, theirs.data!];
  if (a.resultType !== b.resultType) return `type: ours ${a.resultType}, theirs ${b.resultType}`;
  if (a.resultType === 'scalar' || a.resultType === 'string') {
    const [[timeA, textA], [timeB, textB]] = [a.result, b.result as readonly [number, string]];
    const same = timeA === timeB && (a.resultType === 'string' ? textA === textB : isSame(textA, textB, options));
    return same ? undefined : `value: ours ${shown(a.result)}, theirs ${shown(b.result)}`;
  }
  return seriesDifference(a.result as readonly ReplySeries[], b.result as readonly ReplySeries[], options);
}

function seriesDifference(
  ours: readonly ReplySeries[],
  theirs: readonly ReplySeries[],
  options: CompareOptions,
): string | undefined {
  const [mine, their] = [byLabels(ours), byLabels(theirs)];
  if (mine.size !== ours.length) return `labels: ours holds a label set twice: ${shown(ours)}`;
  for (const [key, series] of their) {
    const own = mine.get(key);
    if (own === undefined) return `labels: ours lacks ${key}: ${shown(series)}; it has ${shown([...mine.keys()])}`;
    const difference = pointsDifference(own, series, options);
    if (difference !== undefined) return `value: ${key} ${difference}`;
  }
  for (const key of mine.keys()) if (!their.has(key)) return `labels: theirs lacks ${key}: ${shown(mine.get(key))}`;
  if (options.order === 'none') return undefined;
  const inOrder = theirs.every((series, i) => {
    const own = ours[i]!;
    if (options.order === 'all') return keyOf(own) === keyOf(series);
    return pointsDifference(own, series, options) === undefined;
  });
  return inOrder ? undefined : `order: ours ${shown(ours.map(keyOf))}, theirs ${shown(theirs.map(keyOf))}`;
}

function byLabels(list: readonly ReplySeries[]): Map<string, ReplySeries> {
  return new Map(list.map((series) => [keyOf(series), series]));
}

function keyOf({ metric }: ReplySeries): string {
  return JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function pointsDifference(ours: ReplySeries, theirs: ReplySeries, options: CompareOptions): string | undefined {
  const [a, b] = [pointsOf(ours), pointsOf(theirs)];
  for (const [time, value] of b) {
    if (!a.has(time)) return `at ${time}: ours none, theirs ${shown(value)}`;
    if (!isSamePoint(a.get(time)!, value, options)) {
      return `at ${time}: ours ${shown(a.get(time))}, theirs ${shown(value)}`;
    }
  }
  for (const [time, value] of a) if (!b.has(time)) return `at ${time}: ours ${shown(value)}, theirs none`;
  return undefined;
}

function pointsOf({ value, values, histogram, histograms }: ReplySeries): Map<number, string | ReplyHistogram> {
  const lists = [value && [value], values, histogram && [histogram], histograms];
  return new Map(lists.flatMap((list) => (list as readonly (readonly [number, string | ReplyHistogram])[]) ?? []));
}

function isSamePoint(a: string | ReplyHistogram, b: string | ReplyHistogram, options: CompareOptions): boolean {
  if (typeof a === 'string' || typeof b === 'string') {
    return typeof a === 'string' && typeof b === 'string' && isSame(a, b, options);
  }
  const [listA, listB] = [a.buckets ?? [], b.buckets ?? []];
  if (!isSame(a.count, b.count, options) || !isSame(a.sum, b.sum, options) || listA.length !== listB.length)
    return false;
  return listB.every((bucket, i) => bucket.every((part, j) => isSame(String(listA[i]![j]), String(part), options)));
}

/** The texts of two numbers. */
function isSame(a: string, b: string, { tolerance }: CompareOptions): boolean {
  if (a === b) return true;
  const [x, y] = [toNumber(a), toNumber(b)];
  if (x === y || (x !== x && y !== y)) return true;
  return Math.abs(x - y) <= tolerance * Math.max(Math.abs(x), Math.abs(y)) && Number.isFinite(x - y);
}

function toNumber(text: string): number {
  return text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);
}

function annotationDifference(ours: Reply, theirs: Reply): string | undefined {
  for (const kind of ['warnings', 'infos'] as const) {
    const [a, b] = [notesOf(ours[kind]), notesOf(theirs[kind])];
    if (a.length > MAX_ANNOTATIONS && b.length > MAX_ANNOTATIONS) continue;
    if (!isDeepStrictEqual(a, b)) return `${kind}: ours ${shown(a)}, theirs ${shown(b)}`;
  }
  return undefined;
}

function notesOf(notes: readonly string[] = []): string[] {
  return notes.map((note) => note.replace(MONOTONICITY_COUNT, ' over … samples from ')).sort();
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
