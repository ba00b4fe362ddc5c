import type { Labels } from '../../model/index.ts';
import { xxhash64Fraction } from './xxhash64.ts';

let buffer = Buffer.alloc(1024);

/**
 * A number in [0, 1] that depends on the labels only: Prometheus's `Labels.Hash` of 2^64, which `limit_ratio` samples by.
 * The hashed bytes are those of its default build (model/labels/labels_stringlabels.go): name, value, name, … in order,
 * each behind its length: a byte below 255, or 255 and three bytes, the lowest first.
 */
export function labelHashFraction(labels: Labels): number {
  let length = 0;
  for (const text of labels.pairs) length += 4 + 3 * text.length;
  if (length > buffer.length) buffer = Buffer.alloc(2 * length);
  let end = 0;
  for (const text of labels.pairs) end = writeText(text, end);
  return xxhash64Fraction(buffer, end);
}

function writeText(text: string, at: number): number {
  const length = Buffer.byteLength(text);
  let start = at;
  if (length < 255) buffer[start++] = length;
  else {
    buffer[start] = 255;
    buffer.writeUIntLE(length, start + 1, 3);
    start += 4;
  }
  return start + buffer.write(text, start);
}
