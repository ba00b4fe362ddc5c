import { Annotations, type PackedTexts } from '../../model/index.ts';
import type { LabelAnswer } from '../../storage/index.ts';

/** Values of a label as a block has them: whoever only prints them needs no strings. */
export class PackedAnswer implements LabelAnswer {
  readonly annotations = new Annotations();
  readonly packed: PackedTexts;
  #values: readonly string[] | undefined;

  constructor(packed: PackedTexts) {
    this.packed = packed;
  }

  get values(): readonly string[] {
    return (this.#values ??= this.packed.strings());
  }
}
