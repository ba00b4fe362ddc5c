import { NORMAL_NAN } from './sample.ts';

/**
 * A float as the HTTP API prints it: Go's `strconv.FormatFloat(v, 'f', -1, 64)`, with `+Inf`, `-Inf`, `NaN`.
 * Shortest digits that round-trip, never an exponent.
 */
export function formatFloat(value: number): string {
  if (value !== value) return 'NaN';
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  if (Object.is(value, -0)) return '-0';
  const text = String(value);
  const e = text.indexOf('e');
  return e < 0 ? text : expandExponent(text, e);
}

/** Go's `%g`: the shortest digits that round-trip, with an exponent below 1e-4 and from 1e+06 on. */
export function formatGeneral(value: number): string {
  if (!Number.isFinite(value) || value === 0) return formatFloat(value);
  const text = value.toExponential();
  const e = text.indexOf('e');
  const exponent = Number(text.slice(e + 1));
  if (exponent >= -4 && exponent < 6) return String(value);
  return `${text.slice(0, e + 2)}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** `%g` with `.0` behind whole numbers, as `le` and `quantile` are stored (Prometheus `labels.FormatOpenMetricsFloat`). */
export function formatOpenMetricsFloat(value: number): string {
  if (!Number.isFinite(value)) return formatFloat(value);
  const text = formatGeneral(value === 0 ? 0 : value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** `1.5e-7` → `0.00000015`, `1e+21` → `1000000000000000000000`. */
function expandExponent(text: string, e: number): string {
  const exponent = Number(text.slice(e + 1));
  const sign = text.startsWith('-') ? '-' : '';
  const mantissa = text.slice(sign.length, e);
  const [whole = '', fraction = ''] = mantissa.split('.');
  const digits = whole + fraction;
  const point = whole.length + exponent;
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits + '0'.repeat(point - digits.length);
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** Go's `strconv.ParseFloat` for what Prometheus exposes: decimal, exponent, Inf, NaN in any case. undefined if invalid. */
export function parseFloatStrict(text: string): number | undefined {
  if (/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  const lower = text.toLowerCase();
  if (lower === 'nan') return NORMAL_NAN;
  if (/^\+?inf(inity)?$/.test(lower)) return Infinity;
  if (/^-inf(inity)?$/.test(lower)) return -Infinity;
  if (/^[+-]?0x/.test(lower)) return parseHexFloat(lower);
  return undefined;
}

/** Go's hexadecimal floats, `0x1.8p3`; the exponent is optional here as in PromQL integers. */
function parseHexFloat(lower: string): number | undefined {
  const match = /^([+-]?)0x([0-9a-f]*)(?:\.([0-9a-f]*))?(?:p([+-]?\d+))?$/.exec(lower);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  if (whole === '' && fraction === '') return undefined;
  let mantissa = 0;
  for (const digit of whole + fraction) mantissa = mantissa * 16 + parseInt(digit, 16);
  const value = mantissa * 2 ** (Number(exponent) - 4 * fraction.length);
  return sign === '-' ? -value : value;
}
