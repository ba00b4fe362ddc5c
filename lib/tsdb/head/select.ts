import type { Matcher } from '../../model/index.ts';
import { ALL_SERIES, type LabelIndex } from './label-index.ts';
import { intersect, unionDisjoint, without } from './postings.ts';

/**
 * Sorted refs of the series that all matchers match; PostingsForMatchers of tsdb/querier.go. A matcher that matches ''
 * also selects series without the label, so it is answered by taking away those it does not match.
 */
export function selectPostings(index: LabelIndex, matchers: readonly Matcher[]): Uint32Array {
  // Copied: a view of the index would not outlive the next new series.
  if (matchers.length === 0) return index.postings(ALL_SERIES).slice();
  const required: Uint32Array[] = [];
  const excluded: Uint32Array[] = [];
  for (const matcher of matchers) {
    if (matcher.matchesEmpty) {
      const list = postingsWhere(index, matcher, false);
      if (list.length > 0) excluded.push(list);
    } else {
      const list = postingsWhere(index, matcher, true);
      if (list.length === 0) return list;
      required.push(list);
    }
  }
  required.sort((a, b) => a.length - b.length);
  let out = required[0] ?? index.postings(ALL_SERIES);
  for (let i = 1; i < required.length; i++) out = intersect(out, required[i]!);
  for (const list of excluded) out = without(out, list);
  return out.slice();
}

/** Series that have the label with a value that the matcher matches, or (`matching` false) does not match. */
function postingsWhere(index: LabelIndex, matcher: Matcher, matching: boolean): Uint32Array {
  const values = index.values(matcher.name);
  if (values === undefined) return new Uint32Array(0);
  // The values in question are the few that are named: `=`, `=~` of a set when matching; `!=`, `!~` of a set when not.
  const positive = matcher.type === '=' || matcher.type === '=~';
  if (positive === matching) {
    const named = matcher.type === '=' || matcher.type === '!=' ? [matcher.value] : matcher.setMatches;
    if (named !== undefined) {
      const lists: Uint32Array[] = [];
      for (const value of named) {
        const id = values.get(value);
        if (id !== undefined) lists.push(index.postings(id));
      }
      return unionDisjoint(lists);
    }
  }
  const lists: Uint32Array[] = [];
  for (const [value, id] of values) if (matcher.matches(value) === matching) lists.push(index.postings(id));
  return unionDisjoint(lists);
}
