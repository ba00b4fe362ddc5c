/** How late scrapes start, as their targets see it. */
import { quantile } from './table.ts';

/** By target, when its page was asked for, in ms since the epoch. */
export type Arrivals = ReadonlyMap<string, readonly number[]>;

/** A window of time, in ms since the epoch. */
export interface Window {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** When something was done. */
export async function timed(work: () => Promise<unknown>): Promise<Window> {
  const fromMs = Date.now();
  await work();
  return { fromMs, untilMs: Date.now() };
}

/** Of the scrapes of all targets that were due in some windows. */
export interface Lateness {
  readonly scrapes: number;
  /** That did not come before the next was due. */
  readonly skipped: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A timer may fire so much before its time. */
const EARLY_MS = 5;

/**
 * How much later than due scrapes arrived. A target is due once an interval, at the same offset into it; the earliest of
 * its arrivals in a quiet window tells which. Its very first arrival may be out of turn and does not count.
 * @param arrivals go on for an interval after the last window
 * @throws when a target was not scraped in the quiet window
 */
export function lateness(arrivals: Arrivals, intervalMs: number, quiet: Window, windows: readonly Window[]): Lateness {
  const lateMs: number[] = [];
  let skipped = 0;
  for (const [target, times] of arrivals) {
    const originMs = firstDueMs(target, times, intervalMs, quiet);
    const lateBySlot = new Map<number, number>();
    for (const timeMs of times.slice(1)) {
      const slot = Math.floor((timeMs - originMs + EARLY_MS) / intervalMs);
      lateBySlot.set(slot, Math.max(0, timeMs - originMs - slot * intervalMs));
    }
    const first = Math.min(...lateBySlot.keys());
    for (const { fromMs, untilMs } of windows) {
      const end = Math.ceil((untilMs - originMs) / intervalMs);
      for (let slot = Math.max(first, Math.ceil((fromMs - originMs) / intervalMs)); slot < end; slot++) {
        const late = lateBySlot.get(slot);
        if (late === undefined) skipped++;
        else lateMs.push(late);
      }
    }
  }
  return {
    scrapes: lateMs.length,
    skipped,
    p50Ms: quantile(lateMs, 0.5),
    p99Ms: quantile(lateMs, 0.99),
    maxMs: quantile(lateMs, 1),
  };
}

function firstDueMs(target: string, times: readonly number[], intervalMs: number, { fromMs, untilMs }: Window): number {
  const seen = times.filter((timeMs) => timeMs >= fromMs && timeMs < untilMs);
  if (seen.length === 0) throw new Error(`${target} was not scraped while all was quiet`);
  const offsets = seen.map((timeMs) => {
    const ms = (timeMs - seen[0]!) % intervalMs;
    return ms > intervalMs / 2 ? ms - intervalMs : ms;
  });
  return seen[0]! + Math.min(...offsets);
}
