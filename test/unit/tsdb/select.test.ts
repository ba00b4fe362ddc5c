import assert from 'node:assert/strict';
import { seededRandom } from '../../../lib/env/index.ts';
import { compareUtf8, Labels, Matcher, type MatchType } from '../../../lib/model/index.ts';
import { collectSeries } from '../../../lib/storage/index.ts';
import type { Tsdb } from '../../../lib/tsdb/index.ts';
import { dump, open, START_MS, temporaryDirectory } from './harness.ts';

const HINTS = { startMs: -1e15, endMs: 1e15 };

describe('tsdb: selecting', () => {
  const cleanUps: (() => unknown)[] = [];
  let db: Tsdb;
  const all: Labels[] = [];
  before(async () => {
    db = await open(temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)));
    const random = seededRandom(1);
    const appender = db.appender();
    const value = (n: number): string => ['', 'a', 'b', 'ab', 'abc', 'b.c'][Math.floor(random() * n)]!;
    for (let i = 0; i < 400; i++) {
      const labels = Labels.of({ __name__: `m${i % 3}`, x: value(6), y: value(4), z: value(2), i: String(i % 40) });
      if (!all.some((other) => other.equals(labels))) all.push(labels);
      appender.append(appender.series(labels), START_MS, i);
    }
    await appender.commit();
  });
  after(async () => {
    await db.close();
    for (const cleanUp of cleanUps) cleanUp();
  });

  const texts: Record<MatchType, string[]> = {
    '=': ['', 'a', 'abc', 'none'],
    '!=': ['', 'a', 'none'],
    '=~': ['', 'a', 'a|b', '|a', '.*', '.+', 'a.*', '.*c', 'none|a', 'b\\.c', '(a|b)?'],
    '!~': ['', 'a', 'a|b', '|a', '.*', '.+', 'a.*', '.*c', 'a?b?'],
  };
  for (const [type, patterns] of Object.entries(texts) as [MatchType, string[]][]) {
    for (const pattern of patterns) {
      it(`selects x${type}"${pattern}" alone and with another matcher as a plain filter would`, async () => {
        for (const others of [
          [],
          [new Matcher('=', '__name__', 'm1')],
          [new Matcher('!=', 'y', 'a')],
          [new Matcher('=~', 'y', '.+'), new Matcher('=', 'z', '')],
          [new Matcher('=', 'absent', '')],
          [new Matcher('!=', 'absent', '')],
        ]) {
          const matchers = [new Matcher(type, 'x', pattern), ...others];
          const expected = all.filter((labels) => matchers.every((m) => m.matches(labels.get(m.name))));
          expected.sort((a, b) => a.compare(b));
          assert.deepEqual(Object.keys(await dump(db, matchers)), expected.map(String));
        }
      });
    }
  }

  it('gives label names and values, all or of matching series, sorted and up to a limit', async () => {
    const querier = db.querier(0, 1e15);
    const where = [new Matcher('=', 'x', 'abc'), new Matcher('!=', 'y', '')];
    const matching = all.filter((labels) => where.every((m) => m.matches(labels.get(m.name))));
    const distinct = (of: (labels: Labels) => string[]): string[] =>
      [...new Set(matching.flatMap(of))].sort(compareUtf8);
    assert.deepEqual((await querier.labelNames({}, [])).values, ['__name__', 'i', 'x', 'y', 'z']);
    assert.deepEqual((await querier.labelNames({ limit: 2 }, [])).values, ['__name__', 'i']);
    assert.deepEqual((await querier.labelValues('x', {}, [])).values, ['a', 'ab', 'abc', 'b', 'b.c']);
    assert.deepEqual((await querier.labelValues('absent', {}, [])).values, []);
    assert.deepEqual(
      (await querier.labelValues('i', {}, where)).values,
      distinct((labels) => [labels.get('i')]),
    );
    assert.deepEqual(
      (await querier.labelNames({}, where)).values,
      distinct((labels) => [...labels].map(([name]) => name)),
    );
    const outside = db.querier(0, 1);
    assert.deepEqual((await outside.labelNames({}, [])).values, []);
    assert.deepEqual(await collectSeries(await outside.select(false, HINTS, [new Matcher('!=', 'x', '?')])), []);
  });

  it('honours a limit and an aborted signal', async () => {
    const querier = db.querier(-1e15, 1e15);
    const some = [new Matcher('=~', '__name__', '.+')];
    assert.equal((await collectSeries(await querier.select(true, { ...HINTS, limit: 5 }, some))).length, 5);
    await assert.rejects(querier.select(true, { ...HINTS, signal: AbortSignal.abort() }, some), { name: 'AbortError' });
  });
});
