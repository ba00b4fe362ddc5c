import assert from 'node:assert/strict';
import { knownLenient, openMetricsOutcomes } from './cases.ts';

describe('The pages of the OpenMetrics test suite', () => {
  const outcomes = openMetricsOutcomes();

  it('are 211', () => assert.equal(outcomes.length, 211));

  it('parse when they should', () => {
    assert.deepEqual(
      outcomes.filter(({ shouldParse, error }) => shouldParse && error !== undefined),
      [],
    );
  });

  it('are refused when they should not, but for those that Prometheus takes too', () => {
    const lenient = outcomes.filter(({ shouldParse, error }) => !shouldParse && error === undefined);
    assert.deepEqual(
      lenient.map(({ name }) => name),
      knownLenient(),
    );
  });
});
