import { errorMessage, type FloatHistogram, isStaleNaN } from '../../../lib/model/index.ts';
import { Engine, parseExpr, type QueryResult, type QueryValue } from '../../../lib/promql/index.ts';
import { atVariants } from './at-variants.ts';
import { MemoryStorage } from './memory-storage.ts';
import { type EvalCommand, type Expectation, type LoadCommand, parseScript } from './script.ts';
import { parseSeriesDescription, toNumber, UnsupportedDescription } from './series-description.ts';

const FEATURES = {
  experimentalFunctions: true,
  durationExpressions: true,
  extendedRangeSelectors: true,
  fillModifiers: true,
  delayedNameRemoval: true,
};
const RELATIVE_TOLERANCE = 1e-6;
const MIN_NORMAL = 2.2250738585072014e-308;
/** Queries whose meaning depends on the range they run over: not repeated as range queries. */
const CONTEXT_FUNCTIONS = /(start|end|range|step)\(\)/;

export interface Outcome {
  readonly line: number;
  readonly query: string;
  /** undefined: passed. */
  readonly failure: string | undefined;
  /** The data or the query involve native histograms. */
  readonly usesHistograms: boolean;
}

/** Runs a script of `promqltest`; one outcome per evaluation. */
export async function runScript(text: string): Promise<Outcome[]> {
  const engine = new Engine({ features: FEATURES, maxSamples: 1_000_000, timeoutMs: 100_000 });
  let storage = new MemoryStorage();
  let brokenLoad: string | undefined;
  let hasHistograms = false;
  const outcomes: Outcome[] = [];
  for (const command of parseScript(text)) {
    if (command.kind === 'clear') {
      storage = new MemoryStorage();
      brokenLoad = undefined;
      hasHistograms = false;
    } else if (command.kind === 'load') {
      hasHistograms ||= command.withNativeHistograms || command.series.some((series) => series.includes('{{'));
      try {
        load(command, storage);
      } catch (error) {
        brokenLoad = `data of line ${command.line} not loaded: ${errorMessage(error)}`;
      }
    } else {
      const usesHistograms = hasHistograms || command.results.some((result) => result.includes('{{'));
      const failure = brokenLoad ?? (await failureOf(() => runEval(command, engine, storage)));
      outcomes.push({ line: command.line, query: command.query, failure, usesHistograms });
    }
  }
  return outcomes;
}

class Mismatch extends Error {}

async function failureOf(run: () => Promise<void>): Promise<string | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    if (error instanceof Mismatch || error instanceof UnsupportedDescription) return error.message;
    return `error: ${errorMessage(error)}`;
  }
}

function load(command: LoadCommand, storage: MemoryStorage): void {
  for (const line of command.series) {
    if (/^\S*@st\s/.test(line)) throw new UnsupportedDescription('start timestamps');
    const { labels, values } = parseSeriesDescription(line);
    values.forEach((value, i) => {
      if (value === undefined) return;
      if (typeof value === 'number') storage.add(labels, i * command.stepMs, value);
      else storage.add(labels, i * command.stepMs, NaN, value);
    });
  }
}

async function runEval(command: EvalCommand, engine: Engine, storage: MemoryStorage): Promise<void> {
  const { query, startMs, endMs, stepMs } = command;
  if (stepMs > 0) {
    const result = await outcomeOf(command, () => engine.range(storage, query, startMs, endMs, stepMs));
    if (result !== undefined) check(command, result.value, { startMs, endMs, stepMs });
    return;
  }
  await runInstant(command, query, startMs, engine, storage);
  const variants = atVariants(parseExpr(query, FEATURES), startMs);
  for (const timeMs of variants?.timesMs ?? []) await runInstant(command, variants!.query, timeMs, engine, storage);
}

