/** Parameters of requests: forms, times, durations, limits, selectors. Follows Prometheus `web/api/v1/api.go`. */
import type { IncomingMessage } from 'node:http';
import { readBody } from '../env/index.ts';
import { errorMessage, type Matcher, parseDuration, parseFloatStrict, shorten } from '../model/index.ts';
import { parseSelector } from '../promql/index.ts';
import { ApiError, badParameter } from './errors.ts';

/** "From the beginning" and "to the end": the largest milliseconds a double holds exactly. */
export const MIN_TIME_MS = Number.MIN_SAFE_INTEGER;
export const MAX_TIME_MS = Number.MAX_SAFE_INTEGER;

/** What clients write for the two, beyond the years that dates can hold. */
const FAR_TIMES: ReadonlyMap<string, number> = new Map([
  ['-292273086-05-16T16:47:06Z', MIN_TIME_MS],
  ['292277025-08-18T07:12:54.999999999Z', MAX_TIME_MS],
]);

const RFC3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/;

/**
 * The parameters of the query string and, for a POST of a form, of the body; those of the body come first.
 * @throws ApiError `bad_data` when the body is larger than `maxBytes`
 */
export async function readParams(
  request: IncomingMessage,
  query: URLSearchParams,
  maxBytes: number,
): Promise<URLSearchParams> {
  const form = request.headers['content-type']?.split(';', 1)[0]!.trim().toLowerCase();
  if (request.method !== 'POST' || form !== 'application/x-www-form-urlencoded') return query;
  const body = await readBody(request, maxBytes);
  if (body === undefined) {
    throw new ApiError('bad_data', `error parsing form values: body larger than ${maxBytes} bytes`);
  }
  const params = new URLSearchParams(body.toString('utf8'));
  for (const [name, value] of query) params.append(name, value);
  return params;
}

/** Unix seconds with fraction or RFC 3339 → ms. @throws ApiError `bad_data` */
export function parseTime(text: string): number {
  const seconds = parseFloatStrict(text);
  if (seconds !== undefined && Number.isFinite(seconds)) {
    const whole = Math.trunc(seconds);
    const ms = whole * 1000 + Math.round((seconds - whole) * 1000);
    return Math.min(Math.max(ms, MIN_TIME_MS), MAX_TIME_MS);
  }
  const ms = RFC3339.test(text) ? Date.parse(text) : (FAR_TIMES.get(text) ?? Number.NaN);
  if (Number.isNaN(ms)) throw new ApiError('bad_data', `cannot parse "${shorten(text)}" to a valid timestamp`);
  return ms;
}

/** Seconds with fraction or `1m30s` → ms. @throws ApiError `bad_data` */
export function parseDurationParam(text: string): number {
  const seconds = parseFloatStrict(text);
  if (seconds !== undefined) {
    const ms = seconds * 1000;
    if (Math.abs(ms) <= MAX_TIME_MS) return ms;
    throw new ApiError('bad_data', `cannot parse "${shorten(text)}" to a valid duration. It overflows int64`);
  }
  try {
    return parseDuration(text);
  } catch {
    throw new ApiError('bad_data', `cannot parse "${shorten(text)}" to a valid duration`);
  }
}

/** Reads one parameter; problems name it. */
export function required<T>(params: URLSearchParams, name: string, parse: (text: string) => T): T {
  try {
    return parse(params.get(name) ?? '');
  } catch (error) {
    throw badParameter(name, errorMessage(error));
  }
}

/** `fallback` when the parameter is absent or empty. */
export function optionalTime(params: URLSearchParams, name: string, fallback: number): number {
  const text = params.get(name);
  if (text === null || text === '') return fallback;
  try {
    return parseTime(text);
  } catch (error) {
    throw badParameter(name, `invalid time value for '${name}': ${errorMessage(error)}`);
  }
}

/** 0 is "none". */
export function limitParam(params: URLSearchParams): number {
  const text = params.get('limit') ?? '';
  if (text === '') return 0;
  const fail = (reason: string): ApiError =>
    badParameter('limit', `strconv.Atoi: parsing "${shorten(text)}": ${reason}`);
  if (!/^[+-]?\d+$/.test(text)) throw fail('invalid syntax');
  const limit = Number(text);
  if (Math.abs(limit) >= 2 ** 63) throw fail('value out of range');
  if (limit < 0) throw badParameter('limit', 'limit must be non-negative');
  return Math.min(limit, Number.MAX_SAFE_INTEGER - 1);
}

/** A count where anything below 0 means "all", as the metadata endpoints take it. @returns undefined when absent */
export function countParam(params: URLSearchParams, name: string): number | undefined {
  const text = params.get(name) ?? '';
  if (text === '') return undefined;
  if (!/^[+-]?\d+$/.test(text)) throw new ApiError('bad_data', `${name} must be a number`);
  return Number(text);
}

/** As Go's `strconv.ParseBool`; undefined for what it refuses. */
export function parseBoolean(text: string): boolean | undefined {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  return ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text) ? false : undefined;
}

/** `lookback_delta`; the engine's own where it is absent, 0 or below. @throws ApiError `bad_data` */
export function lookbackDeltaParam(params: URLSearchParams): { lookbackDeltaMs?: number } {
  const text = params.get('lookback_delta') ?? '';
  if (text === '') return {};
  try {
    const lookbackDeltaMs = parseDurationParam(text);
    return lookbackDeltaMs > 0 ? { lookbackDeltaMs } : {};
  } catch (error) {
    throw new ApiError('bad_data', `error parsing lookback delta duration: ${errorMessage(error)}`);
  }
}

/** The `match[]` selectors. Each needs a matcher that '' does not satisfy. @throws ApiError `bad_data` */
export function matcherSets(params: URLSearchParams): (readonly Matcher[])[] {
  return params.getAll('match[]').map((text) => {
    let matchers: readonly Matcher[];
    try {
      matchers = parseSelector(text);
    } catch (error) {
      throw new ApiError('bad_data', errorMessage(error), { cause: error });
    }
    if (matchers.some((matcher) => !matcher.matchesEmpty)) return matchers;
    throw new ApiError('bad_data', 'match[] must contain at least one non-empty matcher');
  });
}

/** `partial_response`, as Thanos names it. */
export function partialResponseParam(params: URLSearchParams): boolean | undefined {
  const text = params.get('partial_response') ?? '';
  if (text === '') return undefined;
  const wanted = parseBoolean(text);
  if (wanted === undefined) throw badParameter('partial_response', `"${shorten(text)}" is not a boolean`);
  return wanted;
}

/**
 * A label name written as `U__` and `_HEX_` for what the old syntax does not allow, `__` for `_`. Text that is not of this
 * form is the name itself (Prometheus `model.UnescapeName`).
 */
export function unescapeLabelName(text: string): string {
  if (!/^U__(?:[^_]|__|_[0-9a-fA-F]{1,6}_)*$/s.test(text)) return text;
  let valid = true;
  const name = text.slice(3).replaceAll(/_([0-9a-fA-F]{0,6})_/g, (_, hex: string) => {
    if (hex === '') return '_';
    const code = Number.parseInt(hex, 16);
    valid &&= code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
    return valid ? String.fromCodePoint(code) : '';
  });
  return valid ? name : text;
}
