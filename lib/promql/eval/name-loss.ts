import { type Labels, METRIC_NAME } from '../../model/index.ts';
import type { VectorSelector } from '../parse/ast.ts';
import { hasOtherMetadata, METADATA_LABELS } from './columns.ts';
import { HashList } from './hash-list.ts';
import { hashOfLabels } from './labels-hash.ts';

/**
 * Sees whether series become equal when their names go, without a list of them. It may say so when they do not: labels are
 * compared by hashes of 53 bits.
 */
export class NameLoss {
  readonly #haveOneName: boolean;
  readonly #hashes = new HashList();
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
    this.#addHash(hashOfLabels(labels, METADATA_LABELS));
  }

  /** Of the series that were added, where they are needed: another takes them. */
  get hashes(): Float64Array {
    return this.#hashes.hashes;
  }

  /** Series that another has seen. */
  addHashes(hashes: Float64Array): void {
    for (const hash of hashes) this.#addHash(hash);
  }

  #addHash(hash: number): void {
    const { length } = this.#hashes;
    if (this.#hashes.add(hash) < length) this.mayCollide = true;
  }
}
