/**
 * Selecting all samples from the head and from a block, without PromQL and HTTP: what storage takes of a query. In a process of
 * its own: `node test/bench/select.ts [targets] [scrapes]`.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createLogger, nodeFileSystem } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { Labels, Matcher, SampleColumns } from '../../lib/model/index.ts';
import { openTsdb, type Tsdb } from '../../lib/tsdb/index.ts';
import { DataClock } from './data-clock.ts';
import { writeHistory } from './history.ts';
import { median } from './table.ts';

export interface SelectFigures {
  readonly samples: number;
  /** Selecting sorted series and decoding them, the block's from pages that were read before; ns per sample. */
  readonly headNs: number;
  readonly blockNs: number;
  /** Of the values read; the same from both. */
  readonly sum: number;
}

const STEP_MS = 15_000;
const HOUR_MS = 3_600_000;
const START_MS = 1_699_920_000_000;
const ROUNDS = 5;
const TAIL = Labels.of({ __name__: 'tail' });

/** @param scrapes at most 480, two hours */
export async function run(targets: number, scrapes: number): Promise<SelectFigures> {
  const script = fileURLToPath(import.meta.url);
  const { stdout } = await promisify(execFile)(process.execPath, [script, String(targets), String(scrapes)]);
  return JSON.parse(stdout) as SelectFigures;
}

async function measure(targets: number, scrapes: number): Promise<SelectFigures> {
  const dir = mkdtempSync(join(tmpdir(), 'promlet-select-'));
  try {
    const { samples } = await writeHistory({ dir, targets, scrapes, stepMs: STEP_MS, startMs: START_MS });
    const clock = new DataClock(START_MS + 2 * HOUR_MS);
    const logger = createLogger('error');
    const shared = { dir, fileSystem: nodeFileSystem, clock, logger, kernels: createKernels() };
    const db = await openTsdb({ ...shared, limits: { maxFutureMs: 0, headMemoryBytes: 0 } });
    const head = await selectAll(db, samples);
    // A sample hours later: the head spans enough for its first two hours to become a block.
    const appender = db.appender();
    appender.append(appender.series(TAIL), START_MS + 4 * HOUR_MS, 1);
    await appender.commit();
    await db.compact();
    if (db.blocks().length !== 1) throw new Error(`${db.blocks().length} blocks`);
    const block = await selectAll(db, samples);
    if (block.sum !== head.sum) throw new Error(`the block has ${block.sum}, the head had ${head.sum}`);
    await db.close();
    return { samples, headNs: head.ns, blockNs: block.ns, sum: head.sum };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function selectAll(db: Tsdb, expected: number): Promise<{ ns: number; sum: number }> {
  const columns = new SampleColumns();
  const times: number[] = [];
  let sum = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now();
    const endMs = START_MS + 2 * HOUR_MS - 1;
    const querier = db.querier(START_MS, endMs);
    const matchers = [new Matcher('=', '__name__', 'http_requests_total')];
    const { batches } = await querier.select(true, { startMs: START_MS, endMs }, matchers);
    let count = 0;
    sum = 0;
    for await (const batch of batches) {
      for (const series of batch) {
        columns.clear();
        series.read(columns);
        count += columns.length;
        sum += columns.values[columns.length - 1]!;
      }
    }
    querier.close();
    times.push(performance.now() - started);
    if (count !== expected) throw new Error(`${count} of ${expected} samples`);
  }
  return { ns: (median(times) * 1e6) / expected, sum };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(await measure(Number(process.argv[2] ?? 260), Number(process.argv[3] ?? 480))));
}
