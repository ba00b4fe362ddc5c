/** As plain data, which goes to other threads: what tells apart → message. */
export interface AnnotationsData {
  readonly warnings: ReadonlyMap<string, string>;
  readonly infos: ReadonlyMap<string, string>;
}

/** Warnings and infos that come with an answer (Prometheus `util/annotations`); a warning means "may be incomplete". */
export class Annotations {
  /** By what tells them apart: of two alike the later stays. */
  readonly #warnings = new Map<string, string>();
  readonly #infos = new Map<string, string>();

  get warnings(): readonly string[] {
    return [...this.#warnings.values()];
  }

  get infos(): readonly string[] {
    return [...this.#infos.values()];
  }

  get isEmpty(): boolean {
    return this.#warnings.size === 0 && this.#infos.size === 0;
  }

  /** @param kind what tells it apart from others, when that is not the whole message */
  warn(message: string, kind = message): void {
    this.#warnings.set(kind, message);
  }

  /** @param kind what tells it apart from others, when that is not the whole message */
  info(message: string, kind = message): void {
    this.#infos.set(kind, message);
  }

  merge(other: Annotations): void {
    this.mergeData(other.data);
  }

  get data(): AnnotationsData {
    return { warnings: this.#warnings, infos: this.#infos };
  }

  mergeData({ warnings, infos }: AnnotationsData): void {
    for (const [kind, message] of warnings) this.#warnings.set(kind, message);
    for (const [kind, message] of infos) this.#infos.set(kind, message);
  }
}
