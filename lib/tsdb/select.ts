import { compareUtf8, type Matcher } from '../model/index.ts';
import type { LabelHints } from '../storage/index.ts';
import { intersect, unionDisjoint, without } from './postings.ts';

/**
 * What selecting needs of an index, be it of a block or of the head. Lists of refs ascend and may be views that the
 * source's next change makes invalid; '' is never a value.
 */
export interface PostingsSource {
  /** The refs of all series. */
  allPostings(): Uint32Array;
  /** The series with a pair; empty when there is none. */
  postings(name: string, value: string): Uint32Array;
  /** How many values a label has, or more. */
  valueCount(name: string): number;
  /** Of each value that begins with `prefix` and that `accepts` takes, its series. */
  postingsWhere(name: string, prefix: string, accepts: (value: string) => boolean): Uint32Array[];
  /** Those of `refs` whose value of a label, '' when they lack it, `accepts` takes. */
  filter(refs: Uint32Array, name: string, accepts: (value: string) => boolean): Uint32Array;
  /** In any order, unique. */
  labelNames(): Iterable<string>;
  labelValues(name: string): Iterable<string>;
  /** Of some series: the names they have, their values of a label. In any order, unique. */
  labelNamesOf(refs: Uint32Array): Iterable<string>;
  labelValuesOf(refs: Uint32Array, name: string): Iterable<string>;
}

/**
 * When so many times fewer series are left than a label has values, the series are looked at one by one instead of the
 * values: reading a series' labels costs about as much as looking at so many values.
 */
const VALUES_PER_SERIES = 8;
/** A signal is looked at once in so many values. */
const SIGNAL_INTERVAL = 1024;

/**
 * Sorted refs of the series that all matchers match (tsdb/querier.go, `PostingsForMatchers`). A matcher that matches ''
 * also selects series without the label, so it is answered by taking away those it does not match. What can be looked
 * up goes first; a regex over many values may then have few series left to look at.
 * @returns a list, maybe one of the source's own
 * @throws the signal's reason when it is aborted
 */
export function selectPostings(
  source: PostingsSource,
  matchers: readonly Matcher[],
  signal?: AbortSignal,
): Uint32Array {
  signal?.throwIfAborted();
  const terms = matchers.filter((matcher) => !isAlwaysTrue(matcher)).map(termOf);
  let refs: Uint32Array | undefined;
  for (const { name, values, excludes } of terms) {
    if (values === undefined || excludes) continue;
    const list = unionDisjoint(values.map((value) => source.postings(name, value)));
    refs = refs === undefined ? list : intersect(refs, list);
    if (refs.length === 0) return refs;
  }
  const rest = terms.filter(({ values, excludes }) => values === undefined || excludes);
  // Those that must be matched before those that take away, which need something to take from.
  for (const term of rest.sort((a, b) => Number(a.excludes) - Number(b.excludes))) {
    if (refs?.length === 0) return refs;
    refs = narrow(source, refs, term, signal);
  }
  return refs ?? source.allPostings();
}

/** One matcher, seen as a set of values whose series are wanted or (`excludes`) are to be taken away. */
interface Term {
  readonly name: string;
  readonly matcher: Matcher;
  /** The values of the set when they are few and known. */
  readonly values: readonly string[] | undefined;
  readonly excludes: boolean;
}

function termOf(matcher: Matcher): Term {
  const excludes = matcher.matchesEmpty;
  const { name } = matcher;
  const positive = matcher.type === '=' || matcher.type === '=~';
  // The set is what a positive matcher names when it is wanted, what a negative one names when it is taken away.
  if (positive === excludes) return { name, matcher, values: undefined, excludes };
  const named = matcher.type === '=' || matcher.type === '!=' ? [matcher.value] : matcher.setMatches;
  return { name, matcher, values: named?.filter((value) => value !== ''), excludes };
}

function isAlwaysTrue(matcher: Matcher): boolean {
  return matcher.type === '=~' && matcher.value === '.*';
}

/** Applies a term to the series found so far, or to all. */
function narrow(
  source: PostingsSource,
  refs: Uint32Array | undefined,
  { name, matcher, values, excludes }: Term,
  signal: AbortSignal | undefined,
): Uint32Array {
  if (values !== undefined) {
    const base = refs ?? source.allPostings();
    return without(base, unionDisjoint(values.map((value) => source.postings(name, value))));
  }
  const accepts = watched((value) => matcher.matches(value), signal);
  if (refs !== undefined && refs.length * VALUES_PER_SERIES < source.valueCount(name)) {
    return source.filter(refs, name, accepts);
  }
  if (excludes) {
    const base = refs ?? source.allPostings();
    return without(base, unionDisjoint(source.postingsWhere(name, '', (value) => !accepts(value))));
  }
  const prefix = matcher.type === '=~' ? matcher.prefix : '';
  const list = unionDisjoint(source.postingsWhere(name, prefix, accepts));
  return refs === undefined ? list : intersect(refs, list);
}

/** The names of all labels, or of those on matching series. Sorted, at most `hints.limit`. */
export function selectLabelNames(source: PostingsSource, hints: LabelHints, matchers: readonly Matcher[]): string[] {
  const names =
    matchers.length === 0 ? source.labelNames() : source.labelNamesOf(selectPostings(source, matchers, hints.signal));
  return limited(names, hints);
}

/** The values of a label, or those on matching series (tsdb/querier.go, `labelValuesWithMatchers`). As above. */
export function selectLabelValues(
  source: PostingsSource,
  name: string,
  hints: LabelHints,
  matchers: readonly Matcher[],
): string[] {
  hints.signal?.throwIfAborted();
  if (matchers.length === 0) return limited(source.labelValues(name), hints);
  const own = matchers.filter((matcher) => matcher.name === name);
  const accepts = (value: string): boolean => own.every((matcher) => matcher.matches(value));
  if (own.length === matchers.length) return limited([...source.labelValues(name)].filter(accepts), hints);
  const refs = selectPostings(source, matchers, hints.signal);
  if (refs.length <= source.valueCount(name) * VALUES_PER_SERIES) {
    return limited(source.labelValuesOf(refs, name), hints);
  }
  const found: string[] = [];
  const wanted = watched(accepts, hints.signal);
  for (const value of source.labelValues(name)) {
    if (wanted(value) && intersect(source.postings(name, value), refs).length > 0) found.push(value);
  }
  return limited(found, hints);
}

function limited(values: Iterable<string>, hints: LabelHints): string[] {
  hints.signal?.throwIfAborted();
  const sorted = [...values].sort(compareUtf8);
  const limit = hints.limit ?? 0;
  return limit > 0 && sorted.length > limit ? sorted.slice(0, limit) : sorted;
}

function watched(accepts: (value: string) => boolean, signal: AbortSignal | undefined): (value: string) => boolean {
  if (signal === undefined) return accepts;
  let calls = 0;
  return (value) => {
    if (++calls % SIGNAL_INTERVAL === 0) signal.throwIfAborted();
    return accepts(value);
  };
}
