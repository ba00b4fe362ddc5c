import assert from 'node:assert/strict';
import { nodeFileSystem } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { Matcher, SampleColumns } from '../../../lib/model/index.ts';
import { collectSeries, type Querier, type SeriesSet } from '../../../lib/storage/index.ts';
import { type Loan, type Tsdb, TsdbReader } from '../../../lib/tsdb/index.ts';
import { open, START_MS, temporaryDirectory, write } from './harness.ts';

const RANGE_MS = 600_000;
const STEP_MS = 15_000;
const MINUTES = [START_MS, START_MS + 100 * RANGE_MS] as const;
const HINTS = { startMs: MINUTES[0], endMs: MINUTES[1] };

type Rows = [series: string, times: number[], values: number[]][];

async function rowsOf(set: SeriesSet): Promise<Rows> {
  const rows: Rows = [];
  for (const series of await collectSeries(set)) {
    const into = new SampleColumns();
    series.read(into);
    const { length } = into;
    const [times, values] = [into.timestamps, into.values].map((column) => Array.from(column.subarray(0, length)));
    rows.push([series.labels.toString(), times!, values!]);
  }
  return rows;
}

describe('tsdb: a selection in parts', function () {
  this.timeout(600_000);
  let cleanUp = (): void => {};
  let db: Tsdb;
  let loan: Loan;
  const readers: TsdbReader[] = [];

  beforeEach(async () => {
    const dir = temporaryDirectory((remove) => (cleanUp = remove));
    db = await open(dir, { minBlockDurationMs: RANGE_MS, maxBlockDurationMs: RANGE_MS, limits: { maxFutureMs: 0 } });
  });

  afterEach(async () => {
    for (const reader of readers.splice(0)) reader.close();
    loan.release();
    await db.close();
    cleanUp();
  });

  /** Series that come and go; some in blocks alone, some in the head alone. */
  async function fill(from: number, count: number): Promise<void> {
    for (let step = from; step < from + count; step++) {
      const timeMs = START_MS + step * STEP_MS;
      const coming = [0, 1, 2].map((i) => [`m c=${(step >> 4) + i}`, timeMs, step] as const);
      const staying = Array.from({ length: 20 }, (_, i) => [`m s=${i}`, timeMs, i + step] as const);
      await write(db, [...staying, ...coming]);
    }
  }

  /** As another thread would read it. */
  function querier(): Querier {
    const reader = new TsdbReader({ fileSystem: nodeFileSystem, kernels: createKernels(), cacheBytes: 1 << 20 });
    readers.push(reader);
    return reader.queryable(loan.handle).querier(...MINUTES);
  }

  for (const [where, rounds] of [
    ['the head', 1],
    ['blocks and the head', 5],
  ] as const) {
    for (const matchers of [
      [new Matcher('=', '__name__', 'm')],
      [new Matcher('=~', 's', '1.?')],
      [new Matcher('=', 's', 'none')],
    ]) {
      it(`of ${where} by ${matchers.join()} is all of it, in order, wherever its parts are read`, async () => {
        for (let round = 0; round < rounds; round++) {
          await fill(round * 60, 60);
          await db.compact();
        }
        assert.equal(db.blocks().length > 0, rounds > 1);
        loan = db.lend();
        const asked = querier();
        for (const sorted of [true, false]) {
          const all = await rowsOf(await asked.select(sorted, HINTS, matchers));
          for (const count of [1, 2, 3, 7, 100]) {
            const selection = await asked.prepare!(sorted, HINTS, matchers);
            const parts = selection.divide(count);
            assert.ok(parts.length <= count);
            const other = querier();
            const rows: Rows = [];
            for (const [i, part] of parts.entries()) {
              const own = await rowsOf(await (i % 2 === 0 ? asked : other).selectPart!(structuredClone(part), HINTS));
              if (rounds === 1)
                assert.ok(own.length <= all.length / count + 1, `${own.length} in one of ${count} parts`);
              rows.push(...own);
            }
            assert.deepEqual(rows, all);
            assert.ok(selection.seriesCount <= all.length && (selection.work > 0 || all.length === 0));
          }
        }
      });
    }
  }

  it('is that of one instant, though the head goes on', async () => {
    await fill(0, 50);
    loan = db.lend();
    const asked = querier();
    const matchers = [new Matcher('=', '__name__', 'm')];
    const all = await rowsOf(await asked.select(true, HINTS, matchers));
    const parts = (await asked.prepare!(true, HINTS, matchers)).divide(3);
    await fill(50, 20);
    const other = querier();
    const rows: Rows = [];
    for (const part of parts) rows.push(...(await rowsOf(await other.selectPart!(part, HINTS))));
    assert.deepEqual(rows, all);
    assert.notDeepEqual(await rowsOf(await other.select(true, HINTS, matchers)), all);
  });
});
