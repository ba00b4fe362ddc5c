/** The types that the text format 0.0.4 knows. A type's position is its kind in the scrape cache. */
export const METRIC_TYPES = ['untyped', 'counter', 'gauge', 'histogram', 'summary'] as const;

export type MetricType = (typeof METRIC_TYPES)[number];

export function isMetricType(text: string): text is MetricType {
  return (METRIC_TYPES as readonly string[]).includes(text);
}
