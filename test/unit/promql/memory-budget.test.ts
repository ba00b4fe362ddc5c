import assert from 'node:assert/strict';
import { Labels } from '../../../lib/model/index.ts';
import { Engine } from '../../../lib/promql/index.ts';
import { MemoryStorage } from '../../conformance/promqltest/memory-storage.ts';

const MIB = 1024 * 1024;
const STEP_MS = 15_000;

/** Series `m{i="…",j="…"}` with 100 samples each; no two values are equal. */
function storageWith(seriesCount: number): MemoryStorage {
  const storage = new MemoryStorage();
  for (let i = 0; i < seriesCount; i++) {
    const labels = Labels.of({ __name__: 'm', i: String(i), j: String(i % 2) });
    for (let s = 0; s < 100; s++) storage.add(labels, s * STEP_MS, i * 100 + s);
  }
  return storage;
}

/** Queries on 200 series over 100 steps, which take about 0.3 MiB, each with what makes it take more than 1 MiB. */
const TOO_LARGE: Readonly<Record<string, string>> = {
  'a subquery with too many steps': 'max_over_time(vector(1)[1d:1s])',
  'a subquery of a subquery': 'max_over_time(max_over_time(vector(1)[10m:100ms])[10m:100ms])',
  'a subquery over many series': 'max_over_time(m[1h:5s])',
  'count_values with a series for each value': 'count_values("v", m)',
  'labels that label_replace makes long': `label_replace(m, "long", "${'$1'.repeat(2_000)}", "__name__", "(.+)")`,
  'labels that label_join makes long': `label_join(m, "long", "${'-'.repeat(3_000)}", "i", "j", "i")`,
  'a join with a series for each pair': 'm * on (i) group_left (k) label_replace(m, "k", "$1", "i", "(.*)") + on (i) m',
  'one value for a whole range': 'm @ 300 + (m + m @ 300)',
  'topk of all after a copy': 'topk(200, topk(200, m + 1) + 0) + topk(200, m)',
  'sides that are held while the other is made': 'm + (m + (m + (m + (m + m))))',
  'selectors that are kept because they stand twice': 'rate(m[1h]) + rate(m[1h]) + (m offset 1s) + (m offset 1s)',
  'sets of labels': 'm or (m + 1) or (m + 2) or (m + 3) or (m + 4)',
};

describe('The byte budget of a query', function () {
  this.timeout(600_000);
  const storage = storageWith(200);
  const range = (engine: Engine, query: string) => engine.range(storage, query, 0, 99 * STEP_MS, STEP_MS);

  for (const [what, query] of Object.entries(TOO_LARGE)) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(range(new Engine({ maxBytes: MIB }), query), {
        code: 'promql/too-many-bytes',
        message:
          'query processing would take more than 1048576 bytes of memory (--query.max-bytes): ' +
          'select fewer series, a shorter time or a wider step',
      });
      await range(new Engine({ maxBytes: 64 * MIB }), query);
    });
  }

  it('takes what is held at a time, not all that ever was', async () => {
    const chain = `m${' + 1'.repeat(200)}`;
    const { value } = await range(new Engine({ maxBytes: 2 * MIB }), chain);
    assert.ok(value.type === 'matrix' && value.series.length === 200);
    const sums = Array.from({ length: 100 }, () => 'sum(m + 1)').join(' + ');
    await range(new Engine({ maxBytes: 2 * MIB }), sums);
  });

  it('refuses a single column before it is made', async () => {
    const engine = new Engine({ maxSamples: 1e9 });
    await assert.rejects(engine.instant(storage, 'count_over_time(vector(1)[10y:1s])', 0), {
      code: 'promql/too-many-bytes',
    });
  });

  it('refuses topk over many series and steps within the default budget', async () => {
    const many = storageWith(3_000);
    const query = 'topk(3000, m) + topk(3000, m)';
    const running = new Engine().range(many, query, 0, 11_000 * 1_000, 1_000);
    await assert.rejects(running, { code: 'promql/too-many-bytes' });
  });

  it('refuses the raw samples of an instant query', async () => {
    const engine = new Engine({ maxBytes: MIB / 4 });
    await assert.rejects(engine.instant(storage, 'm[1h]', 99 * STEP_MS), { code: 'promql/too-many-bytes' });
    await new Engine({ maxBytes: MIB }).instant(storage, 'm[1h]', 99 * STEP_MS);
  });
});
