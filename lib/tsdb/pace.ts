import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../env/index.ts';

/** Work on a thread that serves too goes on this long at a time. */
const SLICE_MS = 5;

/**
 * Called between two pieces of long work, each much shorter than a slice. When the slice is over it lets other work run,
 * and is to be awaited then. @throws the signal's reason
 */
export type Pace = () => Promise<void> | undefined;

/** Slices of a few ms, the first from now on. */
export function slicedPace(clock: Pick<Clock, 'monotonicMs'>, signal?: AbortSignal): Pace {
  let startMs = clock.monotonicMs();
  return () => {
    signal?.throwIfAborted();
    if (clock.monotonicMs() - startMs < SLICE_MS) return undefined;
    return turn().then(() => {
      startMs = clock.monotonicMs();
      signal?.throwIfAborted();
    });
  };
}

/** For a thread that has nothing else to do. */
export const flatOut: Pace = () => undefined;
