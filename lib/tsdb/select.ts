import { type Matcher, type PlainPattern, sortUtf8 } from '../model/index.ts';
import type { LabelHints, Spend } from '../storage/index.ts';
import { intersect, intersects, unionDisjoint, without } from './postings.ts';

/**
 * What selecting needs of an index, be it of a block or of the head. Lists of refs ascend and may be views that the
 * source's next change makes invalid; '' is never a value.
 */
export interface PostingsSource {
  /** The refs of all series. @param spend is told of lists that have to be decoded */
  allPostings(spend?: Spend): Uint32Array;
  /** The series with a pair; empty when there is none. */
  postings(name: string, value: string, spend?: Spend): Uint32Array;
  /** How many values a label has, or more. */
  valueCount(name: string): number;
  /** The series with a value that is wanted. */
  postingsWhere(name: string, test: ValueTest, watch: Watch): Uint32Array;
  /** Those of `refs` whose value of a label, '' when they lack it, `accepts` takes. */
  filter(refs: Uint32Array, name: string, accepts: (value: string) => boolean): Uint32Array;
  /** Whether it gives all names and values sorted by UTF-8 bytes; else in any order. */
  readonly isSorted: boolean;
  /** Unique. */
  labelNames(): Iterable<string>;
  /** Unique. Of those that are sorted, only the first `limit` are needed. */
  labelValues(name: string, limit?: number): Iterable<string>;
  /** Of some series: the names they have, their values of a label. In any order, unique. */
  labelNamesOf(refs: Uint32Array): Iterable<string>;
  labelValuesOf(refs: Uint32Array, name: string): Iterable<string>;
}

/** Which values of a label are wanted. */
export interface ValueTest {
  /** What all of them begin with. */
  readonly prefix: string;
  readonly accepts: (value: string) => boolean;
  /** What `accepts` says of values in ASCII, or a part of it, when it is so plain. */
  readonly plain?: PlainTest | undefined;
}

/** Wanted is what one of the patterns matches, or (`isNegated`) none of them; if it is not exact, some of that. */
export interface PlainTest {
  readonly patterns: readonly PlainPattern[];
  readonly isNegated: boolean;
  readonly isExact: boolean;
}

/**
 * When so many times fewer series are left than a label has values, the series are looked at one by one instead of the
 * values: reading a series' labels costs about as much as looking at so many values.
 */
const VALUES_PER_SERIES = 8;
/** A signal is looked at once in so many values. */
const SIGNAL_INTERVAL = 1024;
/** What it costs to look at a value of a label, at a series' labels, and at a ref, as `Spend` counts. */
const VALUE_WORK = 16;
const SERIES_WORK = 64;
const REF_WORK = 2;
/** Steps of a regex for each character of a text and of its pattern: so many states may be alive. */
const REGEX_WORK = 2;

/** What stops a selection. */
export type Watch = Pick<LabelHints, 'signal' | 'spend'>;

/**
 * Sorted refs of the series that all matchers match (tsdb/querier.go, `PostingsForMatchers`). A matcher that matches ''
 * also selects series without the label, so it is answered by taking away those it does not match. What can be looked
 * up goes first; a regex over many values may then have few series left to look at.
 * @returns a list, maybe one of the source's own
 * @throws the signal's reason when it is aborted
 */
export function selectPostings(source: PostingsSource, matchers: readonly Matcher[], watch: Watch = {}): Uint32Array {
  const { signal, spend } = watch;
  signal?.throwIfAborted();
  const terms = matchers.filter((matcher) => !isAlwaysTrue(matcher)).map(termOf);
  let refs: Uint32Array | undefined;
  for (const { name, values, excludes } of terms) {
    if (values === undefined || excludes) continue;
    const list = unionOf(source, name, values, spend);
    spend?.(REF_WORK * Math.min(list.length, refs?.length ?? 0));
    refs = refs === undefined ? list : intersect(refs, list);
    if (refs.length === 0) return refs;
  }
  const rest = terms.filter(({ values, excludes }) => values === undefined || excludes);
  // Those that must be matched before those that take away, which need something to take from.
  for (const term of rest.sort((a, b) => Number(a.excludes) - Number(b.excludes))) {
    if (refs?.length === 0) return refs;
    refs = narrow(source, refs, term, watch);
  }
  return refs ?? source.allPostings(spend);
}

