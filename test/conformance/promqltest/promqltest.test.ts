import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { SUITE_TIMEOUT_MS } from '../../tools/prometheus-api.ts';
import { runScript } from './run-script.ts';

const DATA = new URL('data/', import.meta.url);

/** Evaluations by file: a script that is read wrongly must not pass for one without evaluations. */
const EVALUATIONS: Readonly<Record<string, number>> = {
  'aggregators.test': 160,
  'at_modifier.test': 78,
  'collision.test': 2,
  'duration_expression.test': 59,
  'extended_vectors.test': 174,
  'fill-modifier.test': 46,
  'functions.test': 438,
  'histograms.test': 185,
  'info.test': 70,
  'limit.test': 37,
  'literals.test': 25,
  'name_label_dropping.test': 30,
  'native_histograms.test': 522,
  'operators.test': 214,
  'range_queries.test': 18,
  'selectors.test': 31,
  'staleness.test': 17,
  'start_timestamps.test': 26,
  'subquery.test': 34,
  'trig_functions.test': 19,
  'type_and_unit.test': 58,
};

describe("Prometheus's promqltest", function () {
  this.timeout(SUITE_TIMEOUT_MS);
  it('has the files it is known to have', () => {
    assert.deepEqual(readdirSync(DATA).sort(), Object.keys(EVALUATIONS).sort());
    const total = Object.values(EVALUATIONS).reduce((sum, count) => sum + count, 0);
    assert.equal(total, 2243);
  });

  for (const [file, count] of Object.entries(EVALUATIONS)) {
    it(`passes ${file}`, async () => {
      const outcomes = await runScript(readFileSync(new URL(file, DATA), 'utf8'));
      const failed = outcomes.filter(({ failure }) => failure !== undefined);
      const report = failed.map(({ line, query, failure }) => `${file}:${line}: ${query}\n  ${failure}`).join('\n');
      assert.equal(report, '');
      assert.equal(outcomes.length, count);
    });
  }

  it('passes with aggregations computed in three parts, too', async () => {
    const tally = { read: 0, taken: 0 };
    for (const file of Object.keys(EVALUATIONS)) {
      const outcomes = await runScript(readFileSync(new URL(file, DATA), 'utf8'), { shards: 3, tally });
      assert.deepEqual(
        outcomes.filter(({ failure }) => failure !== undefined),
        [],
      );
    }
    assert.ok(tally.taken > 2000, `${tally.taken} parts`);
  });
});
