import { differenceOf } from '../../tools/compare-replies.ts';
import { QueryTwins } from '../../tools/query-twins.ts';
import { DEMO_START_MS, demoScrapes } from './demo-data.ts';
import { complianceQueries } from './queries.ts';

const MINUTE_MS = 60_000;
/** The longest range reaches back an hour; offsets ten minutes back and ahead. */
const HISTORY_MS = 72 * MINUTE_MS;
/** As the origin asks: ten minutes in steps of ten seconds. */
const RANGE = { startMs: DEMO_START_MS + HISTORY_MS, endMs: DEMO_START_MS + HISTORY_MS + 10 * MINUTE_MS, stepMs: 10_000 };
/** As the origin compares: numbers to 1e-5, no texts. */
const COMPARE = { tolerance: 1e-5, order: 'none', texts: false } as const;

export interface ComplianceOutcome {
  readonly query: string;
  /** Undefined when both answer the same. */
  readonly difference: string | undefined;
  /** For how many series there was an answer. */
  readonly seriesCount: number;
}

/** Asks all queries of the compliance test of Prometheus (its path is `program`) and of ours. */
export async function runCompliance(program: string): Promise<ComplianceOutcome[]> {
  const commits = demoScrapes(HISTORY_MS + 22 * MINUTE_MS);
  const twins = await QueryTwins.start({ program, commits, features: {} });
  try {
    const outcomes: ComplianceOutcome[] = [];
    // What should fail as the origin says does not all do so since label names are UTF-8: Prometheus decides.
    for (const { query } of complianceQueries()) {
      const asked = { query, ...RANGE };
      const [theirs, ours] = await Promise.all([twins.theirs(asked), twins.ours(asked)]);
      const seriesCount = theirs.data?.result.length ?? 0;
      outcomes.push({ query, difference: differenceOf(ours, theirs, COMPARE), seriesCount });
    }
    return outcomes;
  } finally {
    await twins.stop();
  }
}
