import assert from 'node:assert/strict';
import { needPeer } from '../../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../../tools/prometheus-api.ts';
import type { QueryTwins } from '../../tools/query-twins.ts';
import { FEATURES, fuzz, startFuzzTwins } from './fuzz.ts';
import { keptDifferences } from './kept.ts';

const COUNT = 500;

describe('Random queries', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let twins: QueryTwins | undefined;

  before(async function () {
    twins = await startFuzzTwins(needPeer(this, 'prometheus'));
  });
  after(() => twins?.stop());

  it('that once were answered otherwise have the answers of Prometheus, but for those that are listed', async () => {
    const wrong = (await keptDifferences(twins!)).filter(({ kept, difference }) => {
      return (difference === undefined) !== (kept.differs === undefined);
    });
    assert.deepEqual(wrong, []);
  });

  it('have the answers of Prometheus, with errors, warnings and infos', async () => {
    const { findings, errors, empty } = await fuzz(twins!, { seed: 1, count: COUNT });
    assert.deepEqual(findings, []);
    assert.ok(errors > COUNT / 50, `only ${errors} of the queries are errors`);
    assert.ok(errors + empty < COUNT / 2, `${errors} errors and ${empty} empty answers are more than half`);
  });

  it('have them too when names are removed at the end', async function () {
    const delayed = await startFuzzTwins(needPeer(this, 'prometheus'), { ...FEATURES, delayedNameRemoval: true });
    try {
      const { findings } = await fuzz(delayed, { seed: COUNT + 1, count: COUNT / 2 });
      assert.deepEqual(findings, []);
    } finally {
      await delayed.stop();
    }
  });
});
