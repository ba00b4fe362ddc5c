/** Reads a database that the main thread has open, when it is asked to, and answers with all samples. */
import { parentPort } from 'node:worker_threads';
import { nodeFileSystem } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { type ReadHandle, TsdbReader } from '../../../lib/tsdb/index.ts';
import { dump } from './harness.ts';

const reader = new TsdbReader({ fileSystem: nodeFileSystem, kernels: createKernels(), cacheBytes: 1 << 20 });

parentPort!.on('message', (handle: ReadHandle) => {
  void dump(reader.queryable(handle)).then((samples) => parentPort!.postMessage(samples));
});
