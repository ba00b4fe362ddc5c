/** Warnings and infos that come with an answer (Prometheus `util/annotations`); a warning means "may be incomplete". */
export class Annotations {
  readonly #warnings = new Set<string>();
  readonly #infos = new Set<string>();

  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  get infos(): readonly string[] {
    return [...this.#infos];
  }

  get isEmpty(): boolean {
    return this.#warnings.size === 0 && this.#infos.size === 0;
  }

  warn(message: string): void {
    this.#warnings.add(message);
  }

  info(message: string): void {
    this.#infos.add(message);
  }

  merge(other: Annotations): void {
    for (const message of other.#warnings) this.#warnings.add(message);
    for (const message of other.#infos) this.#infos.add(message);
  }
}
