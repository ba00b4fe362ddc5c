import { join } from 'node:path';
import type { TargetGroup } from '../lib/config/index.ts';
import type { FileSystem, Logger } from '../lib/env/index.ts';
import { errorMessage, Labels, PromletError } from '../lib/model/index.ts';
import type { TargetMemory } from './discovery/index.ts';
import { DurableFile } from './durable-file.ts';

const FILE_NAME = 'last-known-targets.json';
/** A hundred pods make about 200 kB; more than this is not our file. */
const MAX_FILE_BYTES = 64 << 20;

/** Label sets as flat `[name, value, …]` lists, as `Labels` keeps them. */
interface StoredGroup {
  readonly source: string;
  readonly labels: readonly string[];
  readonly targets: readonly (readonly string[])[];
}

/**
 * The targets discovered last, in the data directory: what an agent scrapes after a restart until the API server answers.
 * A cache: when it cannot be read or written that is logged, and discovery goes on without it.
 */
export class LastKnownTargets implements TargetMemory {
  readonly path: string;
  readonly #files: FileSystem;
  readonly #file: DurableFile;
  readonly #logger: Logger;

  constructor(dataDir: string, files: FileSystem, logger: Logger) {
    this.path = join(dataDir, FILE_NAME);
    this.#files = files;
    this.#file = new DurableFile(this.path, files);
    this.#logger = logger;
  }

  /** Groups by job; empty when there is no file, or it is damaged (it is then kept aside). */
  load(): Map<string, TargetGroup[]> {
    try {
      return this.#files.existsSync(this.path) ? this.#read() : new Map();
    } catch (error) {
      this.#logger.warn({ file: this.path, error: errorMessage(error) }, 'the last known targets cannot be read');
      this.#keepAside();
      return new Map();
    }
  }

  async save(groupsByJob: ReadonlyMap<string, readonly TargetGroup[]>): Promise<void> {
    const stored: Record<string, StoredGroup[]> = Object.create(null) as Record<string, StoredGroup[]>;
    for (const [job, groups] of groupsByJob) {
      stored[job] = groups.map(({ source, labels, targets }) => {
        return { source, labels: labels.pairs, targets: targets.map((target) => target.pairs) };
      });
    }
    try {
      await this.#file.replace(JSON.stringify(stored));
    } catch (error) {
      this.#logger.warn({ file: this.path, error: errorMessage(error) }, 'the last known targets cannot be written');
    }
  }

  #read(): Map<string, TargetGroup[]> {
    const { size } = this.#files.statSync(this.path);
    if (size > MAX_FILE_BYTES) throw new PromletError('discovery/bad-memory', `${size} bytes are too many`);
    const stored: unknown = JSON.parse(this.#files.readFileSync(this.path, 'utf8'));
    if (typeof stored !== 'object' || stored === null) throw malformed();
    return new Map(Object.entries(stored).map(([job, groups]) => [job, list(groups).map(toGroup)]));
  }

  #keepAside(): void {
    try {
      this.#files.renameSync(this.path, `${this.path}.corrupt`);
    } catch (error) {
      this.#logger.warn({ file: this.path, error: errorMessage(error) }, 'the damaged file cannot be kept aside');
    }
  }
}

function malformed(): PromletError {
  return new PromletError('discovery/bad-memory', 'not a list of targets by job');
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw malformed();
  return value;
}

function toGroup(value: unknown): TargetGroup {
  const { source, labels, targets } = (value ?? {}) as Partial<StoredGroup>;
  if (typeof source !== 'string') throw malformed();
  return { source, labels: toLabels(labels), targets: list(targets).map(toLabels) };
}

function toLabels(value: unknown): Labels {
  const pairs = list(value);
  if (pairs.length % 2 !== 0 || !pairs.every((text) => typeof text === 'string')) throw malformed();
  return Labels.of(Array.from({ length: pairs.length / 2 }, (_, i) => [pairs[2 * i]!, pairs[2 * i + 1]!] as const));
}
