import { type FloatHistogram, OrderedBuckets } from '../model/index.ts';
import { sampleFloat } from './json-numbers.ts';

/** How a bucket's bounds belong to it, in the API's numbers: by whether the lower one does, then the upper one. */
const OPEN = 2;
const OPEN_LEFT = 0;
const OPEN_RIGHT = 1;
const CLOSED = 3;

/** A native histogram as `jsonutil.MarshalHistogram` writes it: its non-empty buckets from the lowest to the highest. */
export function histogramJson(histogram: FloatHistogram): string {
  const buckets = new OrderedBuckets(histogram);
  let list = '';
  for (let i = 0; i < buckets.length; i++) {
    const count = buckets.count(i);
    if (count === 0) continue;
    const [lower, upper] = [sampleFloat(buckets.lower(i)), sampleFloat(buckets.upper(i))];
    list += `${list === '' ? '' : ','}[${boundaries(buckets, i)},"${lower}","${upper}","${sampleFloat(count)}"]`;
  }
  const field = list === '' ? '' : `,"buckets":[${list}]`;
  return `{"count":"${sampleFloat(histogram.count)}","sum":"${sampleFloat(histogram.sum)}"${field}}`;
}

function boundaries(buckets: OrderedBuckets, place: number): number {
  if (buckets.includesLower(place)) return buckets.includesUpper(place) ? CLOSED : OPEN_RIGHT;
  return buckets.includesUpper(place) ? OPEN_LEFT : OPEN;
}
