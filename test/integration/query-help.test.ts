/** Queries that several threads work on: the same answers, and one clean error where one of them fails. */
import assert from 'node:assert/strict';
import type { MessagePort } from 'node:worker_threads';
import { Queries } from '../../agent/query/index.ts';
import { OtherThreads } from '../../agent/query/assistance.ts';
import { type Answer, type ApiRequest, DEFAULT_API_LIMITS, queryEndpoints } from '../../lib/api/query/index.ts';
import { createLogger, systemClock } from '../../lib/env/index.ts';
import { type AssistTask, Engine } from '../../lib/promql/index.ts';
import { PartClaims } from '../../lib/promql/parallel/part-claims.ts';
import type { Tsdb } from '../../lib/tsdb/index.ts';
import { patientClock } from '../tools/patient-clock.ts';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { divided } from '../tools/shards.ts';
import { open, START_MS, temporaryDirectory, write } from '../unit/tsdb/harness.ts';

const STEP_MS = 15_000;
const SERIES = 1_000;
const STEPS = 120;
const LIMITS = {
  queryTimeoutMs: 600_000,
  queryMaxSamples: 50_000_000,
  queryMaxBytes: 256 << 20,
  queryLookbackDeltaMs: 300_000,
  cacheBytes: 1 << 20,
};
/** So many steps make any query of all series a large one. */
const RANGE = { start: String(START_MS / 1000), end: String((START_MS + STEPS * STEP_MS) / 1000), step: '1' };

/** Looks at all samples of each window, again and again: a minute, of both threads, if nobody ends it. */
const LONG = Array.from({ length: 60 }, (_, i) => `sum(deriv(m[${1_200 - i}s]))`).join(' + ');

