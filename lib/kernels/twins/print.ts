import { formatFloat } from '../../model/index.ts';

/**
 * A float as `jsonutil.MarshalFloat` writes it: shortest digits; an exponent below 1e-6 and from 1e21, which is where
 * JavaScript starts too, of at least two digits.
 */
export function printFloatTwin(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || value === 0) return formatFloat(value);
  const text = String(value);
  if (size >= 1e-6 && size < 1e21) return text;
  const exponent = text.indexOf('e');
  return text.length - exponent > 3 ? text : `${text.slice(0, -1)}0${text.slice(-1)}`;
}

/** Whole milliseconds as seconds, with decimals only where needed: `1435781451.781`. */
export function printTimeTwin(timestampMs: number): string {
  const fraction = Math.abs(timestampMs % 1000);
  if (fraction === 0) return String(timestampMs / 1000);
  const sign = timestampMs < 0 ? '-' : '';
  const seconds = Math.trunc(Math.abs(timestampMs) / 1000);
  const digits = String(fraction).padStart(3, '0');
  return `${sign}${seconds}.${digits}`;
}

export function printPointTwin(timestampMs: number, value: number): string {
  return `[${printTimeTwin(timestampMs)},"${printFloatTwin(value)}"]`;
}
