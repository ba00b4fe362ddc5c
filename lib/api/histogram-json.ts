import { type FloatHistogram, OrderedBuckets } from '../model/index.ts';
import type { JsonWriter } from './json-writer.ts';

/** How a bucket's bounds belong to it, in the API's numbers: by whether the lower one does, then the upper one. */
const OPEN = 2;
const OPEN_LEFT = 0;
const OPEN_RIGHT = 1;
const CLOSED = 3;

/** A native histogram as `jsonutil.MarshalHistogram` writes it: its non-empty buckets from the lowest to the highest. */
export function writeHistogram(out: JsonWriter, histogram: FloatHistogram): void {
  out.raw('{"count":');
  out.float(histogram.count);
  out.raw(',"sum":');
  out.float(histogram.sum);
  const buckets = new OrderedBuckets(histogram);
  let before = ',"buckets":[';
  for (let i = 0; i < buckets.length; i++) {
    const count = buckets.count(i);
    if (count === 0) continue;
    out.raw(`${before}[${boundaries(buckets, i)},`);
    out.float(buckets.lower(i));
    out.raw(',');
    out.float(buckets.upper(i));
    out.raw(',');
    out.float(count);
    out.raw(']');
    before = ',';
  }
  out.raw(before === ',' ? ']}' : '}');
}

function boundaries(buckets: OrderedBuckets, place: number): number {
  if (buckets.includesLower(place)) return buckets.includesUpper(place) ? CLOSED : OPEN_RIGHT;
  return buckets.includesUpper(place) ? OPEN_LEFT : OPEN;
}
