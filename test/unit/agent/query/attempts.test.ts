/** With a clock that stands still, an attempt ends by the work that is announced alone. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Attempts } from '../../../../agent/query/attempts.ts';
import { TurnShare } from '../../../../agent/query/turn-share.ts';
import type { ApiRequest } from '../../../../lib/api/query/index.ts';
import type { Clock } from '../../../../lib/env/index.ts';
import type { Tsdb } from '../../../../lib/tsdb/index.ts';
import { open, START_MS, temporaryDirectory, write } from '../../tsdb/harness.ts';

const LIMITS = {
  queryTimeoutMs: 30_000,
  queryMaxSamples: 50_000_000,
  queryMaxBytes: 256 << 20,
  queryLookbackDeltaMs: 300_000,
  cacheBytes: 1 << 20,
};
const SERIES = 12_000;
const TIME = String(START_MS / 1000);

class StandingClock implements Clock {
  nowMs = 0;
  /** How far it goes whenever it is looked at. */
  tickMs = 0;

  now(): number {
    return START_MS;
  }

  monotonicMs(): number {
    return (this.nowMs += this.tickMs);
  }

  setTimer() {
    return { cancel: () => {} };
  }
}

describe('attempts on the thread of the server', () => {
  let db: Tsdb;
  let cleanUp = (): void => {};
  let clock: StandingClock;
  let attempts: Attempts;

  before(async () => {
    db = await open(temporaryDirectory((remove) => (cleanUp = remove)));
    const long = 'a'.repeat(1_000);
    await write(
      db,
      Array.from({ length: SERIES }, (_, i) => [`m i=${i} group=${i % 3} long=${long}${i % 20}`, START_MS, i]),
    );
  });

  after(async () => {
    await db.close();
    cleanUp();
  });

  beforeEach(() => {
    clock = new StandingClock();
    attempts = new Attempts({ queryable: () => db, clock, limits: LIMITS });
  });

  const request = (params: Record<string, string>, name = ''): ApiRequest => ({
    params: new URLSearchParams(params),
    name,
    signal: new AbortController().signal,
  });
  const query = (text: string) => attempts.answer('query', request({ query: text, time: TIME }));
  const textOf = async (text: string): Promise<string | undefined> => {
    const answer = await query(text);
    return answer && [...(answer.pieces as Iterable<string>)].join('');
  };

  it('answer what is small', async () => {
    assert.equal(await textOf('m{i="7"} + 1'), `{"resultType":"vector","result":[${sample(7, 8)}]}`);
    assert.equal(attempts.answered, 1);
  });

  it('throw what is wrong with a request, as a thread would', async () => {
    await assert.rejects(query('sum('), { code: 'promql/parse' });
    await assert.rejects(query('m{i="7"} + on() group_left() (m{i=~"1|2"})'), { code: 'promql/execution' });
    await assert.rejects(attempts.answer('query', request({ query: '1', time: 'x' })), { code: 'api/bad_data' });
  });

  const LARGE: Record<string, () => Promise<unknown>> = {
    'reading many series': () => query('m'),
    'reading many series to look at few': () => query('count(m)'),
    'a regex over many values': () => query('m{i=~".*7.*7.*"}'),
    'a regex over long values': () => query('m{group="1",long=~".*a.*a.*a.*b"}'),
    'a subquery of many steps': () => query('sum_over_time(vector(1)[30d:1s])'),
    series: () => attempts.answer('series', request({ 'match[]': 'm' })),
    'many values': () => attempts.answer('label/:name/values', request({}, 'i')),
    'many values, matched': () => attempts.answer('label/:name/values', request({ 'match[]': 'm{group!="1"}' }, 'i')),
    'names of many series': () => attempts.answer('labels', request({ 'match[]': 'm{group="1"}' })),
  };
  for (const [what, ask] of Object.entries(LARGE)) {
    it(`give up ${what}, and do not try it again`, async () => {
      assert.equal(await ask(), undefined);
      await nextTurn();
      assert.equal(await ask(), undefined);
      assert.deepEqual([attempts.answered, attempts.abandoned], [0, 1]);
    });
  }

  it('do not try what may cost more than is announced', async () => {
    const regexes = ['m{i=~"7{1000}"}', 'm{i=~"\\\\pL"}', 'm{i=~"(?i)a"}', 'label_replace(m{i="7"},"a","b","c","d")'];
    for (const text of [...regexes, `m{i="${'7'.repeat(5_000)}"}`]) {
      assert.equal(await query(text), undefined);
      await nextTurn();
    }
    assert.deepEqual([attempts.answered, attempts.abandoned], [0, 0]);
  });

  it('give up when their time is over, and say nothing of it', async () => {
    clock.tickMs = 1.5;
    assert.equal(await query('m{i=~"1|2|3|4|5"}'), undefined);
    assert.equal(attempts.abandoned, 1);
  });

  it('try again what was too slow soon, and what was too large after a while', async () => {
    clock.tickMs = 1.5;
    assert.equal(await query('m{i="7"}'), undefined);
    clock.tickMs = 0;
    await nextTurn();
    assert.equal(await query('m{i="7"}'), undefined);
    clock.nowMs += 5;
    assert.ok(await query('m{i="7"}'));
    await nextTurn();
    assert.equal(await query('m'), undefined);
    clock.nowMs += 61_000;
    await nextTurn();
    assert.equal(await query('m'), undefined);
    assert.equal(attempts.abandoned, 3);
  });

  it('take half of the time, but for what a thread would cost as well', () => {
    const share = new TurnShare(clock);
    for (let i = 0; i < 11; i++) share.used(2);
    assert.ok(share.enter());
    share.used(5_000);
    assert.equal(share.enter(), undefined);
    clock.nowMs += 7;
    assert.ok(share.enter());
    for (let i = 0; i < 1_000; i++) share.used(0.2);
    assert.ok(share.enter());
  });

  it('come one in a turn of the event loop', async () => {
    let turns = 0;
    const count = (): void => {
      turns++;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    const answers = await Promise.all(Array.from({ length: 8 }, () => query('1')));
    clearImmediate(next);
    assert.ok(answers.every((answer) => answer !== undefined));
    assert.ok(turns >= 7, `${turns} turns`);
  });

  it('leave the rest of a crowd to threads', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => query('1')));
    assert.equal(answers.filter((answer) => answer === undefined).length, 11);
  });

  function sample(i: number, value: number): string {
    const labels = `{"group":"${i % 3}","i":"${i}","long":"${'a'.repeat(1_000)}${i % 20}"}`;
    return `{"metric":${labels},"value":[${TIME},"${value}"]}`;
  }
});
