import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger, type FileSystem, nodeFileSystem, seededRandom } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { isStaleNaN, Labels, type Matcher, Matcher as LabelMatcher, SampleColumns } from '../../../lib/model/index.ts';
import { collectSeries, type Queryable } from '../../../lib/storage/index.ts';
import { openTsdb, type Tsdb, type TsdbOptions } from '../../../lib/tsdb/index.ts';
import { faulty, START_MS, temporaryDirectory, TestClock } from './environment.ts';

export { faulty, START_MS, temporaryDirectory, TestClock };

/** What a crash leaves: a copy of the files as they are now, without asking the database. */
export function crashCopy(dir: string, to: string): void {
  cpSync(dir, to, { recursive: true });
  rmSync(join(to, 'lock'), { force: true });
}

/** What `kill -9` leaves does not depend on fsync, which is what takes the time; and there is room, whatever the disk has. */
const fileSystem: FileSystem = {
  ...nodeFileSystem,
  fsyncSync: () => {},
  fdatasyncSync: () => {},
  statfsSync: (() => ({ bsize: 4096, blocks: 1 << 30, bavail: 1 << 30 })) as unknown as FileSystem['statfsSync'],
};

let openings = 0;

export function open(dir: string, options: Partial<TsdbOptions> = {}): Promise<Tsdb> {
  return openTsdb({
    dir,
    fileSystem,
    clock: new TestClock(),
    logger: createLogger('silent'),
    kernels: createKernels(),
    // Each opening names its blocks and hashes its labels in its own way, the same in every run.
    random: seededRandom(openings++),
    ...options,
  });
}

/** Compaction has written its first block, and has come to what it does next. */
export async function firstBlock(db: Tsdb): Promise<void> {
  while (db.blocks().length === 0) await new Promise(setImmediate);
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

/** Appends rows of `[labels, timestamp, value]` in one commit. @returns the results */
export async function write(db: Tsdb, rows: readonly (readonly [string, number, number])[]): Promise<number[]> {
  const appender = db.appender();
  const results = rows.map(([series, time, value]) => appender.append(appender.series(parse(series)), time, value));
  await appender.commit();
  return results;
}

/** `name a=1 b=2` */
export function parse(text: string): Labels {
  const [name = '', ...rest] = text.split(' ');
  return Labels.of([['__name__', name], ...rest.map((pair) => pair.split('=') as [string, string])]);
}

export type Dump = Record<string, [time: number, value: string][]>;

/** All samples by series. */
export async function dump(
  db: Queryable,
  matchers: readonly Matcher[] = [new LabelMatcher('=~', '__name__', '.*')],
  minMs = -1e15,
  maxMs = 1e15,
): Promise<Dump> {
  const querier = db.querier(minMs, maxMs);
  const out: Dump = {};
  const columns = new SampleColumns();
  for (const series of await collectSeries(await querier.select(true, { startMs: minMs, endMs: maxMs }, matchers))) {
    columns.clear();
    series.read(columns);
    out[series.labels.toString()] = Array.from(columns.timestamps.subarray(0, columns.length), (time, i) => [
      time,
      textOf(columns.values[i]!),
    ]);
  }
  querier.close();
  return out;
}

export function textOf(value: number): string {
  return isStaleNaN(value) ? 'stale' : Object.is(value, -0) ? '-0' : String(value);
}
