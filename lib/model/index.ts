export { Annotations } from './annotations.ts';
export { formatDuration, parseDuration } from './duration.ts';
export { assert, AssertionError, errorMessage, PromletError, shorten } from './errors.ts';
export { formatFloat, formatGeneral, formatOpenMetricsFloat, parseFloatStrict } from './format.ts';
export {
  bucketBound,
  bucketIndexes,
  type BucketLayout,
  bucketSpans,
  CUSTOM_BUCKETS_SCHEMA,
} from './histogram-buckets.ts';
export { histogramFault } from './histogram-validity.ts';
export { compareUtf8, formatLabelName, Labels, LabelsBuilder, METRIC_NAME, quote, sortUtf8 } from './labels.ts';
export { Matcher, type MatchType } from './matcher.ts';
export { METRIC_TYPES } from './metric-type.ts';
export { OrderedBuckets } from './ordered-buckets.ts';
export { PackedTexts } from './packed-texts.ts';
export type { PlainPattern } from './plain-pattern.ts';
export { compileRegex, expandTemplate, type LinearRegex } from './regex.ts';
export {
  type FloatHistogram,
  type HistogramSpan,
  isStaleNaN,
  NORMAL_NAN,
  SampleColumns,
  STALE_NAN,
  STALE_NAN_HIGH,
  STALE_NAN_LOW,
} from './sample.ts';
