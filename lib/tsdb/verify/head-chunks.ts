import type { Clock, FileSystem, Logger } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import { errorMessage } from '../../model/index.ts';
import { ChunkDecoder } from '../../chunk/index.ts';
import { HeadChunkFiles } from '../head-chunks/files.ts';
import { loadHeadChunks } from '../head-chunks/load.ts';
import { ChunkCheck } from './chunk-check.ts';
import { PartFindings, type PartReport } from './report.ts';

interface HeadChunksOptions {
  readonly fileSystem: FileSystem;
  readonly kernels: Kernels;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Reads and decodes all chunks of `chunks_head/` up to the first damage, behind which start-up would read no further. */
export async function verifyHeadChunks(options: HeadChunksOptions, dir: string): Promise<PartReport> {
  const { fileSystem, kernels, clock, logger } = options;
  const findings = new PartFindings(dir);
  const files = new HeadChunkFiles({ dir, fileSystem, kernels });
  const check = new ChunkCheck(new ChunkDecoder(kernels));
  try {
    const { files: read, damage } = await loadHeadChunks(
      {
        dir,
        fileSystem,
        kernels,
        logger,
        monotonicMs: () => clock.monotonicMs(),
        repair: false,
        // Nothing is put there.
        corruptDir: dir,
      },
      ({ file, offsetBytes }) => {
        const chunk = files.read(file, offsetBytes);
        try {
          findings.count('samples', check.run(chunk));
        } catch (error) {
          findings.fail(`${dir}: chunk in file ${file} at ${offsetBytes}: ${errorMessage(error)}`);
        }
        findings.count('chunks', 1);
      },
    );
    findings.counts.set('files', read);
    for (const { file, offsetBytes, reason, torn } of damage) {
      const sentence = `${file}: ${reason} at ${offsetBytes}`;
      if (torn === true) findings.notes.push(sentence);
      else findings.fail(sentence);
    }
  } catch (error) {
    findings.failWith(error);
  } finally {
    files.close();
  }
  return findings.report(fileSystem);
}
