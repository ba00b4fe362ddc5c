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

function keptQueries(): KeptQuery[] {
  return JSON.parse(readFileSync(new URL('kept.json', import.meta.url), 'utf8')) as KeptQuery[];
}

export interface KeptOutcome {
  readonly kept: KeptQuery;
  /** How the answers differ now, if they do. */
  readonly difference: string | undefined;
}

/** Asks all of them. */
export async function keptDifferences(twins: QueryTwins): Promise<KeptOutcome[]> {
  const out: KeptOutcome[] = [];
  for (const kept of keptQueries()) {
    const { query, start, end, step } = kept;
    const asked = { query, startMs: START_MS + start, endMs: START_MS + end, stepMs: step };
    out.push({ kept, difference: await difference(twins, asked) });
  }
  return out;
}
