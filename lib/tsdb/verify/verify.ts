import { join } from 'node:path';
import type { Clock, FileSystem, Logger } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import { errorMessage, PromletError } from '../../model/index.ts';
import { isUlid } from '../block/meta.ts';
import { verifyBlock } from './block.ts';
import { verifyHeadChunks } from './head-chunks.ts';
import { verifyLog } from './log.ts';
import type { PartReport } from './report.ts';

export interface VerifyOptions {
  /** The data directory. */
  readonly dir: string;
  readonly fileSystem: FileSystem;
  readonly kernels: Kernels;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Reads all that a data directory holds and checks it: checksums, order, and that what belongs together agrees. Nothing is
 * changed, and damage in one place does not keep the rest from being read. A directory that is in use may be verified: what
 * is being written at its end is taken for a torn write.
 *
 * Not looked at: label indices and hash of an index, which no reader uses; `chunk_snapshot.*`; other files.
 * @returns one report after another: blocks, `chunks_head/`, `wal/`, `wbl/`; parts that are not there are left out
 * @throws PromletError `storage/open` when the directory cannot be read
 */
export async function* verifyDirectory(options: VerifyOptions): AsyncGenerator<PartReport> {
  const { dir, fileSystem } = options;
  const names = namesIn(dir, fileSystem);
  for (const name of names.filter(isUlid)) yield verifyBlock({ ...options, blockDir: join(dir, name) });
  if (names.includes('chunks_head')) yield await verifyHeadChunks(options, join(dir, 'chunks_head'));
  for (const name of ['wal', 'wbl']) if (names.includes(name)) yield await verifyLog(options, join(dir, name));
}

function namesIn(dir: string, fileSystem: FileSystem): string[] {
  try {
    return fileSystem.readdirSync(dir).sort();
  } catch (cause) {
    throw new PromletError('storage/open', `cannot list ${dir}: ${errorMessage(cause)}`, { cause });
  }
}
