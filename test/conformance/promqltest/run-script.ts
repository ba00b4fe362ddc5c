import { errorMessage } from '../../../lib/model/index.ts';
import { Engine, ParseError, parseExpr, type QueryResult, type QueryValue } from '../../../lib/promql/index.ts';
import type { Queryable } from '../../../lib/storage/index.ts';
import { divided, localHelp, type PartTally } from '../../tools/shards.ts';
import { atVariants } from './at-variants.ts';
import { compare, Mismatch } from './compare.ts';
import { MemoryStorage } from './memory-storage.ts';
import { nativeFromClassic } from './native-from-classic.ts';
import { type EvalCommand, type Expectation, type LoadCommand, parseScript } from './script.ts';
import { parseSeriesDescription, type SeriesDescription } from './series-description.ts';
import { parseStartTimes, type StartTimes } from './start-times.ts';

const FEATURES = {
  experimentalFunctions: true,
  durationExpressions: true,
  extendedRangeSelectors: true,
  fillModifiers: true,
  delayedNameRemoval: true,
  startTimes: true,
};
/** Queries whose meaning depends on the range they run over: not repeated as range queries. */
const CONTEXT_FUNCTIONS = /(start|end|range|step)\(\)/;

export interface Outcome {
  readonly line: number;
  readonly query: string;
  /** undefined: passed. */
  readonly failure: string | undefined;
}

export interface ScriptOptions {
  /** In how many parts aggregations are computed, those that can be. */
  readonly shards?: number;
  readonly tally?: PartTally;
}

/** Answers the queries of a script. */
interface Answering {
  instant(storage: Queryable, query: string, timeMs: number): Promise<QueryResult>;
  range(storage: Queryable, query: string, startMs: number, endMs: number, stepMs: number): Promise<QueryResult>;
}

/** Runs a script of `promqltest`; one outcome per evaluation. @throws Error for a script that cannot be read */
export async function runScript(text: string, { shards = 1, tally }: ScriptOptions = {}): Promise<Outcome[]> {
  const whole = new Engine({ features: FEATURES, maxSamples: 1_000_000, timeoutMs: 100_000 });
  const engine = shards === 1 ? whole : inParts(whole, shards, tally);
  let storage = new MemoryStorage();
  let brokenLoad: string | undefined;
  const outcomes: Outcome[] = [];
  for (const command of parseScript(text)) {
    if (command.kind === 'clear') {
      storage = new MemoryStorage();
      brokenLoad = undefined;
    } else if (command.kind === 'load') {
      try {
        load(command, storage);
      } catch (error) {
        brokenLoad = `data of line ${command.line} not loaded: ${errorMessage(error)}`;
      }
    } else {
      const failure = brokenLoad ?? (await failureOf(() => runEval(command, engine, storage)));
      outcomes.push({ line: command.line, query: command.query, failure });
    }
  }
  return outcomes;
}

function inParts(engine: Engine, shards: number, tally: PartTally | undefined): Answering {
  const withHelp = (storage: Queryable): [Queryable, object] => {
    const parts = divided(storage, shards, tally);
    return [parts, { assistants: localHelp(engine, parts, shards - 1, { tally }) }];
  };
  return {
    instant(storage, query, timeMs) {
      const [parts, options] = withHelp(storage);
      return engine.instant(parts, query, timeMs, options);
    },
    range(storage, query, startMs, endMs, stepMs) {
      const [parts, options] = withHelp(storage);
      return engine.range(parts, query, startMs, endMs, stepMs, options);
    },
  };
}

async function failureOf(run: () => Promise<void>): Promise<string | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    return error instanceof Mismatch ? error.message : `error: ${errorMessage(error)}`;
  }
}

function load(command: LoadCommand, storage: MemoryStorage): void {
  const descriptions = [];
  let starts: StartTimes | undefined;
  for (const line of command.series) {
    const startTimes = parseStartTimes(line);
    if (startTimes !== undefined) {
      if (starts !== undefined) throw new Error('a line of start times has no samples behind it');
      starts = startTimes;
      continue;
    }
    const description = parseSeriesDescription(line);
    descriptions.push(description);
    const { labels, values } = description;
    if (starts !== undefined && (!starts.labels.equals(labels) || starts.offsetsMs.length !== values.length)) {
      throw new Error(`start times and samples of ${labels.toString()} do not fit`);
    }
    append({ ...description, ...starts }, command.stepMs, storage);
    starts = undefined;
  }
  if (starts !== undefined) throw new Error('a line of start times has no samples behind it');
  if (!command.withNativeHistograms) return;
  for (const native of nativeFromClassic(descriptions)) append(native, command.stepMs, storage);
}

