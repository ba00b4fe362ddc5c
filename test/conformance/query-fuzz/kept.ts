import { readFileSync } from 'node:fs';
import type { QueryTwins } from '../../tools/query-twins.ts';
import { START_MS } from './data.ts';
import { difference } from './fuzz.ts';

/** A query that ours once answered otherwise than Prometheus. */
export interface KeptQuery {
  readonly query: string;
  /** ms from the first scrape. */
  readonly start: number;
  readonly end: number;
  /** ms; 0: an instant query. */
  readonly step: number;
  /** Why ours still answers otherwise. */
  readonly differs?: string;
}

export function keptQueries(): KeptQuery[] {
  return JSON.parse(readFileSync(new URL('kept.json', import.meta.url), 'utf8')) as KeptQuery[];
}

/** Asks all of them. @returns each with how the answers differ, undefined where they do not */
export async function keptDifferences(
  twins: QueryTwins,
): Promise<{ query: string; difference: string | undefined }[]> {
  const out = [];
  for (const { query, start, end, step } of keptQueries()) {
    const asked = { query, startMs: START_MS + start, endMs: START_MS + end, stepMs: step };
    out.push({ query, difference: await difference(twins, asked) });
  }
  return out;
}
