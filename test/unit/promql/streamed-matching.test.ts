import assert from 'node:assert/strict';
import { seededRandom } from '../../../lib/env/index.ts';
import { Labels, STALE_NAN } from '../../../lib/model/index.ts';
import { Engine, type QueryResult } from '../../../lib/promql/index.ts';
import type { Queryable } from '../../../lib/storage/index.ts';
import type { Tsdb } from '../../../lib/tsdb/index.ts';
import { MemoryStorage } from '../../conformance/promqltest/memory-storage.ts';
import { HISTOGRAM, rounded } from './rounded.ts';
import { open, START_MS, temporaryDirectory, write } from '../tsdb/harness.ts';

const STEP_MS = 15_000;
const STEPS = 60;

type Row = [series: string, timeMs: number, value: number];

/** Requests by node and code, what nodes are, with gaps and stale markers; some nodes are not described, some have nothing. */
function rows(): Row[] {
  const random = seededRandom(11);
  const out: Row[] = [];
  const series = [];
  for (let node = 0; node < 8; node++) {
    for (const code of [200, 404, 500]) series.push(`requests_total node=${node} code=${code}`);
    for (const code of [200, 404]) series.push(`others_total node=${node} code=${code} version=v0`);
    if (node % 4 !== 3) series.push(`info node=${node} version=v${node % 3}`, `limit node=${node} code=200`);
  }
  series.push('info node=9 version=v9', 'twice node=0 i=0', 'twice node=0 i=1');
  for (const name of series) {
    let value = 0;
    for (let s = 0; s < STEPS; s++) {
      if (random() < 0.1) continue;
      value += Math.floor(random() * 5);
      out.push([name, START_MS + s * STEP_MS, random() < 0.03 ? STALE_NAN : name.startsWith('info') ? 1 : value]);
    }
  }
  return out.sort((a, b) => a[1] - b[1]);
}

function memoryStorage(): MemoryStorage {
  const out = new MemoryStorage();
  for (const [text, timeMs, value] of rows()) {
    const [name, ...pairs] = text.split(' ');
    out.add(Labels.of([['__name__', name!], ...pairs.map((one) => one.split('=') as [string, string])]), timeMs, value);
  }
  return out;
}

