/**
 * A data directory as a server leaves it, for servers to start on: `writeHistory` writes one with our own database, in a
 * process of its own. All servers under test read this format, so each gets a copy of the same.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Clock, createLogger, nodeFileSystem, systemClock } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { openTsdb } from '../../lib/tsdb/index.ts';
import { SERIES_PER_TARGET, TargetWorkload } from './workload.ts';

export interface History {
  readonly dir: string;
  readonly targets: number;
  readonly scrapes: number;
  readonly stepMs: number;
  /** Of the first scrape. */
  readonly startMs: number;
}

/** @returns how many samples there are, and the sum of the newest ones */
export async function writeHistory(history: History): Promise<{ samples: number; sum: number }> {
  const script = fileURLToPath(import.meta.url);
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(history)]);
  return JSON.parse(stdout) as { samples: number; sum: number };
}

/** Nothing happens by itself: what is put on file, and when, is said here. */
const TIMELESS: Clock = { ...systemClock, setTimer: () => ({ cancel: () => undefined }) };

async function write({ dir, targets, scrapes, stepMs, startMs }: History): Promise<object> {
  const db = await openTsdb({
    dir,
    fileSystem: nodeFileSystem,
    clock: TIMELESS,
    logger: createLogger('error'),
    kernels: createKernels(),
    limits: { maxFutureMs: 0, headMemoryBytes: 0 },
  });
  const workloads = Array.from({ length: targets }, (_, target) => new TargetWorkload(target));
  const refs: Uint32Array[] = [];
  const results = new Uint8Array(SERIES_PER_TARGET);
  for (let scrape = 0; scrape < scrapes; scrape++) {
    for (const [target, workload] of workloads.entries()) {
      const appender = db.appender();
      refs[target] ??= Uint32Array.from({ length: SERIES_PER_TARGET }, (_, i) => appender.series(workload.labels(i)));
      // Targets are scraped one after the other, not all at once.
      const timeMs = startMs + scrape * stepMs + Math.floor((target * stepMs) / targets);
      const refused = appender.appendColumns(refs[target], workload.scrape(), SERIES_PER_TARGET, timeMs, results);
      if (refused > 0) throw new Error(`${refused} samples refused`);
      await appender.commit();
    }
  }
  // As a server does every minute: completed chunks go on file.
  await db.compact();
  await db.close();
  const sum = workloads.reduce((all, { values }) => all + values.reduce((a, b) => a + b, 0), 0);
  return { samples: targets * scrapes * SERIES_PER_TARGET, sum };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(await write(JSON.parse(process.argv[2]!) as History)));
}
