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
