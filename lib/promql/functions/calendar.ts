import { Labels } from '../../model/index.ts';
import { type InstantFunction, mapFloats } from './instant-call.ts';

/** The calendar repeats after 400 years: 146,097 days, a whole number of weeks. */
const CYCLE_YEARS = 400;
const CYCLE_SECONDS = 146_097 * 86_400;
/** What is no int64 is one to Go: the least, whose date, counted without a sign, is behind all others. */
const MAX_SECONDS = 2 ** 63;

/** A part of the UTC date of each value (seconds), or of the evaluation time when there is no argument. */
export function calendarFunction(part: (date: Date) => number): InstantFunction {
  return overTimes((seconds) => part(dateInCycle(seconds)));
}

/** The UTC year of each value; dates far beyond what JavaScript's `Date` holds count too. */
export const year: InstantFunction = overTimes((seconds) => {
  const whole = wholeSeconds(seconds);
  const cycles = Math.round((whole - withinCycle(whole)) / CYCLE_SECONDS);
  return dateInCycle(seconds).getUTCFullYear() + cycles * CYCLE_YEARS;
});

/** A date in the years 1970 to 2369 at the same place in the cycle. */
function dateInCycle(seconds: number): Date {
  return new Date(withinCycle(wholeSeconds(seconds)) * 1000);
}

function wholeSeconds(seconds: number): number {
  return Math.abs(seconds) < MAX_SECONDS ? Math.trunc(seconds) : MAX_SECONDS;
}

/** `%` is exact where a division is not. */
function withinCycle(whole: number): number {
  const rest = whole % CYCLE_SECONDS;
  return rest < 0 ? rest + CYCLE_SECONDS : rest;
}

function overTimes(partOf: (seconds: number) => number): InstantFunction {
  return (call) => {
    if (call.columns.length > 0) return mapFloats(call, partOf);
    const { startMs, stepMs, count } = call.grid;
    const values = Float64Array.from({ length: count }, (_, step) => partOf((startMs + step * stepMs) / 1000));
    const present = new Uint8Array(count).fill(1);
    return { type: 'vector', series: [{ labels: Labels.EMPTY, dropName: false, values, present }] };
  };
}
