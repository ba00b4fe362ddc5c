/** Prometheus's experimental parts of the language, off by default; named after its `--enable-feature` values. */
export interface PromqlFeatures {
  /** `promql-experimental-functions` */
  readonly experimentalFunctions?: boolean;
  /** `promql-duration-expr`: on unless it is false, as in Prometheus since 3.15 */
  readonly durationExpressions?: boolean;
  /** `promql-extended-range-selectors` */
  readonly extendedRangeSelectors?: boolean;
  /** `promql-binop-fill-modifiers` */
  readonly fillModifiers?: boolean;
  /** `promql-delayed-name-removal`: metric names are dropped from the final result, not by each function. */
  readonly delayedNameRemoval?: boolean;
  /** `use-start-timestamps`: `rate` and its like know when a counter began, where samples say so. */
  readonly startTimes?: boolean;
}

const BY_NAME: Readonly<Record<string, keyof PromqlFeatures>> = {
  'promql-experimental-functions': 'experimentalFunctions',
  'promql-duration-expr': 'durationExpressions',
  'promql-extended-range-selectors': 'extendedRangeSelectors',
  'promql-binop-fill-modifiers': 'fillModifiers',
  'promql-delayed-name-removal': 'delayedNameRemoval',
  'use-start-timestamps': 'startTimes',
};

/** Not of the language: samples are told by step to clients that ask for all statistics. */
export const PER_STEP_STATS = 'promql-per-step-stats';

/** What `--enable-feature` may name. */
export const FEATURE_NAMES: readonly string[] = [...Object.keys(BY_NAME), PER_STEP_STATS];

/** @param names of `--enable-feature`; those that are not of the language say nothing here */
export function featuresOf(names: readonly string[]): PromqlFeatures {
  return Object.fromEntries(names.flatMap((name) => (Object.hasOwn(BY_NAME, name) ? [[BY_NAME[name]!, true]] : [])));
}
