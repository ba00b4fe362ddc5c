import assert from 'node:assert/strict';
import { exprToString, parseExpr } from '../../../lib/promql/index.ts';
import { needPeer } from '../../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../../tools/prometheus-api.ts';
import { runCompliance } from './compliance.ts';
import { complianceQueries } from './queries.ts';

describe('The queries of the PromQL compliance test', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  const queries = complianceQueries();

  it('are 539', () => assert.equal(queries.length, 539));

  it('parse, and what is printed parses to the same expression', () => {
    for (const { query, shouldFail } of queries) {
      if (shouldFail) continue;
      const printed = exprToString(parseExpr(query));
      assert.equal(exprToString(parseExpr(printed)), printed, query);
    }
  });

  it('have the answers of Prometheus', async function () {
    const outcomes = await runCompliance(needPeer(this, 'prometheus'));
    assert.equal(outcomes.length, 539);
    const failed = outcomes.filter(({ difference }) => difference !== undefined);
    assert.deepEqual(failed, []);
    // The rest ask for rates over less than two scrapes, for what is not there, or for what is an error.
    const answered = outcomes.filter(({ seriesCount }) => seriesCount > 0).length;
    assert.equal(answered, 487);
  });
});
