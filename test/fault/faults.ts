/** The calls that a fault can be put on. Reads and stats are counted apart, so that plans for writes stay stable. */
export type FaultPoint = 'open' | 'write' | 'truncate' | 'fsync' | 'rename' | 'link' | 'unlink' | 'mkdir' | 'read';

/** All that change the disk. */
export const MUTATIONS: readonly FaultPoint[] = [
  'open',
  'write',
  'truncate',
  'fsync',
  'rename',
  'link',
  'unlink',
  'mkdir',
];

export interface Fault {
  /**
   * An error code: the call throws. `short`: a write takes part of the bytes and says so. `die`: the process is gone, this
   * and every later call throws `Crash`.
   */
  readonly kind: 'ENOSPC' | 'EIO' | 'EMFILE' | 'short' | 'die';
  /** Share of the bytes that reach the file in spite of the fault; default 0, for `short` one half. */
  readonly taken?: number;
  /** The call takes effect, and then fails. */
  readonly afterwards?: boolean;
}

/** Asked before each call. @returns what goes wrong with it */
export type FaultPlan = (point: FaultPoint, path: string, index: number) => Fault | undefined;

/** Puts a fault on calls `from` to `to` (exclusive) of those kinds, counted from 0. */
export function faultsBetween(from: number, to: number, fault: Fault, points = MUTATIONS): FaultPlan {
  let seen = 0;
  return (point) => {
    if (!points.includes(point)) return undefined;
    const index = seen++;
    return index >= from && index < to ? fault : undefined;
  };
}

/** Puts a fault on one call. */
export function faultAt(index: number, fault: Fault, points = MUTATIONS): FaultPlan {
  return faultsBetween(index, index + 1, fault, points);
}

/** The process was killed in this call; nothing it does from now on reaches the disk. */
export class Crash extends Error {
  readonly code = 'CRASH';

  constructor() {
    super('the process is dead');
  }
}

/** An error as the system gives it. */
export function systemError(code: string, call: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${call} '${path}'`), { code, syscall: call, path });
}
