import assert from 'node:assert/strict';
import { Queries } from '../../../../agent/query/index.ts';
import { createLogger, systemClock } from '../../../../lib/env/index.ts';
import type { Tsdb } from '../../../../lib/tsdb/index.ts';
import { open, START_MS, temporaryDirectory, write } from '../../tsdb/harness.ts';

const LIMITS = {
  queryTimeoutMs: 30_000,
  queryMaxSamples: 50_000_000,
  queryMaxBytes: 256 << 20,
  queryLookbackDeltaMs: 300_000,
  cacheBytes: 1 << 20,
};

describe('queries of an agent that starts', () => {
  const warnings: string[] = [];
  const queriesOf = (tsdb: () => Tsdb): Queries => {
    const logger = createLogger('silent');
    logger.warn = (_: unknown, message?: string) => void warnings.push(message ?? '');
    return new Queries({ tsdb, clock: systemClock, logger, limits: LIMITS, threads: 1 });
  };

  beforeEach(() => {
    warnings.length = 0;
  });

  it('are tried once, without a thread', async () => {
    let cleanUp = (): void => {};
    const db = await open(temporaryDirectory((remove) => (cleanUp = remove)));
    await write(db, [['up job=a', START_MS, 1]]);
    const queries = queriesOf(() => db);
    await queries.warm();
    assert.deepEqual(warnings, []);
    await queries.close();
    await db.close();
    cleanUp();
  });

  it('do not stop it when they fail', async () => {
    const queries = queriesOf(() => {
      throw new Error('on purpose');
    });
    await queries.warm();
    assert.deepEqual(warnings, ['the first query failed']);
    await queries.close();
  });
});
