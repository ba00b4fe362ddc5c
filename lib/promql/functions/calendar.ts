import { Labels } from '../../model/index.ts';
import { type InstantFunction, mapFloats } from './instant-call.ts';

/** A part of the UTC date of each value (seconds), or of the evaluation time when there is no argument. */
export function calendarFunction(part: (date: Date) => number): InstantFunction {
  const partOf = (seconds: number): number => part(new Date(Math.trunc(seconds) * 1000));
  return (call) => {
    if (call.columns.length > 0) return mapFloats(call, partOf);
    const { startMs, stepMs, count } = call.grid;
    const values = Float64Array.from({ length: count }, (_, step) => partOf((startMs + step * stepMs) / 1000));
    const present = new Uint8Array(count).fill(1);
    return { type: 'vector', series: [{ labels: Labels.EMPTY, dropName: false, values, present }] };
  };
}
