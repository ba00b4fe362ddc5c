/** Writes a checkpoint on its own thread, with kernels and memory of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { createLogger, nodeFileSystem } from '../../../../lib/env/index.ts';
import { createKernels } from '../../../../lib/kernels/index.ts';
import { writeCheckpoint } from '../../../../lib/tsdb/wal/checkpoint.ts';
import { KeptSeries } from '../../../../lib/tsdb/wal/kept-series.ts';

export interface CheckpointWork {
  readonly dir: string;
  readonly corruptDir: string;
  readonly lastSegment: number;
  readonly mintMs: number;
  readonly kept: Uint32Array<ArrayBuffer>;
}

const { kept, ...work } = workerData as CheckpointWork;
const series = new KeptSeries(kept);
const report = await writeCheckpoint({
  ...work,
  fileSystem: nodeFileSystem,
  kernels: createKernels(),
  logger: createLogger('silent'),
  monotonicMs: () => performance.now(),
  keep: (ref) => series.has(ref),
  compress: true,
});
parentPort!.postMessage(report);
