import type { BinaryNote } from '../histogram/binary.ts';
import type { SourceRange } from '../parse/ast.ts';
import type { QueryContext } from './context.ts';

/**
 * Of what a binary operator has to say of its samples, Prometheus keeps one thing per step: that of the last sample in
 * the order of the input. Operators that go through their input in another order tell the place of each sample.
 */
export class LastNotes {
  readonly #byStep = new Map<number, { readonly place: number; readonly note: BinaryNote }>();

  add(step: number, place: number, note: BinaryNote): void {
    const last = this.#byStep.get(step);
    if (last === undefined || place >= last.place) this.#byStep.set(step, { place, note });
  }

  report(context: QueryContext, at: SourceRange): void {
    for (const { note } of this.#byStep.values()) {
      if (note.level === 'warn') context.warn(note.message, at);
      else context.info(note.message, at);
    }
  }
}
