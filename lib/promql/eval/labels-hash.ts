import type { Labels } from '../../model/index.ts';
import { HashList } from './hash-list.ts';

/**
 * A hash of 53 bits: where all of some label sets differ in it, all are different, and no long keys have to be made to see
 * that. @param without names of labels that do not count
 */
export function hashOfLabels({ pairs }: Labels, without?: ReadonlySet<string>): number {
  let a = 0x811c9dc5 | 0;
  let b = 0x9e3779b1 | 0;
  for (let i = 0; i < pairs.length; i += 2) {
    if (without?.has(pairs[i]!) === true) continue;
    for (let part = i; part < i + 2; part++) {
      const text = pairs[part]!;
      for (let j = 0; j < text.length; j++) {
        const code = text.charCodeAt(j);
        a = Math.imul(a ^ code, 0x01000193);
        b = (Math.imul(b, 31) + code + (a >>> 15)) | 0;
      }
      // Behind each text: "ab", "c" is not "a", "bc".
      a = Math.imul(a ^ 0x10000, 0x01000193);
    }
  }
  return (a >>> 0) * 2 ** 21 + ((b >>> 0) % 2 ** 21);
}

/** No two are equal. It may say false where that is true, once in many billions. */
export function areDistinct(sets: readonly { readonly labels: Labels }[]): boolean {
  const hashes = new HashList();
  for (const { labels } of sets) hashes.add(hashOfLabels(labels));
  return hashes.length === sets.length;
}
