/**
 * Queries answered on threads and, small ones, without: the same answers as by the API alone, and nothing but the own request
 * suffers from what a query does.
 */
import assert from 'node:assert/strict';
import Koa from 'koa';
import { Queries } from '../../agent/query/index.ts';
import { createApi, listen, type Listening } from '../../lib/api/index.ts';
import { type Clock, createLogger, systemClock } from '../../lib/env/index.ts';
import { Engine } from '../../lib/promql/index.ts';
import type { Tsdb } from '../../lib/tsdb/index.ts';
import { patientClock } from '../tools/patient-clock.ts';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { open, START_MS, temporaryDirectory, write } from '../unit/tsdb/harness.ts';

const STEP_MS = 15_000;
/** After which a thread that nobody needs is ended. */
const IDLE_MS = 60_000;
const SERIES = 300;
const STEPS = 200;
const LIMITS = {
  queryTimeoutMs: 600_000,
  queryMaxSamples: 50_000_000,
  queryMaxBytes: 256 << 20,
  queryLookbackDeltaMs: 300_000,
};
/** Looks at all samples of each window, again and again: a minute, if nobody ends it. */
const LONG = Array.from({ length: 60 }, (_, i) => `sum by (i) (deriv(m[${2_700 - i}s:1s]))`).join(' + ');
/** To this no time passes, so that an attempt depends on what it has to do, not on how busy the machine is. */
const TIMELESS: Clock = { ...patientClock, monotonicMs: () => 0 };

