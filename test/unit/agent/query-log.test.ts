import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AppendFiles, type Logger, nodeFileSystem } from '../../../lib/env/index.ts';
import { QueryLog } from '../../../agent/query-log.ts';
import { SliceTimes } from '../../../agent/query-monitor.ts';

const TIMINGS = {
  evalTotalTime: 0,
  resultSortTime: 0,
  queryPreparationTime: 0,
  innerEvalTime: 0,
  execQueueTime: 0,
  execTotalTime: 0,
};
const query = (text: string) => ({
  task: { query: text, startMs: 1, endMs: 1, stepMs: 0 },
  stats: { timings: TIMINGS },
  loadedSamples: 0,
  origin: undefined,
});

describe('the query log', () => {
  let dir: string;
  let errors: number;
  const logger = { error: () => errors++, warn: () => undefined } as unknown as Logger;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-query-log-'));
    errors = 0;
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const logOn = (files: AppendFiles): QueryLog => new QueryLog({ files, logger, now: () => 0 });
  const queriesIn = (path: string): string[] =>
    readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { params: { query: string } }).params.query);

  it('has all lines in their order once it is closed, whatever pieces are written at a time', async () => {
    const path = join(dir, 'queries.log');
    const write = ((descriptor: number, bytes: Buffer, from: number, length: number, at: null, done: never) =>
      nodeFileSystem.write(descriptor, bytes, from, Math.min(length, 7), at, done)) as AppendFiles['write'];
    const log = logOn({ ...nodeFileSystem, write });
    await log.use(path);
    const texts = Array.from({ length: 50 }, (_, i) => `query_${i}`);
    for (const [i, text] of texts.entries()) {
      log.write(query(text));
      if (i % 9 === 0) await new Promise(setImmediate);
    }
    await log.close();
    log.write(query('late'));
    assert.deepEqual(queriesIn(path), texts);
    assert.equal(log.isOpen, false);
  });

  it('says once that lines are lost, and again when it happens anew', async () => {
    let fails = true;
    const write = ((descriptor: number, bytes: Buffer, from: number, length: number, at: null, done: never) => {
      if (fails) setImmediate(done as (error: Error) => void, new Error('no space left'));
      else nodeFileSystem.write(descriptor, bytes, from, length, at, done);
    }) as AppendFiles['write'];
    const log = logOn({ ...nodeFileSystem, write });
    await log.use(join(dir, 'queries.log'));
    const writeOne = async (text: string): Promise<void> => {
      log.write(query(text));
      await log.reopen();
    };
    await writeOne('lost');
    await writeOne('lost too');
    assert.deepEqual([log.failures, errors], [2, 1]);
    fails = false;
    await writeOne('written');
    fails = true;
    await writeOne('lost again');
    assert.deepEqual([log.failures, errors], [3, 2]);
    assert.deepEqual(queriesIn(join(dir, 'queries.log')), ['written']);
    await log.close();
  });

  it('goes on as before when the new file cannot be opened', async () => {
    const log = logOn(nodeFileSystem);
    const path = join(dir, 'queries.log');
    await log.use(path);
    await assert.rejects(log.use(join(dir, 'missing', 'queries.log')), { code: 'config/query-log' });
    log.write(query('kept'));
    await log.close();
    assert.deepEqual(queriesIn(path), ['kept']);
  });
});

describe('times of queries', () => {
  it('tells quantiles of the newest, and the sum and count of all', () => {
    const times = new SliceTimes();
    assert.deepEqual(times.quantiles([0.5]), [NaN]);
    for (let i = 1; i <= 1000; i++) times.add(i);
    const [half, most] = times.quantiles([0.5, 0.99]);
    assert.ok(half! > 700 && half! < 780, `${half} lies amid the newest`);
    assert.ok(most! > 985 && most! <= 1000);
    assert.deepEqual([times.count, times.sumSeconds], [1000, 500_500]);
  });

  it('are counted up to the bounds of buckets', () => {
    const times = new SliceTimes();
    assert.deepEqual(times.atMost, [0, 0, 0, 0]);
    for (const seconds of [0, 0.01, 0.011, 0.1, 5, 10, 11]) times.add(seconds);
    assert.deepEqual(times.atMost, [2, 4, 4, 6]);
  });
});
