import assert from 'node:assert/strict';
import { Engine } from '../../../lib/promql/index.ts';
import { memoryQueryable, NOW_MS, SERIES } from '../api/fixture.ts';

/** Three series of a sample a minute, the last of eleven is of now. */
const storage = memoryQueryable(SERIES);
const engine = new Engine();
const X = 'http_requests_total';

/** Of a range over the last two minutes, by minutes. */
async function counted(query: string): Promise<{ total: number[]; read: number[] }> {
  const { samples } = await engine.range(storage, query, NOW_MS - 120_000, NOW_MS, 60_000, { countSamples: true });
  assert.equal(
    samples!.total,
    samples!.totalPerStep.reduce((sum, count) => sum + count, 0),
  );
  assert.equal(
    samples!.read,
    samples!.readPerStep.reduce((sum, count) => sum + count, 0),
  );
  return { total: [...samples!.totalPerStep], read: [...samples!.readPerStep] };
}

describe('the samples that a query looks at', () => {
  const now = NOW_MS / 1000;
  const cases: [query: string, total: number[], read: number[]][] = [
    ['1', [0, 0, 0], [0, 0, 0]],
    [X, [3, 3, 3], [3, 3, 3]],
    [`sum(${X}) + count(${X})`, [6, 6, 6], [6, 6, 6]],
    [`rate(${X}[3m])`, [9, 9, 9], [9, 3, 3]],
    [`sum(rate(${X}[3m] offset -2m))`, [9, 6, 3], [9, 0, 0]],
    [`rate(${X}[30s])`, [3, 3, 3], [3, 3, 3]],
    [`${X} @ ${now}`, [3, 3, 3], [3, 0, 0]],
    [`rate(${X}[3m] @ ${now})`, [9, 9, 9], [9, 0, 0]],
    [`predict_linear(${X}[3m] @ ${now}, 60)`, [9, 9, 9], [9, 0, 0]],
    [`max_over_time(${X}[2m:1m])`, [6, 6, 6], [6, 3, 3]],
    [`max_over_time((${X} > 1e9)[2m:1m])`, [0, 0, 0], [6, 3, 3]],
    [`max_over_time(rate(${X}[3m])[2m:1m])`, [6, 6, 6], [12, 3, 3]],
    [`timestamp(${X})`, [3, 3, 3], [3, 3, 3]],
  ];
  for (const [query, total, read] of cases) {
    it(`of ${query}`, async () => {
      assert.deepEqual(await counted(query), { total, read });
    });
  }

  it('are not counted unless that is asked for', async () => {
    const { samples } = await engine.instant(storage, X, NOW_MS);
    assert.equal(samples, undefined);
  });

  it('count once where an aggregation begins again, because series are equal without their names', async () => {
    const older = SERIES.map(({ labels, samples }) => ({
      labels: { ...labels, __name__: 'older_total' },
      samples: samples.map(([timestampMs, value]) => [timestampMs - 1_200_000, value] as const),
    }));
    const both = memoryQueryable([...SERIES, ...older]);
    const total = async (selector: string): Promise<number> => {
      const query = `sum(rate(${selector}[3m]))`;
      const asked = engine.range(both, query, NOW_MS - 1_800_000, NOW_MS, 60_000, { countSamples: true });
      return (await asked).samples!.total;
    };
    const [one, other] = [await total(X), await total('older_total')];
    assert.ok(one > 50 && other > 50);
    assert.equal(await total('{__name__=~".+_total"}'), one + other);
  });
});
