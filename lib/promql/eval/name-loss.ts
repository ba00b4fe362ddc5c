import { type Labels, METRIC_NAME } from '../../model/index.ts';
import type { VectorSelector } from '../parse/ast.ts';
import { hasOtherMetadata, isMetadata } from './columns.ts';

/**
 * Sees whether series become equal when their names go, without a list of them. It may say so when they do not: labels are
 * compared by hashes of 53 bits.
 */
export class NameLoss {
  readonly #haveOneName: boolean;
  readonly #hashes = new Set<number>();
  mayCollide = false;

  /** @param selector of the series, when they come from one */
  constructor(selector: VectorSelector | undefined) {
    this.#haveOneName =
      selector?.matchers.some(({ type, name, value }) => type === '=' && name === METRIC_NAME && value !== '') ?? false;
  }

  /** Only the labels that aggregation looks at need to be given. */
  get takesProjections(): boolean {
    return this.#haveOneName;
  }

  /** @param labels of a series that still has its name */
  add(labels: Labels): void {
    if (this.#haveOneName) {
      if (hasOtherMetadata(labels)) this.mayCollide = true;
      return;
    }
    const hash = hashWithoutName(labels);
    if (this.#hashes.has(hash)) this.mayCollide = true;
    this.#hashes.add(hash);
  }
}

/** Of all labels but metadata. */
function hashWithoutName(labels: Labels): number {
  const { pairs } = labels;
  let a = 0x811c9dc5;
  let b = 0x9e3779b1;
  for (let i = 0; i < pairs.length; i++) {
    if ((i & 1) === 0 && isMetadata(pairs[i]!)) {
      i++;
      continue;
    }
    const text = pairs[i]!;
    for (let j = 0; j < text.length; j++) {
      const code = text.charCodeAt(j);
      a = Math.imul(a ^ code, 0x01000193);
      b = Math.imul(b, 31) + code + (a >>> 15);
    }
    // Behind each text: "ab", "c" is not "a", "bc".
    a = Math.imul(a ^ 0x10000, 0x01000193);
  }
  return (a >>> 0) * 2 ** 21 + ((b >>> 0) % 2 ** 21);
}
