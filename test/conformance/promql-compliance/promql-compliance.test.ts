import assert from 'node:assert/strict';
import { exprToString, parseExpr } from '../../../lib/promql/index.ts';
import { complianceQueries } from './queries.ts';

describe('The queries of the PromQL compliance test', () => {
  const queries = complianceQueries();

  it('are 539', () => assert.equal(queries.length, 539));

  it('parse, and what is printed parses to the same expression', () => {
    for (const { query, shouldFail } of queries) {
      if (shouldFail) continue;
      const printed = exprToString(parseExpr(query));
      assert.equal(exprToString(parseExpr(printed)), printed, query);
    }
  });
});
