import { formatFloat } from '../model/index.ts';

/** Milliseconds as seconds, with decimals only where needed: `1435781451.781`. */
export function timestampJson(timestampMs: number): string {
  const fraction = Math.abs(timestampMs % 1000);
  if (fraction === 0) return String(timestampMs / 1000);
  const sign = timestampMs < 0 ? '-' : '';
  const seconds = Math.trunc(Math.abs(timestampMs) / 1000);
  const digits = String(fraction).padStart(3, '0');
  return `${sign}${seconds}.${digits}`;
}

/**
 * A float as `jsonutil.MarshalFloat` writes it: shortest digits; an exponent below 1e-6 and from 1e21, which is where
 * JavaScript starts too, of at least two digits.
 */
export function sampleFloat(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e-6 && size < 1e21) return String(value);
  if (Number.isFinite(value)) {
    if (value === 0) return Object.is(value, -0) ? '-0' : '0';
    const text = String(value);
    const exponent = text.indexOf('e');
    return exponent < 0 || text.length - exponent > 3 ? text : `${text.slice(0, -1)}0${text.slice(-1)}`;
  }
  return formatFloat(value);
}