/** The series that have one of some values. */
function unionOf(
  source: PostingsSource,
  name: string,
  values: readonly string[],
  spend: Spend | undefined,
): Uint32Array {
  const lists = values.map((value) => {
    spend?.(SERIES_WORK);
    return source.postings(name, value, spend);
  });
  return unionDisjoint(lists, spend);
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
  watch: Watch,
): Uint32Array {
  const { spend } = watch;
  if (values !== undefined) {
    const base = refs ?? source.allPostings(spend);
    spend?.(REF_WORK * base.length);
    return without(base, unionOf(source, name, values, spend));
  }
  const accepts = watched([matcher], watch);
  const valueCount = source.valueCount(name);
  if (refs !== undefined && refs.length * VALUES_PER_SERIES < valueCount) {
    spend?.(SERIES_WORK * refs.length);
    return source.filter(refs, name, accepts);
  }
  spend?.(VALUE_WORK * valueCount);
  if (excludes) {
    const base = refs ?? source.allPostings(spend);
    spend?.(REF_WORK * base.length);
    const refused = { prefix: '', accepts: (value: string) => !accepts(value), plain: plainTest(matcher, false) };
    return without(base, source.postingsWhere(name, refused, watch));
  }
  const prefix = matcher.type === '=~' ? matcher.prefix : '';
  const list = source.postingsWhere(name, { prefix, accepts, plain: plainTest(matcher, true) }, watch);
  spend?.(REF_WORK * Math.min(list.length, refs?.length ?? 0));
  return refs === undefined ? list : intersect(refs, list);
}

/** Which values a matcher matches, or does not, where plain patterns say it. */
function plainTest({ plain, needed, type }: Matcher, matches: boolean): PlainTest | undefined {
  const isNegated = (type === '=~') !== matches;
  if (plain !== undefined) return { patterns: plain, isNegated, isExact: true };
  return needed === undefined || isNegated ? undefined : { patterns: [needed], isNegated, isExact: false };
}

/** The names of all labels, or of those on matching series. Sorted, at most `hints.limit`. */
export function selectLabelNames(source: PostingsSource, hints: LabelHints, matchers: readonly Matcher[]): string[] {
  if (matchers.length === 0) return limited(source.labelNames(), hints, source.isSorted);
  const refs = selectPostings(source, matchers, hints);
  hints.spend?.(SERIES_WORK * refs.length);
  return limited(source.labelNamesOf(refs), hints);
}

/** The values of a label, or those on matching series (tsdb/querier.go, `labelValuesWithMatchers`). As above. */
export function selectLabelValues(
  source: PostingsSource,
  name: string,
  hints: LabelHints,
  matchers: readonly Matcher[],
): string[] {
  const { signal, spend } = hints;
  signal?.throwIfAborted();
  const valueCount = source.valueCount(name);
  const own = matchers.filter((matcher) => matcher.name === name);
  if (own.length === matchers.length) {
    const most = source.isSorted && own.length === 0 && hints.limit ? hints.limit : Infinity;
    spend?.(VALUE_WORK * Math.min(valueCount, most));
    const values = source.labelValues(name, most);
    return limited(own.length === 0 ? values : [...values].filter(watched(own, hints)), hints, source.isSorted);
  }
  const refs = selectPostings(source, matchers, hints);
  if (refs.length <= valueCount * VALUES_PER_SERIES) {
    spend?.(SERIES_WORK * refs.length);
    return limited(source.labelValuesOf(refs, name), hints);
  }
  spend?.(VALUE_WORK * valueCount);
  const found: string[] = [];
  const wanted = watched(own, hints);
  for (const value of source.labelValues(name)) {
    if (!wanted(value)) continue;
    const list = source.postings(name, value, spend);
    spend?.(REF_WORK * Math.min(list.length, refs.length));
    if (intersects(list, refs)) found.push(value);
  }
  return limited(found, hints, source.isSorted);
}

function limited(values: Iterable<string>, hints: LabelHints, isSorted = false): string[] {
  hints.signal?.throwIfAborted();
  const sorted = [...values];
  if (!isSorted) sortUtf8(sorted);
  const limit = hints.limit ?? 0;
  return limit > 0 && sorted.length > limit ? sorted.slice(0, limit) : sorted;
}

/** Whether all of the matchers match. */
function watched(matchers: readonly Matcher[], { signal, spend }: Watch): (value: string) => boolean {
  let calls = 0;
  const accepts = (value: string): boolean => {
    if (signal !== undefined && ++calls % SIGNAL_INTERVAL === 0) signal.throwIfAborted();
    return matchers.every((matcher) => matcher.matches(value));
  };
  if (spend === undefined) return accepts;
  // What is no regex has a short one here.
  const patterns = matchers.reduce((sum, { type, value }) => sum + (type.endsWith('~') ? value.length : 1), 0);
  return (value) => {
    spend(REGEX_WORK * patterns * (value.length + 1));
    return accepts(value);
  };
}
