/**
 * The series and values that the storage benchmarks write: requests counted by service, instance, API and method, as the
 * field's scale example has them. Everything follows from the numbers of series and scrapes: two runs write the same.
 */
import { Labels } from '../../lib/model/index.ts';

const METHODS = ['GET', 'POST', 'PUT', 'DELETE'];
const APIS = 20;
/** Series of one target: APIs × methods. */
export const SERIES_PER_TARGET = APIS * METHODS.length;
const INSTANCES_PER_SERVICE = 10;

/** Counters of one target, scraped again and again. */
export class TargetWorkload {
  readonly values = new Float64Array(SERIES_PER_TARGET);
  readonly #target: number;
  #state: number;

  constructor(target: number) {
    this.#target = target;
    this.#state = (target + 1) * 0x9e3779b1;
  }

  labels(i: number): Labels {
    const service = Math.floor(this.#target / INSTANCES_PER_SERVICE);
    return Labels.of({
      __name__: 'http_requests_total',
      api: `/api/v1/resource-${Math.floor(i / METHODS.length)}`,
      instance: `10.${service >> 8}.${service & 255}.${this.#target % INSTANCES_PER_SERVICE}:8080`,
      job: `service-${service}`,
      method: METHODS[i % METHODS.length]!,
    });
  }

  /** Lets time pass: every series counts on by 0 to 63, one in eight stands still. */
  scrape(): Float64Array {
    const { values } = this;
    let state = this.#state;
    for (let i = 0; i < SERIES_PER_TARGET; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      if ((i & 7) !== 7) values[i]! += state >>> 26;
    }
    this.#state = state;
    return values;
  }
}
