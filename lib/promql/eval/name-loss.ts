import { type Labels, METRIC_NAME } from '../../model/index.ts';
import type { VectorSelector } from '../parse/ast.ts';
import { hasOtherMetadata, METADATA_LABELS } from './columns.ts';
import { HashList } from './hash-list.ts';
import { hashOfLabels } from './labels-hash.ts';

/**
 * Sees whether series become equal when their names go, without a list of them. It may say so when they do not: labels are
 * compared by hashes of 53 bits, of their texts or of what stands for them in storage.
 */
export class NameLoss {
  readonly #haveOneName: boolean;
  readonly #hashes = new HashList();
  /** The hashes; undefined before the first. */
  #areOfStorage: boolean | undefined;
  mayCollide = false;

  /** @param selector of the series, when they come from one */
  constructor(selector: VectorSelector | undefined) {
    this.#haveOneName =
      selector?.matchers.some(({ type, name, value }) => type === '=' && name === METRIC_NAME && value !== '') ?? false;
  }

  /** All series have one name; with their names they differ without it, too. */
  get haveOneName(): boolean {
    return this.#haveOneName;
  }

  /**
   * @param labels of a series that still has its name; all of them, unless all have one name, or there is a hash
   * @param hash of storage, without METADATA_LABELS
   */
  add(labels: Labels, hash?: number): void {
    if (this.#haveOneName) {
      if (hasOtherMetadata(labels)) this.mayCollide = true;
      return;
    }
    // Those of storage are kept below zero: beside hashes of texts they say nothing.
    this.#addHash(hash === undefined ? hashOfLabels(labels, METADATA_LABELS) : -1 - hash);
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
    const isOfStorage = hash < 0;
    this.#areOfStorage ??= isOfStorage;
    if (isOfStorage !== this.#areOfStorage) this.mayCollide = true;
    if (this.#hashes.add(hash) < length) this.mayCollide = true;
  }
}
