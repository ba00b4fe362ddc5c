import { createLogger } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { type PartReport, verifyDirectory } from '../../lib/tsdb/index.ts';
import { requireDirectory } from './data-directory.ts';
import { formatBase2Bytes } from './go-format.ts';
import type { TsdbHost } from './host.ts';

/**
 * `tsdb verify`: reads and checks a whole data directory, and changes nothing.
 * @returns the exit status: 1 when there is damage
 */
export async function verify(host: TsdbHost, dir: string): Promise<number> {
  const { fileSystem, clock, out } = host;
  requireDirectory(fileSystem, dir);
  let parts = 0;
  let sizeBytes = 0;
  let damaged = 0;
  const logger = createLogger('silent');
  for await (const part of verifyDirectory({ dir, fileSystem, clock, logger, kernels: createKernels() })) {
    parts++;
    sizeBytes += part.sizeBytes;
    if (part.damage.length > 0) damaged++;
    out.write(partText(part));
    out.flush();
  }
  const verdict = damaged === 0 ? 'no damage found' : `${damaged} of them damaged`;
  out.write(`${parts} parts, ${formatBase2Bytes(sizeBytes)}: ${verdict}\n`);
  return damaged === 0 ? 0 : 1;
}

function partText({ path, sizeBytes, counts, damage, notes }: PartReport): string {
  const found = [...counts].map(([what, many]) => `${many} ${what}`);
  const lines = [
    `${path}: ${[...found, `${sizeBytes} bytes`].join(', ')}`,
    ...damage.map((sentence) => `  DAMAGED ${sentence}`),
    ...notes.map((sentence) => `  note: ${sentence}`),
  ];
  return `${lines.join('\n')}\n`;
}
