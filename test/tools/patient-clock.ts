import { type Clock, systemClock } from '../../lib/env/index.ts';

/** Timers from here on guard against what hangs. */
const GUARD_MS = 1_000;
const PATIENCE = 100;

/** The system's clock, but what guards against hanging waits so much longer: that a machine is busy is no fault. */
export const patientClock: Clock = {
  ...systemClock,
  setTimer: (callback, delayMs) => systemClock.setTimer(callback, delayMs < GUARD_MS ? delayMs : delayMs * PATIENCE),
};
