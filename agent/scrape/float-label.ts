import { formatFloat, parseFloatStrict } from '../../lib/model/index.ts';
import type { MetricType } from './metric-type.ts';

/** `le="1"` and `le="1.0"` name one bucket: the spelling of OpenMetrics, as Prometheus 3 stores it. */
export function normalizeFloat(type: MetricType | undefined, name: string, text: string): string {
  const applies = (type === 'summary' && name === 'quantile') || (type === 'histogram' && name === 'le');
  if (!applies || text === '') return text;
  const value = parseFloatStrict(text);
  return value === undefined ? text : formatOpenMetricsFloat(value);
}

/** Go's shortest `%g`, with `.0` behind whole numbers (Prometheus `labels.FormatOpenMetricsFloat`). */
export function formatOpenMetricsFloat(value: number): string {
  if (!Number.isFinite(value)) return formatFloat(value);
  const [mantissa = '', exponentText = '0'] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  // Go writes an exponent below -4 and from 6 on.
  if (value === 0 || (exponent >= -4 && exponent < 6)) {
    const plain = formatFloat(Math.abs(value) === 0 ? 0 : value);
    return plain.includes('.') ? plain : `${plain}.0`;
  }
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}
