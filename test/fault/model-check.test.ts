import assert from 'node:assert/strict';
import { seededRandom } from '../../lib/env/index.ts';
import { AppendResult } from '../../lib/storage/index.ts';
import { openTsdb } from '../../lib/tsdb/index.ts';
import { checkSeed, explain, foundCases } from './model-check.ts';
import { type Case, generateCase } from './model/operations.ts';
import { failureText, runCase } from './model/run-case.ts';
import { shrink } from './model/shrink.ts';

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
const STEPS = 200;

describe('the database against a simple model', function () {
  this.timeout(600_000);

  for (const seed of SEEDS) {
    it(`agrees over ${STEPS} random operations, seed ${seed}`, async () => {
      const { checked, failure } = await checkSeed({ seed, steps: STEPS });
      if (failure !== undefined) assert.fail(`${failureText(failure)}\n${await explain(checked)}`);
    });
  }

  for (const { why, ...checked } of foundCases) {
    it(`agrees where it did not once: ${why}`, async () => {
      const failure = await runCase(checked);
      if (failure !== undefined) assert.fail(failureText(failure));
    });
  }

  it('would notice a lost sample, and find the operation that matters', async () => {
    const forgetful: typeof openTsdb = async (options) => {
      const db = await openTsdb(options);
      const appender = db.appender.bind(db);
      db.appender = () => {
        const inner = appender();
        const append = inner.append.bind(inner);
        inner.append = (ref, timeMs, value) => (value > 900 ? AppendResult.ok : append(ref, timeMs, value));
        return inner;
      };
      return db;
    };
    const fails = async (candidate: Case): Promise<boolean> =>
      (await runCase(candidate, { opener: forgetful })) !== undefined;
    const checked = generateCase(seededRandom(1), 150);
    assert.ok(await fails(checked));
    const { operations } = await shrink(checked, fails);
    assert.equal(operations.length, 1);
    const [operation] = operations;
    assert.ok(operation?.op === 'append' && operation.rows.length === 1);
    assert.ok((operation.rows[0]!.value as number) > 900);
  });
});
