import { join } from 'node:path';
import type { FileSystem } from '../../env/index.ts';
import { errorMessage, PromletError } from '../../model/index.ts';

/** What was found in one block, in `chunks_head/` or in a log. */
export interface PartReport {
  /** A path. */
  readonly path: string;
  readonly sizeBytes: number;
  /** How many of what, in the order to show. */
  readonly counts: ReadonlyMap<string, number>;
  /** One sentence each, with path and offset. */
  readonly damage: readonly string[];
  /** What is odd but harmless. */
  readonly notes: readonly string[];
}

/** More sentences than these are only counted: a file that was zeroed has as many faults as it had chunks. */
const MAX_SENTENCES = 100;

/** Gathers what a check finds. */
export class PartFindings {
  readonly #path: string;
  readonly counts = new Map<string, number>();
  readonly notes: string[] = [];
  readonly #damage: string[] = [];
  #more = 0;

  constructor(path: string) {
    this.#path = path;
  }

  get isDamaged(): boolean {
    return this.#damage.length > 0;
  }

  fail(sentence: string): void {
    if (this.#damage.length < MAX_SENTENCES) this.#damage.push(sentence);
    else this.#more++;
  }

  /** Runs a check. @returns its result; undefined when it found damage */
  attempt<Result>(check: () => Result): Result | undefined {
    try {
      return check();
    } catch (error) {
      this.failWith(error);
      return undefined;
    }
  }

  /** @throws the error when it is a bug */
  failWith(error: unknown): void {
    const outside = error instanceof PromletError || (error instanceof Error && 'syscall' in error);
    if (!outside) throw error;
    this.fail(errorMessage(error));
  }

  count(what: string, many: number): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + many);
  }

  report(fileSystem: FileSystem): PartReport {
    const damage = this.#more === 0 ? this.#damage : [...this.#damage, `${this.#path}: and ${this.#more} more`];
    return {
      path: this.#path,
      sizeBytes: sizeOf(fileSystem, this.#path),
      counts: this.counts,
      damage,
      notes: this.notes,
    };
  }
}

function sizeOf(fileSystem: FileSystem, dir: string): number {
  let sizeBytes = 0;
  for (const name of fileSystem.readdirSync(dir)) {
    const path = join(dir, name);
    const stat = fileSystem.statSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory() === true) sizeBytes += sizeOf(fileSystem, path);
    else sizeBytes += stat?.size ?? 0;
  }
  return sizeBytes;
}
