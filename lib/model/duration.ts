import { PromletError, shorten } from './errors.ts';

const UNITS_MS: readonly (readonly [string, number])[] = [
  ['y', 365 * 86_400_000],
  ['w', 7 * 86_400_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
];

const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** The longest duration Go's int64 nanoseconds hold, in ms. */
const MAX_DURATION_MS = 9_223_372_036_854;

/**
 * Prometheus's duration (`model.ParseDuration`): `1h30m`, units from years to ms in order, each at most once; "0" alone.
 * @returns milliseconds
 * @throws PromletError `model/bad-duration`
 */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  const match = text === '' ? null : DURATION.exec(text);
  if (match === null) {
    throw new PromletError('model/bad-duration', problemOf(text));
  }
  let totalMs = 0;
  UNITS_MS.forEach(([, unitMs], i) => {
    totalMs += Number(match[i + 1] ?? 0) * unitMs;
  });
  if (totalMs > MAX_DURATION_MS) throw new PromletError('model/bad-duration', 'duration out of range');
  return totalMs;
}

function problemOf(text: string): string {
  if (text === '') return 'empty duration string';
  const units = /^(?:\d+\D+)+/.test(text) ? text.matchAll(/\D+/g) : [];
  for (const [unit] of units) {
    if (UNITS_MS.some(([known]) => known === unit)) continue;
    return `unknown unit "${shorten(unit)}" in duration "${shorten(text)}"`;
  }
  return `not a valid duration string: "${shorten(text)}"`;
}

/** The shortest spelling (`model.Duration.String`): `90000` → `1m30s`. Weeks and years only where they divide exactly. */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return '0s';
  let restMs = Math.abs(durationMs);
  let out = durationMs < 0 ? '-' : '';
  for (const [unit, unitMs] of UNITS_MS) {
    const exactOnly = unit === 'y' || unit === 'w';
    if (exactOnly && restMs % unitMs !== 0) continue;
    const count = Math.floor(restMs / unitMs);
    if (count === 0) continue;
    out += `${count}${unit}`;
    restMs -= count * unitMs;
  }
  return out;
}
