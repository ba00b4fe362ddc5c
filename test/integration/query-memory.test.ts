/** The memory that the queries of all threads share: whatever becomes of a query, what it had is free afterwards. */
import assert from 'node:assert/strict';
import type { Worker } from 'node:worker_threads';
import { Queries } from '../../agent/query/index.ts';
import type { Answer } from '../../lib/api/query/index.ts';
import { createLogger } from '../../lib/env/index.ts';
import type { Tsdb } from '../../lib/tsdb/index.ts';
import { patientClock } from '../tools/patient-clock.ts';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { open, START_MS, temporaryDirectory, write } from '../unit/tsdb/harness.ts';

const STEP_MS = 15_000;
const SERIES = 300;
const STEPS = 200;
/** Room for one answer with all samples, not for two. */
const MAX_TOTAL_BYTES = 2 << 20;
const LIMITS = {
  queryTimeoutMs: 600_000,
  queryMaxSamples: 50_000_000,
  queryMaxBytes: 256 << 20,
  queryMaxTotalBytes: MAX_TOTAL_BYTES,
  queryLookbackDeltaMs: 300_000,
  cacheBytes: 1 << 20,
};

describe('the memory of queries on threads', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let cleanUp = (): void => {};
  let db: Tsdb;
  let queries: Queries;

  before(async () => {
    db = await open(
      temporaryDirectory((remove) => (cleanUp = remove)),
      { limits: { maxFutureMs: 0 } },
    );
    for (let step = 0; step < STEPS; step++) {
      const rows = Array.from({ length: SERIES }, (_, i): [string, number, number] => {
        return [`m i=${i}`, START_MS + step * STEP_MS, i + step];
      });
      await write(db, rows);
    }
  });

  after(async () => {
    await db.close();
    cleanUp();
  });

  beforeEach(() => {
    queries = queriesWith({});
  });

  const queriesWith = (limits: Partial<typeof LIMITS>, threads = 2): Queries =>
    new Queries({
      tsdb: () => db,
      clock: patientClock,
      logger: createLogger('silent'),
      limits: { ...LIMITS, ...limits },
      threads,
      attempts: false,
    });

  afterEach(async () => {
    await queries.close();
    assert.equal(queries.threads.takenBytes, 0);
  });

  const ask = (query: string, signal = new AbortController().signal, step = '15'): Promise<Answer> => {
    const [start, end] = [START_MS / 1000, (START_MS + STEPS * STEP_MS) / 1000];
    const params = new URLSearchParams({ query, start: String(start), end: String(end), step });
    return queries.threads.answer('query_range', { params, name: '', signal });
  };

  const list = (endpoint: string, limits: Partial<typeof LIMITS>): Promise<Answer> => {
    queries = queriesWith(limits);
    const params = new URLSearchParams({ 'match[]': 'm' });
    return queries.threads.answer(endpoint, { params, name: 'i', signal: new AbortController().signal });
  };

  const lengthOf = async ({ pieces }: Answer): Promise<number> => {
    let length = 0;
    for await (const piece of pieces!) length += piece.length;
    return length;
  };

  const isFree = async (): Promise<void> => {
    while (queries.threads.takenBytes > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  it('is held until the last of an answer was taken, and refused to others so long', async () => {
    const first = await ask('m');
    assert.ok(queries.threads.takenBytes > MAX_TOTAL_BYTES / 2, String(queries.threads.takenBytes));
    const isRefused = {
      code: 'api/unavailable',
      message:
        `all queries together would take more than ${MAX_TOTAL_BYTES} bytes of memory (--query.max-total-bytes): ` +
        'ask again later, or select fewer series, a shorter time or a wider step',
    };
    await assert.rejects(ask('m'), isRefused);
    assert.ok((await lengthOf(await ask('m{i="1"}'))) > 0);
    assert.ok((await lengthOf(first)) > 1e6);
    await isFree();
    assert.ok((await lengthOf(await ask('m'))) > 1e6);
  });

  it('is given back when a query fails', async () => {
    await assert.rejects(ask('m + m + m + m + m'), { code: 'api/unavailable' });
    await isFree();
    await assert.rejects(ask('m{i=~"1."} + on () m{i=~"1."}'), { code: 'api/execution' });
    await isFree();
  });

  it('is given back when the client goes away, and when the thread is ended', async () => {
    const client = new AbortController();
    await ask('m', client.signal);
    assert.ok(queries.threads.takenBytes > 0);
    client.abort();
    await isFree();
    const { pieces } = await ask('m');
    assert.ok(queries.threads.takenBytes > 0);
    await queries.close();
    assert.equal(queries.threads.takenBytes, 0);
    await assert.rejects(lengthOf({ pieces: pieces! }), { message: 'the query thread was ended' });
  });

  it('is given back by the thread that left much behind, which goes on', async () => {
    let started = 0;
    /** What was taken each time that a thread was told to clean up. */
    const leftBytes: number[] = [];
    const watch = (worker: Worker): void => {
      started++;
      const post = worker.postMessage.bind(worker) as (...message: unknown[]) => void;
      worker.postMessage = (message: { kind: string }, ...rest: unknown[]) => {
        if (message.kind === 'clean') leftBytes.push(queries.threads.takenBytes);
        post(message, ...rest);
      };
    };
    process.on('worker', watch);
    try {
      queries = queriesWith({ queryMaxBytes: 1 << 30, queryMaxTotalBytes: 1 << 30 }, 1);
      // What the collector has come to already is not left behind.
      while (leftBytes.length < 2) {
        // 18 million values, of which 300 are left.
        await lengthOf(await ask('max_over_time(m[50m:50ms] @ end())', undefined, String(STEPS * 15)));
        await isFree();
      }
    } finally {
      process.off('worker', watch);
    }
    for (const bytes of leftBytes) assert.ok(bytes > 64 << 20, String(bytes));
    assert.equal(started, 1);
  });

  for (const endpoint of ['series', 'label/:name/values']) {
    it(`is counted for ${endpoint}`, async () => {
      await assert.rejects(list(endpoint, { queryMaxBytes: 4_096 }), {
        code: 'api/execution',
        message: /^query processing would take more than 4096 bytes of memory \(--query\.max-bytes\)/,
      });
      await queries.close();
      await assert.rejects(list(endpoint, { queryMaxTotalBytes: 4_096 }), {
        code: 'api/unavailable',
        message: /^all queries together would take more than 4096 bytes of memory \(--query\.max-total-bytes\)/,
      });
      await queries.close();
      assert.ok((await lengthOf(await list(endpoint, {}))) > 1_000);
    });
  }
});