/** As an instant query, and as the middle step of a range query. */
async function runInstant(
  command: EvalCommand,
  query: string,
  timeMs: number,
  engine: Engine,
  storage: MemoryStorage,
): Promise<void> {
  const result = await outcomeOf(command, () => engine.instant(storage, query, timeMs));
  if (result === undefined) return;
  check(command, result.value, command.rangeVector ?? { startMs: timeMs, endMs: timeMs, stepMs: 1 });
  const isExcluded = command.rangeVector !== undefined || command.expectedString !== undefined;
  if (isExcluded || CONTEXT_FUNCTIONS.test(query) || has(command, 'ordered')) return;
  const range = await engine.range(storage, query, timeMs - 60_000, timeMs + 60_000, 60_000);
  check(command, middleOf(range.value, timeMs, result.value.type), { startMs: timeMs, endMs: timeMs, stepMs: 1 });
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

interface Times {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

function check(command: EvalCommand, value: QueryValue, times: Times): void {
  switch (value.type) {
    case 'string':
      if (value.value !== command.expectedString) throw new Mismatch(`got the string ${value.value}`);
      return;
    case 'scalar': {
      const [expected = ''] = command.results;
      if (!isAlmostEqual(toNumber(expected), value.value)) {
        throw new Mismatch(`expected ${expected}, got ${value.value}`);
      }
      return;
    }
    case 'vector': {
      const series = value.samples.map(({ labels, value: sample, histogram }) => {
        return { labels: labels.toString(), points: new Map([[times.startMs, histogram ?? sample]]) };
      });
      checkSeries(command, series, times);
      return;
    }
    case 'matrix': {
      const series = value.series.map(({ labels, timestamps, values, histograms }) => {
        const points = Array.from(timestamps, (ms, i) => [ms, histograms?.[i] ?? values[i]!] as const);
        return { labels: labels.toString(), points: new Map(points) };
      });
      checkSeries(command, series, times);
    }
  }
}

interface Found {
  readonly labels: string;
  readonly points: ReadonlyMap<number, number | FloatHistogram>;
}

function checkSeries(command: EvalCommand, found: readonly Found[], times: Times): void {
  const expected = command.results.map(parseSeriesDescription);
  const names = expected.map(({ labels }) => labels.toString());
  for (const [i, { labels, points }] of found.entries()) {
    const position = names.indexOf(labels);
    if (position < 0) throw new Mismatch(`unexpected series ${labels}`);
    if (has(command, 'ordered') && position !== i) throw new Mismatch(`${labels} is at position ${i}`);
    checkPoints(labels, expected[position]!.values, points, times);
  }
  for (const name of names) {
    if (!found.some(({ labels }) => labels === name)) throw new Mismatch(`missing series ${name}`);
  }
}

function checkPoints(
  labels: string,
  expected: readonly (number | FloatHistogram | undefined)[],
  points: Found['points'],
  times: Times,
): void {
  let count = 0;
  for (const [i, value] of expected.entries()) {
    if (value === undefined) continue;
    count++;
    const timeMs = times.startMs + i * times.stepMs;
    const point = points.get(timeMs);
    if (point === undefined) throw new Mismatch(`${labels} has no sample at ${timeMs}`);
    if (typeof value === 'number' && typeof point === 'number') {
      if (!isAlmostEqual(value, point)) throw new Mismatch(`${labels}: expected ${value} at ${timeMs}, got ${point}`);
    } else if (typeof value === 'number' || typeof point === 'number' || !isSameHistogram(value, point)) {
      throw new Mismatch(`${labels}: a histogram at ${timeMs} differs`);
    }
  }
  if (points.size !== count) throw new Mismatch(`${labels}: expected ${count} samples, got ${points.size}`);
}

function isSameHistogram(a: FloatHistogram, b: FloatHistogram): boolean {
  const shape = (h: FloatHistogram): string =>
    JSON.stringify([h.schema, h.zeroThreshold, h.positiveSpans, h.negativeSpans, [...h.customValues]]);
  const numbers = (h: FloatHistogram): number[] => [
    h.count,
    h.sum,
    h.zeroCount,
    ...h.positiveBuckets,
    ...h.negativeBuckets,
  ];
  const other = numbers(b);
  return shape(a) === shape(b) && numbers(a).every((value, i) => isAlmostEqual(value, other[i]!));
}

function isAlmostEqual(a: number, b: number): boolean {
  if (isStaleNaN(a) || isStaleNaN(b)) return isStaleNaN(a) && isStaleNaN(b);
  if (a === b || (a !== a && b !== b)) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < MIN_NORMAL) return difference < RELATIVE_TOLERANCE * MIN_NORMAL;
  return difference / Math.min(sum, Number.MAX_VALUE) < RELATIVE_TOLERANCE;
}
