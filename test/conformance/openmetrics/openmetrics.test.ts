import assert from 'node:assert/strict';
import { needPeer } from '../../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../../tools/prometheus-api.ts';
import { knownLenient, type OpenMetricsOutcome, openMetricsOutcomes } from './cases.ts';
import { prometheusVerdicts, promtoolVerdict } from './prometheus.ts';

/** Of both sides, which pages they take. */
function bothTake(
  outcomes: readonly OpenMetricsOutcome[],
  theirError: (outcome: OpenMetricsOutcome) => string | undefined,
): [ours: object, theirs: object] {
  const isTaken = (error: string | undefined): string => (error === undefined ? 'taken' : 'refused');
  return [
    Object.fromEntries(outcomes.map(({ name, error }) => [name, isTaken(error)])),
    Object.fromEntries(outcomes.map((outcome) => [outcome.name, isTaken(theirError(outcome))])),
  ];
}

describe('The pages of the OpenMetrics test suite', () => {
  const outcomes = openMetricsOutcomes();
  const lenient = knownLenient();

  it('are 211', () => assert.equal(outcomes.length, 211));

  it('parse when they should', () => {
    assert.deepEqual(
      outcomes.filter(({ shouldParse, error }) => shouldParse && error !== undefined),
      [],
    );
  });

  it('are refused when they should not, but for those that Prometheus takes too', () => {
    const accepted = outcomes.filter(({ shouldParse, error }) => !shouldParse && error === undefined);
    assert.deepEqual(
      accepted.map(({ name }) => name),
      lenient.acceptedByPrometheusToo,
    );
    assert.deepEqual(lenient.acceptedByUsAlone, []);
  });

  it('are taken and refused as real Prometheus does that scrapes them, each of them', async function () {
    this.timeout(SUITE_TIMEOUT_MS);
    const verdicts = await prometheusVerdicts(needPeer(this, 'prometheus'), needPeer(this, 'promtool'));
    assert.equal(verdicts.size, outcomes.length);
    assert.deepEqual(...bothTake(outcomes, ({ name }) => verdicts.get(name)));
    const refused = outcomes.filter(({ error }) => error !== undefined);
    assert.equal(refused.length, 89);
    for (const { name, error } of refused) assert.match(error!, /^line \d+: ./, name);
  });

  it('are taken and refused as promtool does, which wants times', async function () {
    this.timeout(SUITE_TIMEOUT_MS);
    const promtool = needPeer(this, 'promtool');
    const timed = outcomes.filter(({ isTimed }) => isTimed);
    assert.equal(timed.length, 105);
    assert.deepEqual(...bothTake(timed, ({ name }) => promtoolVerdict(promtool, name)));
  });
});
