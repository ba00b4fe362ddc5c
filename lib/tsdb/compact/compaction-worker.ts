/** The thread behind `WorkerRunner`: runs the job it is started with, sends what came of it, and ends. */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { nodeFileSystem } from '../../env/index.ts';
import { createKernels } from '../../kernels/index.ts';
import { assert, PromletError } from '../../model/index.ts';
import { PageCache } from '../block/page-cache.ts';
import { type CompactionJob, runJob } from './job.ts';
import { flatOut } from '../pace.ts';
import type { JobOutcome } from './worker-runner.ts';

const CACHE_BYTES = 4 << 20;
/** Niceness: whatever else the machine has to do goes first. */
const LOW_PRIORITY = 10;

async function outcomeOf(job: CompactionJob): Promise<JobOutcome> {
  const cache = new PageCache({ fileSystem: nodeFileSystem, kernels: createKernels(), maxBytes: CACHE_BYTES });
  try {
    return { meta: await runJob(job, { cache, pace: flatOut }) };
  } catch (error) {
    if (error instanceof PromletError) return { code: error.code, message: error.message };
    throw error;
  }
}

assert(parentPort !== null, 'compaction worker: not started as a thread');
// On Linux alone it is the thread's, elsewhere the whole process's.
if (process.platform === 'linux') setPriority(0, LOW_PRIORITY);
parentPort.postMessage(await outcomeOf(workerData as CompactionJob));