function append(series: SeriesDescription & Partial<StartTimes>, stepMs: number, storage: MemoryStorage): void {
  for (const [i, value] of series.values.entries()) {
    if (value === undefined) continue;
    const timeMs = i * stepMs;
    const offsetMs = series.offsetsMs?.[i];
    const startMs = offsetMs === undefined ? 0 : timeMs + offsetMs;
    if (typeof value === 'number') storage.add(series.labels, timeMs, value, undefined, startMs);
    else storage.add(series.labels, timeMs, NaN, value, startMs);
  }
}

async function runEval(command: EvalCommand, engine: Answering, storage: MemoryStorage): Promise<void> {
  const { query, startMs, endMs, stepMs } = command;
  if (stepMs > 0) {
    const result = await outcomeOf(command, () => engine.range(storage, query, startMs, endMs, stepMs));
    if (result !== undefined) compare(command, result.value, { startMs, endMs, stepMs }, has(command, 'ordered'));
    return;
  }
  const evalMs = command.rangeVector?.endMs ?? startMs;
  await runInstant(command, query, evalMs, engine, storage);
  const variants = variantsOf(query, evalMs);
  for (const timeMs of variants?.timesMs ?? []) await runInstant(command, variants!.query, timeMs, engine, storage);
}

/** None for what is no query: that it fails has been expected. */
function variantsOf(query: string, evalMs: number): ReturnType<typeof atVariants> {
  try {
    return atVariants(parseExpr(query, FEATURES), evalMs);
  } catch (error) {
    if (error instanceof ParseError) return undefined;
    throw error;
  }
}

/** As an instant query, and as the middle step of a range query. */
async function runInstant(
  command: EvalCommand,
  query: string,
  timeMs: number,
  engine: Answering,
  storage: MemoryStorage,
): Promise<void> {
  const isOrdered = has(command, 'ordered');
  const result = await outcomeOf(command, () => engine.instant(storage, query, timeMs));
  if (result === undefined) return;
  const instant = { startMs: timeMs, endMs: timeMs, stepMs: 1 };
  compare(command, result.value, command.rangeVector ?? instant, isOrdered);
  const isExcluded = command.rangeVector !== undefined || command.expectedString !== undefined;
  if (isExcluded || CONTEXT_FUNCTIONS.test(query)) return;
  const range = await engine.range(storage, query, timeMs - 60_000, timeMs + 60_000, 60_000);
  // The answer to a range query is sorted by labels, always.
  if (!isOrdered) compare(command, middleOf(range.value, timeMs, result.value.type), instant, false);
}

function middleOf(value: QueryValue, timestampMs: number, type: QueryValue['type']): QueryValue {
  if (value.type !== 'matrix') throw new Mismatch(`range query yielded a ${value.type}`);
  const samples = value.series.flatMap(({ labels, timestamps, values, histograms }) => {
    const i = timestamps.indexOf(timestampMs);
    if (i < 0) return [];
    const histogram = histograms?.[i];
    const sample = { labels, timestampMs, value: values[i]! };
    return [histogram === undefined ? sample : { ...sample, histogram }];
  });
  return type === 'scalar' ? { type, timestampMs, value: samples[0]!.value } : { type: 'vector', samples };
}

function expectationsOf(command: EvalCommand, what: Expectation['what']): Expectation[] {
  return command.expectations.filter((expectation) => expectation.what === what);
}

function has(command: EvalCommand, what: Expectation['what']): boolean {
  return command.expectations.some((expectation) => expectation.what === what);
}

/** The result, checked for annotations; undefined when the query failed as it should. */
async function outcomeOf(command: EvalCommand, run: () => Promise<QueryResult>): Promise<QueryResult | undefined> {
  const [failure] = expectationsOf(command, 'fail');
  let result: QueryResult;
  try {
    result = await run();
  } catch (error) {
    const message = errorMessage(error);
    if (failure === undefined) throw new Mismatch(`unexpected error: ${message}`);
    if (failure.matches?.(message) === false) throw new Mismatch(`expected error ${failure.text}, got ${message}`);
    return undefined;
  }
  if (failure !== undefined) throw new Mismatch('expected an error, got none');
  checkAnnotations(command, 'warn', result.annotations.warnings);
  checkAnnotations(command, 'info', result.annotations.infos);
  return result;
}

function checkAnnotations(command: EvalCommand, what: 'warn' | 'info', found: readonly string[]): void {
  const expected = expectationsOf(command, what);
  if (has(command, `no_${what}`) && found.length > 0) throw new Mismatch(`unexpected ${what}: ${found.join('; ')}`);
  if (expected.length === 0) return;
  if (found.length === 0) throw new Mismatch(`expected ${what} ${expected[0]!.text}, got none`);
  for (const { matches, text } of expected) {
    if (matches !== undefined && !found.some(matches)) {
      throw new Mismatch(`expected ${what} ${text}, got ${found.join('; ')}`);
    }
  }
  for (const message of found) {
    if (!expected.some(({ matches }) => matches === undefined || matches(message))) {
      throw new Mismatch(`unexpected ${what}: ${message}`);
    }
  }
}
