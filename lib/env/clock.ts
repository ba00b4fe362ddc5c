/** Time, passed in so that tests can set it. */
export interface Clock {
  /** Milliseconds since the epoch. May jump. */
  now(): number;
  /** Monotonic milliseconds with fractions, for durations. */
  monotonicMs(): number;
  setTimer(callback: () => void, delayMs: number): Timer;
}

export interface Timer {
  cancel(): void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(callback, delayMs) {
    const handle = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