describe('Vector matching whose "many" side passes by', function () {
  this.timeout(600_000);
  const engine = new Engine();
  const keepingNames = new Engine({ features: { delayedNameRemoval: true } });
  const endMs = START_MS + STEPS * STEP_MS;
  let db: Tsdb;
  let remove = (): void => {};
  const storages: Record<string, Queryable> = { 'of series with all their labels': memoryStorage() };

  before(async () => {
    const dir = temporaryDirectory((removing) => (remove = removing));
    db = await open(dir, { minBlockDurationMs: 300_000, maxBlockDurationMs: 300_000, limits: { maxFutureMs: 0 } });
    for (const row of rows()) await write(db, [row]);
    await db.compact();
    assert.ok(db.blocks().length > 0);
    storages['of a database that gives those labels that are looked at'] = db;
  });

  after(async () => {
    await db.close();
    remove();
  });

  /** What came of a query, or its error. */
  async function outcome(storage: Queryable, query: string, isRange: boolean, by = engine): Promise<object> {
    try {
      return rounded(
        isRange
          ? await by.range(storage, query, START_MS - 60_000, endMs + 600_000, 20_000)
          : await by.instant(storage, query, endMs - 100_000),
      );
    } catch (error) {
      return { error: (error as Error).message };
    }
  }

  const ERROR = 'an error';
  for (const [match, expected] of [
    ['rate(requests_total[2m]) * on (node) group_left (version) info', undefined],
    ['info * on (node) group_right () rate(requests_total[2m])', undefined],
    ['requests_total - on (node) group_left (version) info', undefined],
    ['requests_total > on (node) group_left (version) info', undefined],
    ['requests_total > bool on (node) group_left () info', undefined],
    ['info < on (node) group_right () requests_total', undefined],
    ['requests_total / on (node, code) limit', undefined],
    ['limit / ignoring (none) requests_total', undefined],
    ['{__name__=~"requests_total|others_total"} * on (node) group_left () info', undefined],
    ['{__name__=~"requests_total|limit",code!="200"} * on (node) group_left () info', undefined],
    ['last_over_time({__name__=~"requests_total|limit"}[1m]) * on (node) group_left () info', ERROR],
    ['last_over_time({__name__=~"requests_total|limit"}[1m:15s]) * on (node) group_left () info', ERROR],
    ['last_over_time({__name__=~"requests_total|limit"}[1m]) >= on (node) group_left () info', undefined],
    ['rate({__name__=~"requests_total|limit"}[1m]) * on (node) group_left () info', ERROR],
    ['others_total * on (node) group_left (version) info', undefined],
    ['others_total * on (node) group_left (code) info', ERROR],
    ['requests_total * on (node) group_left () twice', ERROR],
    ['requests_total * on (node) limit', ERROR],
    ['(requests_total * on (node) group_left (version) info) / on (node) group_left () limit', undefined],
    ['max_over_time(requests_total[2m:30s]) * on (node) group_left (version) info', undefined],
    ['requests_total * on (node) group_left (version) (info @ end())', undefined],
    ['(requests_total @ end()) * on (node) group_left (version) info', undefined],
    ['requests_total * on (node) group_left () none', undefined],
  ] as const) {
    it(`${match}: as of the whole vector`, async () => {
      for (const [kind, storage] of Object.entries(storages)) {
        for (const isRange of [false, true]) {
          // What is an operand of `or` is computed as a whole.
          const whole = `(${match}) or (${match})`;
          for (const operator of ['sum', 'count by (version)', 'max without (node)', 'avg by (node, code)', '']) {
            const found = await outcome(storage, `${operator}(${match})`, isRange);
            assert.deepEqual(found, await outcome(storage, `${operator}(${whole})`, isRange), `${kind}: ${operator}`);
            assert.equal('error' in found ? ERROR : undefined, expected, JSON.stringify(found));
            const named = await outcome(storage, `${operator}(${match})`, isRange, keepingNames);
            assert.deepEqual(named, await outcome(storage, `${operator}(${whole})`, isRange, keepingNames));
          }
        }
      }
    });
  }

  it('leaves to the whole what holds histograms', async () => {
    const storage = memoryStorage();
    storage.add(Labels.of({ __name__: 'requests_total', node: '0', code: 'h' }), endMs - 150_000, NaN, HISTOGRAM);
    const match = 'requests_total * on (node) group_left (version) info';
    const found = await outcome(storage, `sum by (code) (${match})`, false);
    assert.deepEqual(found, await outcome(storage, `sum by (code) ((${match}) or (${match}))`, false));
    assert.match(JSON.stringify(found), /"positiveBuckets"/);
  });

  it('says first what is wrong with the left side', async () => {
    const storage = memoryStorage();
    const left = 'rate({__name__=~"requests_total|limit"}[1m])';
    const right = '(info * on () info)';
    for (const [query, message] of [
      [`sum(${left} * on (node) group_left () ${right})`, /the same labelset/],
      [`sum(${right} * on (node) group_right () ${left})`, /duplicate series/],
    ] as const) {
      await assert.rejects(engine.instant(storage, query, endMs - 100_000), message);
    }
  });

  it('holds the "one" side only', async () => {
    const storage = memoryStorage();
    const match = 'requests_total * on (node) group_left (version) info';
    const most = new Engine({ maxSamples: 1_200 });
    const range = (query: string): Promise<QueryResult> => most.range(storage, query, START_MS, endMs, STEP_MS);
    await range(`sum by (version) (${match})`);
    await assert.rejects(range(`sum by (version) ((${match}) or (${match}))`), /too many samples/);
  });
});
