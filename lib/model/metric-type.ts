/**
 * The metric types of OpenMetrics. A type's position is its number in the log's metadata records and in remote write
 * (tsdb/record/record.go, prompb/io/prometheus/write/v2).
 */
export const METRIC_TYPES: readonly string[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];
