import assert from 'node:assert/strict';
import { distributionsOf } from '../../../../lib/promql/parallel/distribution.ts';
import { exprToString, parseExpr } from '../../../../lib/promql/index.ts';

const FEATURES = { experimentalFunctions: true, extendedRangeSelectors: true };

function distributed(query: string, delayedNameRemoval = false): string[] {
  const found = distributionsOf(parseExpr(query, FEATURES), { delayedNameRemoval });
  return found.map(({ expr, selector, losesNames }) => {
    return `${exprToString(expr)} of ${exprToString(selector)}${losesNames ? ', names lost' : ''}`;
  });
}

describe('What is distributed of a query', () => {
  const whole: Readonly<Record<string, string>> = {
    'sum by (a) (x)': 'x',
    'avg(rate(x[5m]))': 'x, names lost',
    'max without (a) (last_over_time(x[5m] @ 100))': 'x @ 100.000',
    'topk(2 + 1, x offset 5m)': 'x offset 5m',
    'count(-abs(x) * time() > bool 3)': 'x, names lost',
    'min(max_over_time(deriv({a="b"}[5m])[1h:1m]))': '{a="b"}, names lost',
    'sum(histogram_count(x smoothed))': 'x smoothed, names lost',
    'group(quantile_over_time(0.5, (x[5m])))': 'x, names lost',
    'sum(clamp(x, 0, scalar(vector(1))))': 'x, names lost',
  };
  for (const [query, selector] of Object.entries(whole)) {
    it(`${query}: of what its selector finds`, () => {
      const [found = '', ...others] = distributed(query);
      assert.deepEqual(others, []);
      assert.match(found, / of /);
      assert.equal(found.slice(found.lastIndexOf(' of ') + 4), selector);
    });
  }

  for (const query of [
    'x',
    'rate(x[5m])',
    'sum(x + y)',
    'sum(x + vector(1))',
    'sum(x or y)',
    'sum(vector(1))',
    'sum(scalar(x) * y)',
    'sum(absent_over_time(x[5m]))',
    'sum(label_replace(x, "a", "b", "", ""))',
    'sum(histogram_quantile(0.9, x))',
    'stddev(x)',
    'quantile(0.5, x)',
    'count_values("a", x)',
    'limitk(3, x)',
    'topk by (a) (3, x)',
    'topk(scalar(y), x)',
    'absent(x)',
  ]) {
    it(`${query}: nothing`, () => assert.deepEqual(distributed(query), []));
  }

  it('are the innermost aggregations, in the order of the text', () => {
    assert.deepEqual(distributed('sum(max by (a) (x)) / on() histogram_quantile(0.9, sum by (le) (rate(y[5m])))'), [
      'max by (a) (x) of x',
      'sum by (le) (rate(y[5m])) of y, names lost',
    ]);
  });

  it('keeps names that go at the end', () => {
    assert.deepEqual(distributed('sum(rate(x[5m]))', true), ['sum(rate(x[5m])) of x']);
  });
});
