import { createKernels } from '../../lib/kernels/index.ts';
import { type BlockSummary, readBlocks } from '../../lib/tsdb/index.ts';
import { requireDirectory } from './data-directory.ts';
import { formatBase2Bytes, formatColumns, formatGoDuration, formatGoTime } from './go-format.ts';
import type { TsdbHost } from './host.ts';

/** `tsdb list`: the blocks of a data directory, in the order of their first time. */
export function listBlocks(host: TsdbHost, dir: string, humanReadable: boolean): void {
  requireDirectory(host.fileSystem, dir);
  const blocks = readBlocks({ dir, fileSystem: host.fileSystem, kernels: createKernels() });
  host.out.write(blocksText(blocks, { header: true, humanReadable }));
}

const HEADER = ['BLOCK ULID', 'MIN TIME', 'MAX TIME', 'DURATION', 'NUM SAMPLES', 'NUM CHUNKS', 'NUM SERIES', 'SIZE'];

/** The table of promtool, with `humanReadable` times and sizes as people write them. */
export function blocksText(
  blocks: readonly BlockSummary[],
  { header, humanReadable }: { readonly header: boolean; readonly humanReadable: boolean },
): string {
  const time = humanReadable ? formatGoTime : String;
  const size = humanReadable ? formatBase2Bytes : String;
  const rows = blocks.map(({ meta, sizeBytes }) => [
    meta.ulid,
    time(meta.minTime),
    time(meta.maxTime),
    formatGoDuration(meta.maxTime - meta.minTime),
    String(meta.stats.numSamples ?? 0),
    String(meta.stats.numChunks ?? 0),
    String(meta.stats.numSeries ?? 0),
    size(sizeBytes),
  ]);
  return formatColumns(header ? [HEADER, ...rows] : rows);
}