describe('query threads', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let cleanUp = (): void => {};
  let db: Tsdb;
  let queries: Queries;
  let trying: Queries;
  let threaded: Listening;
  let attempted: Listening;
  let plain: Listening;

  before(async () => {
    db = await open(
      temporaryDirectory((remove) => (cleanUp = remove)),
      { minBlockDurationMs: 600_000, limits: { maxFutureMs: 0 } },
    );
    for (let step = 0; step < STEPS; step++) {
      const rows = Array.from({ length: SERIES }, (_, i): [string, number, number] => {
        return [`m i=${i} job=${i % 7}`, START_MS + step * STEP_MS, i + step];
      });
      await write(db, rows);
      if (step === 150) await db.compact();
    }
    const logger = createLogger('silent');
    const options = {
      tsdb: () => db,
      clock: patientClock,
      logger,
      limits: { ...LIMITS, cacheBytes: 1 << 20 },
      threads: 2,
    };
    queries = new Queries({ ...options, attempts: false });
    trying = new Queries({ ...options, clock: TIMELESS });
    const deps = {
      queryable: () => db,
      engine: new Engine({ clock: systemClock }),
      clock: systemClock,
      log: logger,
      ready: () => true,
      build: { version: '', revision: '', branch: '', buildUser: '', buildDate: '', goVersion: '' },
      flags: {},
      lifecycle: false,
    };
    threaded = await listen(new Koa().use(createApi({ ...deps, endpoints: queries.endpoints() })), '127.0.0.1:0');
    attempted = await listen(new Koa().use(createApi({ ...deps, endpoints: trying.endpoints() })), '127.0.0.1:0');
    plain = await listen(new Koa().use(createApi(deps)), '127.0.0.1:0');
  });

  after(async () => {
    for (const server of [threaded, attempted, plain]) await server.close();
    await queries.close();
    await trying.close();
    await db.close();
    cleanUp();
  });

  const at = (step: number): string => String((START_MS + step * STEP_MS) / 1000);
  const url = (server: Listening, path: string): string => `http://127.0.0.1:${server.port}/api/v1/${path}`;
  const range = (query: string): string =>
    `query_range?query=${encodeURIComponent(query)}&start=${at(0)}&end=${at(STEPS)}&step=15`;

  const answerOf = async (server: Listening, request: string): Promise<{ status: number; body: string }> => {
    const response = await fetch(url(server, request));
    return { status: response.status, body: await response.text() };
  };

  const REQUESTS = [
    `query?query=sum(m)&time=${at(100)}`,
    `query?query=m{job="3"}&time=${at(190)}`,
    `query?query=${encodeURIComponent('m[5m]')}&time=${at(50)}&limit=3`,
    `query?query=sum(&time=1`,
    `query?query=m+%2B+on(job)+m&time=${at(10)}`,
    'query?query=1&time=x',
    range('sum by (job) (rate(m[1m]))'),
    range('m'),
    range('quantile_over_time(2, m{i="1"}[1m])'),
    'query_range?query=m&start=0&end=1e10&step=1',
    'labels',
    'label/i/values?limit=5',
    `series?match[]=${encodeURIComponent('m{job=~"1|2"}')}`,
    'series',
  ];
  for (const request of REQUESTS) {
    it(`answer as without them: ${request.slice(0, 60)}`, async () => {
      const expected = await answerOf(plain, request);
      assert.deepEqual(await answerOf(threaded, request), expected);
      for (let i = 0; i < 2; i++) assert.deepEqual(await answerOf(attempted, request), expected);
    });
  }

  it('are not needed for what is small', async () => {
    const { answered } = trying.attempts!;
    for (let i = 0; i < 5; i++) await answerOf(attempted, 'query?query=1%2B1&time=1');
    assert.equal(trying.attempts!.answered, answered + 5);
  });

  it('take over what turns out to be large', async () => {
    const heavy = range('sum by (i) (deriv(m[30m]))');
    const expected = await answerOf(plain, heavy);
    const { abandoned } = trying.attempts!;
    for (let i = 0; i < 3; i++) assert.deepEqual(await answerOf(attempted, heavy), expected);
    assert.equal(trying.attempts!.abandoned, abandoned + 1, 'it is tried once, then known');
  });

  it('tell of limits, which an attempt does not', async () => {
    const { status, body } = await answerOf(attempted, `${range(LONG)}&timeout=100ms`);
    assert.equal(status, 503, body);
    assert.doesNotMatch(body, /too large/);
  });

  it('answer many requests at once, more than there are threads', async () => {
    const bodies = await Promise.all(
      Array.from({ length: 12 }, async (_, i) => (await fetch(url(threaded, `query?query=${i}&time=1`))).json()),
    );
    assert.deepEqual(
      bodies.map((body) => (body as { data: { result: [number, string] } }).data.result[1]),
      Array.from({ length: 12 }, (_, i) => String(i)),
    );
  });

  it('stop when their client goes away, and serve the next', async () => {
    for (let i = 0; i < 3; i++) {
      await assert.rejects(fetch(url(threaded, range(LONG)), { signal: AbortSignal.timeout(100) }));
    }
    const response = await fetch(url(threaded, `query?query=1&time=1`));
    assert.equal(response.status, 200);
    assert.equal(queries.threads.killed, 0);
  });

  it('are given no request any more when their end has begun', async () => {
    const whenIdle: (() => void)[] = [];
    const setTimer: Clock['setTimer'] = (callback, delayMs) => {
      if (delayMs < IDLE_MS) return patientClock.setTimer(callback, delayMs);
      whenIdle.push(callback);
      return { cancel: () => {} };
    };
    const one = new Queries({
      tsdb: () => db,
      clock: { ...patientClock, setTimer },
      logger: createLogger('silent'),
      limits: { ...LIMITS, cacheBytes: 1 << 20, queryTimeoutMs: 10_000 },
      threads: 1,
      attempts: false,
    });
    const ask = (): Promise<unknown> =>
      one.threads.answer('query', {
        params: new URLSearchParams({ query: '1', time: '1' }),
        name: '',
        signal: new AbortController().signal,
      });
    try {
      const first = await ask();
      // Once the last of it was taken.
      while (whenIdle.length === 0) await new Promise(setImmediate);
      whenIdle.at(-1)!();
      assert.deepEqual(Object.keys((await ask()) as object), Object.keys(first as object));
    } finally {
      await one.close();
    }
  });

  it('say when the time of a query is over', async () => {
    const { status, body } = await answerOf(threaded, `${range(LONG)}&timeout=100ms`);
    assert.equal(status, 503, body);
    assert.equal((JSON.parse(body) as { errorType: string }).errorType, 'timeout');
  });
});
