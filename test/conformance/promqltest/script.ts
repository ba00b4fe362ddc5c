import { RE2JS } from 're2js';
import { parseDuration } from '../../../lib/model/index.ts';

export interface LoadCommand {
  readonly kind: 'load';
  readonly line: number;
  readonly stepMs: number;
  /** Classic histograms are stored as native ones with custom buckets too. */
  readonly withNativeHistograms: boolean;
  readonly series: readonly string[];
}

export interface Expectation {
  readonly what: 'ordered' | 'fail' | 'warn' | 'no_warn' | 'info' | 'no_info';
  /** undefined: any message. */
  readonly matches: ((message: string) => boolean) | undefined;
  readonly text: string;
}

export interface EvalCommand {
  readonly kind: 'eval';
  readonly line: number;
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  /** 0 for an instant query. */
  readonly stepMs: number;
  readonly expectations: readonly Expectation[];
  /** Expected series; or a single number for a scalar. */
  readonly results: readonly string[];
  readonly expectedString: string | undefined;
  /** The times of an expected range vector. */
  readonly rangeVector: { startMs: number; endMs: number; stepMs: number } | undefined;
}

export type Command = LoadCommand | EvalCommand | { readonly kind: 'clear'; readonly line: number };

const LOAD = /^load(_with_nhcb)?\s+(.+?)$/;
const INSTANT = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$/;
const RANGE = /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$/;
const EXPECT = /^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$/;
const RANGE_VECTOR = /^expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$/;

/** Reads a script of Prometheus's `promqltest` language. @throws Error for a command it does not know */
export function parseScript(text: string): Command[] {
  const lines = text.split('\n').map((line) => {
    const trimmed = line.trim();
    return trimmed.startsWith('#') ? '' : trimmed;
  });
  const commands: Command[] = [];
  for (let i = 0; i < lines.length; i++) {
    const first = lines[i]!;
    if (first === '') continue;
    const line = i + 1;
    if (/^clear\b/i.test(first)) {
      commands.push({ kind: 'clear', line });
      continue;
    }
    const body: string[] = [];
    while (i + 1 < lines.length && lines[i + 1] !== '') body.push(lines[++i]!);
    commands.push(first.startsWith('load') ? parseLoad(first, line, body) : parseEval(first, line, body));
  }
  return commands;
}

function parseLoad(first: string, line: number, body: string[]): LoadCommand {
  const match = LOAD.exec(first);
  if (match === null) throw new Error(`line ${line}: unknown command ${first}`);
  const stepMs = parseDuration(match[2]!);
  return { kind: 'load', line, stepMs, withNativeHistograms: match[1] !== undefined, series: body };
}

function parseEval(first: string, line: number, body: string[]): EvalCommand {
  const instant = INSTANT.exec(first);
  const range = instant === null ? RANGE.exec(first) : null;
  const match = instant ?? range;
  if (match === null) throw new Error(`line ${line}: unknown command ${first}`);
  const expectations: Expectation[] = [];
  const results: string[] = [];
  let expectedString: string | undefined;
  let rangeVector: EvalCommand['rangeVector'];
  const mode = match[1] as Expectation['what'] | undefined;
  if (mode !== undefined) expectations.push({ what: mode, matches: undefined, text: '' });
  for (const text of body) {
    const expect = EXPECT.exec(text);
    const vector = RANGE_VECTOR.exec(text);
    const oldFail = /^expected_fail_(message|regexp)\s+(.+)$/.exec(text);
    if (expect !== null) expectations.push(expectation(expect[1] as Expectation['what'], expect[2], expect[3]));
    else if (oldFail !== null) {
      expectations.push(expectation('fail', oldFail[1] === 'message' ? 'msg' : 'regex', oldFail[2]));
    } else if (vector !== null) {
      const [startMs, endMs, stepMs] = vector.slice(1).map(parseDuration) as [number, number, number];
      rangeVector = { startMs, endMs, stepMs };
    } else if (text.startsWith('expect string ')) {
      expectedString = JSON.parse(text.slice('expect string '.length).replace(/^`(.*)`$/, (_, raw) => JSON.stringify(raw)));
    } else results.push(text);
  }
  const [startMs, endMs, stepMs, query] =
    instant === null
      ? [parseDuration(match[2]!), parseDuration(match[3]!), parseDuration(match[4]!), match[5]!]
      : [parseDuration(match[2]!), parseDuration(match[2]!), 0, match[3]!];
  return { kind: 'eval', line, query, startMs, endMs, stepMs, expectations, results, expectedString, rangeVector };
}

function expectation(what: Expectation['what'], kind: string | undefined, value: string | undefined): Expectation {
  if (kind === undefined) return { what, matches: undefined, text: '' };
  const text = value!.trim();
  if (kind === 'msg') return { what, matches: (message) => message === text, text };
  const regex = RE2JS.compile(text);
  return { what, matches: (message) => regex.matcher(message).find(), text };
}
