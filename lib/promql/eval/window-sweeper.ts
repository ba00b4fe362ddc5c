import type { WindowArguments } from '../../kernels/index.ts';
import type { ColumnMemory } from './column-memory.ts';
import { type LookupTimes, stepsWithSamples } from './lookup-times.ts';

/** Of one series: samples in column memory, and how far the windows over them reach back. */
export interface SweptSamples {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly length: number;
  readonly rangeMs: number;
}

/** Kernels that take windows, and up to three numbers of their own behind them. */
type SweepKernel = 'lookUp' | 'sweepCount' | 'sweepDelta' | 'sweepExtreme' | 'sweepInstantDelta' | 'sweepSum';

/** Has kernels compute the windows of one series after the other, those of all steps in one call. */
export class WindowSweeper {
  /** By step what was found; `values` is undefined where `present` is 0. */
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly #times: LookupTimes;
  readonly #memory: ColumnMemory;

  /** @param times when windows end @param values filled for each series, as `present`; both lie in memory */
  constructor(times: LookupTimes, values: Float64Array, present: Uint8Array, memory: ColumnMemory) {
    this.#times = times;
    this.values = values;
    this.present = present;
    this.#memory = memory;
  }

  /** The address of so many bytes that a kernel may write to. */
  scratch(bytes: number): number {
    return this.#memory.scratch(bytes);
  }

  /** @returns how many windows have a value; −1 when they are better computed one by one: nothing was done then */
  run(name: SweepKernel, { timestamps, values, length, rangeMs }: SweptSamples, own1 = 0, own2 = 0, own3 = 0): number {
    const times = this.#times;
    const count = this.values.length;
    const { from, end } = stepsWithSamples(times, timestamps[0]!, timestamps[length - 1]! + rangeMs, count);
    const { wasm } = this.#memory;
    const kernel: (...all: [...WindowArguments, number, number, number]) => number = wasm[name];
    return kernel(
      timestamps.byteOffset,
      values.byteOffset,
      length,
      times.firstMs,
      times.stepMs,
      rangeMs,
      from,
      end,
      this.values.byteOffset,
      this.present.byteOffset,
      own1,
      own2,
      own3,
    );
  }
}