describe('queries with the help of other threads', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let cleanUp = (): void => {};
  let db: Tsdb;
  let queries: Queries;
  const logger = createLogger('silent');
  const plain = queryEndpoints(
    { queryable: () => db, engine: new Engine({ clock: systemClock }), clock: systemClock },
    DEFAULT_API_LIMITS,
  );

  before(async () => {
    const dir = temporaryDirectory((remove) => (cleanUp = remove));
    db = await open(dir, { minBlockDurationMs: 600_000, limits: { maxFutureMs: 0 } });
    for (let step = 0; step < STEPS; step++) {
      const rows = Array.from({ length: SERIES }, (_, i): [string, number, number] => {
        return [`m i=${i} job=${i % 7}`, START_MS + step * STEP_MS, (i % 97) + step];
      });
      await write(db, rows);
      if (step === 90) await db.compact();
    }
    assert.ok(db.blocks().length > 0);
    queries = start(LIMITS);
  });

  after(async () => {
    await queries.close();
    await db.close();
    cleanUp();
  });

  function start(limits: typeof LIMITS, threads = 2): Queries {
    return new Queries({ tsdb: () => db, clock: patientClock, logger, limits, threads, attempts: false });
  }

  function request(query: string, rest: object = {}): ApiRequest {
    const { signal } = new AbortController();
    return { params: new URLSearchParams({ query, ...RANGE }), name: '', signal, ...rest };
  }

  const asked = (from: Queries, query: string, rest?: object): Promise<string> =>
    textOf(from.endpoints()['query_range']!(request(query, rest)));

  const QUERIES = [
    'sum by (job) (rate(m[1m]))',
    'topk(3, m)',
    'max(m) - min(m{job!="3"})',
    'avg without (i) (m * 2)',
    'count(rate({__name__=~".+"}[1m]))',
    'sum by (i) (m)',
    'histogram_quantile(0.5, sum by (job) (m))',
  ];
  for (const query of QUERIES) {
    it(`are answered as without them: ${query}`, async () => {
      const expected = await textOf(plain['query_range']!(request(query)));
      assert.ok(expected.length > 1000 || query.startsWith('histogram'));
      const { helped } = queries.threads;
      // Nobody helps while the other thread is not done with what was before.
      do assert.equal(await asked(queries, query), expected);
      while (queries.threads.helped === helped);
    });
  }

  it('are answered when all threads are at work for others', async () => {
    const expected = await asked(queries, QUERIES[0]!);
    const answers = await Promise.all(Array.from({ length: 8 }, () => asked(queries, QUERIES[0]!)));
    for (const answer of answers) assert.equal(answer, expected);
  });

  it('leave nothing at work when their client goes away', async () => {
    for (let i = 0; i < 5; i++) {
      const gone = asked(queries, LONG, { signal: AbortSignal.timeout(30 + 30 * i) });
      await assert.rejects(gone);
    }
    assert.equal(queries.threads.killed, 0);
    const expected = await textOf(plain['query_range']!(request(QUERIES[1]!)));
    assert.equal(await asked(queries, QUERIES[1]!), expected);
  });

  it('fail as one when their time is over', async () => {
    const params = new URLSearchParams({ query: LONG, ...RANGE, timeout: '150ms' });
    await assert.rejects(asked(queries, '', { params }), { errorType: 'timeout' });
    assert.equal(await asked(queries, '1'), await textOf(plain['query_range']!(request('1'))));
  });

  it('fail as one when they take too much memory', async () => {
    const poor = start({ ...LIMITS, queryMaxBytes: 8 << 20 });
    try {
      for (let i = 0; i < 5; i++) await assert.rejects(asked(poor, 'sum by (i) (m)'), /more than 8388608 bytes/);
      assert.match(await asked(poor, 'sum(m)'), /success|matrix/);
    } finally {
      await poor.close();
    }
  });

  it('fail as one when their threads are ended', async () => {
    const ended = start(LIMITS);
    await asked(ended, QUERIES[0]!);
    const failing = asked(ended, LONG);
    setTimeout(() => void ended.close(), 100);
    await assert.rejects(failing, { errorType: 'unavailable' });
  });

  describe('that are ended', () => {
    const engine = new Engine({ clock: systemClock });
    const parts = (): ReturnType<typeof divided> => divided(db, 4);
    const sum = (helper: (task: AssistTask, port: MessagePort) => void): Promise<unknown> => {
      const assistants = new OtherThreads(1, ({ task, ports }) => helper(task, ports[0]!));
      return engine.instant(parts(), 'sum(m)', START_MS, { assistants }).then(({ value }) => value);
    };

    /** Takes parts as a helper does, and does nothing with them. */
    const take = (task: AssistTask, port: MessagePort): void => {
      port.postMessage({ kind: 'begun' });
      assert.ok(new PartClaims(task.parts.length, task.claims).takeLast(task.sharers) !== undefined);
    };

    it('with parts of the work make the query fail', async () => {
      const ending = sum((task, port) => {
        take(task, port);
        port.close();
      });
      await assert.rejects(ending, { code: 'query/helper-ended' });
    });

    it('are not waited for when nobody wants the answer any more', async () => {
      const abort = new AbortController();
      const assistants = new OtherThreads(1, ({ task, ports }) => {
        take(task, ports[0]!);
        setTimeout(() => abort.abort(), 50);
      });
      const waiting = engine.instant(parts(), 'sum(m)', START_MS, { assistants, signal: abort.signal });
      await assert.rejects(waiting, { code: 'promql/canceled' });
    });

    it('before they have begun are not missed', async () => {
      const { value } = await engine.instant(db, 'sum(m)', START_MS);
      assert.deepEqual(await sum((_, port) => port.close()), value);
      assert.deepEqual(await sum(() => {}), value);
    });
  });

  it('give back what is lent when all have read it', async () => {
    await asked(queries, QUERIES[0]!);
    await db.compact();
    assert.ok((await asked(queries, QUERIES[0]!)).length > 1000);
  });
});

async function textOf(answer: Promise<Answer>): Promise<string> {
  const { pieces, annotations } = await answer;
  let text = JSON.stringify([annotations?.warnings, annotations?.infos]);
  for await (const piece of pieces!) text += typeof piece === 'string' ? piece : Buffer.from(piece).toString();
  return text;
}
