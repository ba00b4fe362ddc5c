import { formatFloat, formatGeneral } from '../../model/index.ts';
import type { SourceRange } from '../parse/ast.ts';
import type { Buckets } from './buckets.ts';

const MESSAGE =
  'input to histogram_quantile needed to be fixed for monotonicity ' +
  '(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)';

/** Where counts of one metric had to be forced to grow with the bounds, over the whole query, told as one note. */
export class MonotonicityNote {
  /** Of the metric, as `ofMetric` words it. */
  readonly #metric: string;
  /** Of the call that was first. */
  readonly #at: SourceRange;
  #samples = 0;
  #firstMs = Infinity;
  #lastMs = -Infinity;
  #minBound = Infinity;
  #maxBound = -Infinity;
  #maxDifference = 0;

  constructor(metric: string, at: SourceRange) {
    this.#metric = metric;
    this.#at = at;
  }

  add(buckets: Buckets, timeMs: number): void {
    this.#samples++;
    this.#firstMs = Math.min(this.#firstMs, timeMs);
    this.#lastMs = Math.max(this.#lastMs, timeMs);
    this.#minBound = Math.min(this.#minBound, buckets.forcedMinBound);
    this.#maxBound = Math.max(this.#maxBound, buckets.forcedMaxBound);
    this.#maxDifference = Math.max(this.#maxDifference, buckets.forcedMaxDifference);
  }

  /** Instead of what was told of it before. */
  report(context: { info(message: string, at: SourceRange, details: string): void }): void {
    const time = (ms: number): string => `${new Date(Math.trunc(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`;
    context.info(
      MESSAGE + this.#metric,
      this.#at,
      `, from buckets ${formatGeneral(this.#minBound)} to ${formatGeneral(this.#maxBound)}, with a max diff of ` +
        `${twoDigits(this.#maxDifference)}, over ${this.#samples} samples ` +
        `from ${time(this.#firstMs)} to ${time(this.#lastMs)}`,
    );
  }
}

/** Go's `%.2g`: what is right between two numbers becomes the even one. */
function twoDigits(value: number): string {
  if (!Number.isFinite(value) || value === 0) return formatFloat(value);
  const digits = value.toExponential(20);
  const isTie = /^\d\.[02468]50*e/.test(digits);
  const [mantissa = '', exponentText] = (isTie ? digits.replace(/(\.\d)\d*/, '$1') : value.toExponential(1)).split('e');
  const exponent = Number(exponentText);
  const short = mantissa.replace('.0', '');
  if (exponent >= -4 && exponent < 2) return String(Number(`${short}e${exponent}`));
  return `${short}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}
