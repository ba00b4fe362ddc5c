import { formatOpenMetricsFloat, parseFloatStrict } from '../../lib/model/index.ts';
import type { MetricType } from './metric-type.ts';

/** `le="1"` and `le="1.0"` name one bucket: the spelling of OpenMetrics, as Prometheus 3 stores it. */
export function normalizeFloat(type: MetricType | undefined, name: string, text: string): string {
  const applies = (type === 'summary' && name === 'quantile') || (type === 'histogram' && name === 'le');
  if (!applies || text === '') return text;
  const value = parseFloatStrict(text);
  return value === undefined ? text : formatOpenMetricsFloat(value);
}
