import { quote } from '../../model/index.ts';
import type { QueryContext } from '../eval/context.ts';
import type { SourceRange } from '../parse/ast.ts';

/** Samples with their start times, ms; a `Window`. */
interface StartedSamples {
  readonly timestamps: Float64Array;
  /** 0 where unknown; undefined when none is known, or asked for. */
  readonly starts: Float64Array | undefined;
}

interface StartedWindow extends StartedSamples {
  readonly metric: string;
  readonly low: number;
  readonly high: number;
  readonly startMs: number;
}

/**
 * Whether the start times say that a counter began anew between the samples `i` − 1 and `i` (Prometheus
 * `isStartTimestampReset`). A start is unknown when it is 0 or the sample's own time, and wrong when it is later.
 */
export function isStartReset({ timestamps, starts }: StartedSamples, i: number): boolean {
  if (starts === undefined) return false;
  const start = starts[i]!;
  const previousStart = starts[i - 1]!;
  if (previousStart === start || start === 0 || start >= timestamps[i]!) return false;
  const previous = timestamps[i - 1]!;
  if (start !== previous) return start > previous;
  // A sample that starts where the one before was is a delta, unless that one's start is not known.
  return previousStart < previous && previousStart !== 0;
}

/** The counter began within the window, before its first sample: it was 0 then. */
export function startsWithin({ timestamps, starts, low, startMs }: StartedWindow): boolean {
  if (starts === undefined) return false;
  const start = starts[low]!;
  return start !== 0 && start > startMs && start < timestamps[low]!;
}

/** Counts the windows in which a sample starts before the one in front of it was taken, by metric. */
export class StartOverlaps {
  readonly #counts = new Map<string, number>();

  note({ timestamps, starts, low, high, metric }: StartedWindow): void {
    if (starts === undefined) return;
    for (let i = low + 1; i < high; i++) {
      const start = starts[i]!;
      if (start === 0 || start >= timestamps[i - 1]! || start === starts[i - 1]) continue;
      this.#counts.set(metric, (this.#counts.get(metric) ?? 0) + 1);
      return;
    }
  }

  report(context: QueryContext, at: SourceRange): void {
    for (const [metric, count] of this.#counts) {
      const what = 'sample has start time that overlaps with previous sample timestamp';
      context.warn(`${what} for metric ${quote(metric)}${count > 1 ? ` (${count} occurrences)` : ''}`, at);
    }
  }
}
