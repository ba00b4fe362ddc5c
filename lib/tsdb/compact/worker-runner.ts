import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { FileSystem } from '../../env/index.ts';
import { PromletError } from '../../model/index.ts';
import { CREATION_SUFFIX } from '../block/format.ts';
import type { BlockMeta } from '../block/meta.ts';
import type { CompactionJob } from './job.ts';
import type { CompactionRunner } from './runner.ts';

/** Beside this file in the sources, beside the chunk this file is in when bundled. */
const PROGRAM = new URL(`./compaction-worker${extname(import.meta.url)}`, import.meta.url);
/** What dies young is small; the memory for it stays resident while the thread lives. */
const YOUNG_GENERATION_MB = 4;
/** Far more than the symbols of a million series take. */
const OLD_GENERATION_MB = 1024;

/** What the thread sends. */
export type JobOutcome = { readonly meta: BlockMeta | undefined } | { readonly code: string; readonly message: string };

/**
 * Compacts on a thread of its own, at a low priority, started for each job and ended after it. It works on Node's file
 * system: sources and block are on disk, the head in shared memory.
 */
export class WorkerRunner implements CompactionRunner {
  readonly #fileSystem: FileSystem;

  /** @param fileSystem for what a stopped thread leaves behind */
  constructor(fileSystem: FileSystem) {
    this.#fileSystem = fileSystem;
  }

  /**
   * @throws besides as `runJob`: PromletError `storage/compaction-memory` when the thread runs out of memory,
   *   `storage/compaction-thread` when there can be none
   */
  async run(job: CompactionJob, signal?: AbortSignal): Promise<BlockMeta | undefined> {
    signal?.throwIfAborted();
    const worker = new Worker(PROGRAM, {
      name: 'compaction',
      workerData: job,
      resourceLimits: {
        maxYoungGenerationSizeMb: YOUNG_GENERATION_MB,
        maxOldGenerationSizeMb: OLD_GENERATION_MB,
      },
    });
    const stop = (): void => void worker.terminate();
    signal?.addEventListener('abort', stop, { once: true });
    let outcome: JobOutcome | undefined;
    try {
      outcome = await outcomeOf(worker);
    } finally {
      signal?.removeEventListener('abort', stop);
      if (outcome === undefined) this.#clean(job);
    }
    if (outcome === undefined) {
      signal?.throwIfAborted();
      throw new Error('compaction thread: ended without a word');
    }
    if ('code' in outcome) throw new PromletError(outcome.code, outcome.message);
    return outcome.meta;
  }

  #clean({ dir, meta }: CompactionJob): void {
    this.#fileSystem.rmSync(join(dir, meta.ulid + CREATION_SUFFIX), { recursive: true, force: true });
  }
}

/** @returns when the thread has ended; undefined when it sent nothing */
function outcomeOf(worker: Worker): Promise<JobOutcome | undefined> {
  return new Promise((resolve, reject) => {
    let outcome: JobOutcome | undefined;
    let failure: Error | undefined;
    worker.on('message', (message: JobOutcome) => (outcome = message));
    worker.on('error', (error: NodeJS.ErrnoException) => (failure = failureOf(error)));
    worker.on('exit', () => {
      if (failure === undefined) resolve(outcome);
      else reject(failure);
    });
  });
}

/** What is not the code's fault as a typed error. */
function failureOf(cause: NodeJS.ErrnoException): Error {
  if (cause.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new PromletError('storage/compaction-memory', `compaction takes more than ${OLD_GENERATION_MB} MB`, {
      cause,
    });
  }
  if (cause.code === 'ERR_WORKER_INIT_FAILED') {
    return new PromletError('storage/compaction-thread', `cannot start a thread: ${cause.message}`, { cause });
  }
  return cause;
}
