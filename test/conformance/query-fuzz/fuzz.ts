import type { PromqlFeatures } from '../../../lib/promql/index.ts';
import { type CompareOptions, differenceOf } from '../../tools/compare-replies.ts';
import { type AskedQuery, QueryTwins, type Reply } from '../../tools/query-twins.ts';
import { fuzzScrapes } from './data.ts';
import { generateQuery } from './generator.ts';
import { type Node, printNode, smallerNodes } from './node.ts';

export const FEATURES: PromqlFeatures = {
  experimentalFunctions: true,
  durationExpressions: true,
  extendedRangeSelectors: true,
  fillModifiers: true,
};

/** Queries under way at a time. */
const CONCURRENCY = 4;
/** One of two answers comes so often in turn by chance once in 10^30 times. */
const ASKED_AGAIN = 100;
const MAX_SHRINKS = 400;
const TOLERANCE = 1e-9;

export function startFuzzTwins(program: string, features = FEATURES): Promise<QueryTwins> {
  return QueryTwins.start({ program, commits: fuzzScrapes(), features });
}

export interface Finding {
  readonly seed: number;
  /** The smallest query that differs in the same way. */
  readonly asked: AskedQuery;
  readonly difference: string;
}

export interface FuzzReport {
  readonly findings: readonly Finding[];
  /** How many of the answers were errors, or held no series. */
  readonly errors: number;
  readonly empty: number;
}

/** How ours differs from Prometheus, if it does. */
export async function difference(twins: QueryTwins, asked: AskedQuery): Promise<string | undefined> {
  return (await ask(twins, asked)).found;
}

/** Asks the queries of `count` seeds from `seed` on. */
export async function fuzz(
  twins: QueryTwins,
  { seed: firstSeed, count, onFinding }: { seed: number; count: number; onFinding?: (finding: Finding) => void },
): Promise<FuzzReport> {
  const findings: Finding[] = [];
  let [next, errors, empty] = [firstSeed, 0, 0];
  const work = async (): Promise<void> => {
    while (next < firstSeed + count) {
      const seed = next++;
      const { node, times } = generateQuery(seed);
      const { found, theirs } = await ask(twins, { query: printNode(node), ...times });
      if (theirs.status === 'error') errors++;
      else if (theirs.data!.result.length === 0) empty++;
      if (found === undefined) continue;
      const finding = { seed, ...(await shrink(twins, node, times, found)) };
      findings.push(finding);
      onFinding?.(finding);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  findings.sort((a, b) => a.seed - b.seed);
  return { findings, errors, empty };
}

async function ask(twins: QueryTwins, asked: AskedQuery): Promise<{ found: string | undefined; theirs: Reply }> {
  const [theirs, ours] = await Promise.all([twins.theirs(asked), oursOrBug(twins, asked)]);
  const options = optionsFor(asked, theirs);
  const found = typeof ours === 'string' ? ours : differenceOf(ours, theirs, options);
  if (found === undefined) return { found, theirs };
  // Some answers follow the order in which Go walks a map: they count when Prometheus gives the same each time.
  for (let i = 0; i < ASKED_AGAIN; i++) {
    if (differenceOf(await twins.theirs(asked), theirs, options) !== undefined) return { found: undefined, theirs };
  }
  const isUncertain = INEXACT.test(asked.query) && (await difference(twins, withExactFunctions(asked))) === undefined;
  return { found: isUncertain ? undefined : found, theirs };
}

/** Go and JavaScript differ in the last bit of these, and what is done with it may make any difference of that. */
const INEXACT = /\b(?:a?(?:sin|cos|tan)h?|exp|ln|log2|log10)\(| \^ | atan2 /;

/** The same query without them: when it differs no more, they were the reason. */
function withExactFunctions(asked: AskedQuery): AskedQuery {
  const query = asked.query
    .replaceAll(/\b(?:a?(?:sin|cos|tan)h?|exp|ln|log2|log10)\(/g, 'abs(')
    .replaceAll(/ (?:\^|atan2) /g, ' + ');
  return { ...asked, query };
}

async function oursOrBug(twins: QueryTwins, asked: AskedQuery): Promise<Reply | string> {
  try {
    return await twins.ours(asked);
  } catch (error) {
    return `bug: ${error instanceof Error ? error.stack : String(error)}`;
  }
}

/** Of instant queries some have an order: sorted by value, where equal ones may change places, or by labels. */
function optionsFor({ query, stepMs }: AskedQuery, theirs: Reply): CompareOptions {
  const byValue = stepMs === 0 && /^(sort|sort_desc|topk|bottomk) ?\(/.test(query);
  const byLabel = stepMs === 0 && query.startsWith('sort_by_label') && haveSortLabels(query, theirs);
  // What follows the call may lose the order again.
  const order = !closesAtEnd(query) ? 'none' : byLabel ? 'all' : byValue ? 'values' : 'none';
  return { tolerance: TOLERANCE, order, texts: true };
}

/** Prometheus's order is none where a label is missing: then '' is below some values and neither below nor above others. */
function haveSortLabels(query: string, { data }: Reply): boolean {
  const names = Array.from(query.matchAll(/"(\w+)"(?=(?:, "\w+")*\)$)/g), (match) => match[1]!);
  return data?.resultType === 'vector' && data.result.every(({ metric }) => names.every((name) => name in metric));
}

/** Whether the bracket that opens first closes at the end. */
function closesAtEnd(query: string): boolean {
  let depth = 0;
  for (let i = 0; i < query.length; i++) {
    if (query[i] === '(') depth++;
    else if (query[i] === ')' && --depth === 0) return i === query.length - 1;
  }
  return false;
}

/** The smallest query that differs in the same way (what stands before the first colon). */
async function shrink(
  twins: QueryTwins,
  root: Node,
  rootTimes: Omit<AskedQuery, 'query'>,
  found: string,
): Promise<Omit<Finding, 'seed'>> {
  let [node, times, told] = [root, rootTimes, found];
  const kind = kindOf(found);
  let attempts = 0;
  const attempt = async (smaller: Node, smallerTimes: typeof times): Promise<boolean> => {
    if (++attempts > MAX_SHRINKS) return false;
    const again = await difference(twins, { query: printNode(smaller), ...smallerTimes });
    if (again === undefined || kindOf(again) !== kind) return false;
    [node, times, told] = [smaller, smallerTimes, again];
    return true;
  };
  search: for (;;) {
    for (const smaller of smallerTimes(times)) if (await attempt(node, smaller)) continue search;
    for (const smaller of smallerNodes(node)) if (await attempt(smaller, times)) continue search;
    break;
  }
  return { asked: { query: printNode(node), ...times }, difference: told };
}

function kindOf(told: string): string {
  return told.slice(0, told.indexOf(':'));
}

function smallerTimes({ startMs, endMs, stepMs }: Omit<AskedQuery, 'query'>): Omit<AskedQuery, 'query'>[] {
  if (stepMs === 0) return [];
  const steps = Math.floor((endMs - startMs) / stepMs);
  const instant = (step: number): Omit<AskedQuery, 'query'> => {
    const timeMs = startMs + step * stepMs;
    return { startMs: timeMs, endMs: timeMs, stepMs: 0 };
  };
  if (steps === 0) return [instant(0)];
  const half = startMs + Math.floor(steps / 2) * stepMs;
  return [instant(0), instant(steps), { startMs, endMs: half, stepMs }, { startMs: half, endMs, stepMs }];
}
