import assert from 'node:assert/strict';
import { Labels, LabelsBuilder } from '../../../lib/model/index.ts';
import { Engine, parseExpr } from '../../../lib/promql/index.ts';
import { sharedReference } from '../../../lib/promql/eval/info-reference.ts';
import { identifyingMatchers } from '../../../lib/promql/eval/info-series.ts';
import { MemoryStorage } from '../../conformance/promqltest/memory-storage.ts';

const features = { experimentalFunctions: true };
const METRIC = Labels.of({ __name__: 'up', instance: 'a', job: 'b' });

function targetInfo(version: string, instance = 'a'): Labels {
  return Labels.of({ __name__: 'target_info', instance, job: 'b', version });
}

function withVersion(version: string): Labels {
  return new LabelsBuilder(METRIC).set('version', version).labels();
}

describe('info()', () => {
  it('makes a series of its own of each set of labels that the target had', async () => {
    const storage = new MemoryStorage();
    for (let timeMs = 0; timeMs <= 120_000; timeMs += 30_000) {
      storage.add(METRIC, timeMs, timeMs / 1000);
      storage.add(targetInfo(timeMs < 60_000 ? '1' : '2'), timeMs, 1);
    }
    const { value } = await new Engine({ features }).range(storage, 'info(up)', 0, 120_000, 30_000);
    assert.ok(value.type === 'matrix');
    assert.deepEqual(
      value.series.map(({ labels, timestamps, values }) => [labels, [...timestamps], [...values]]),
      [
        [withVersion('1'), [0, 30_000], [0, 30]],
        [withVersion('2'), [60_000, 90_000, 120_000], [60, 90, 120]],
      ],
    );
  });

  it('looks at the info series where the selector looks', async () => {
    const storage = new MemoryStorage();
    storage.add(METRIC, 0, 1);
    storage.add(targetInfo('old'), 0, 1);
    storage.add(METRIC, 600_000, 2);
    storage.add(targetInfo('new'), 600_000, 1);
    const versionOf = async (query: string): Promise<string> => {
      const { value } = await new Engine({ features }).instant(storage, query, 600_000);
      assert.ok(value.type === 'vector');
      return value.samples.map(({ labels }) => labels.get('version')).join();
    };
    assert.equal(await versionOf('info(up)'), 'new');
    assert.equal(await versionOf('info(up offset 10m)'), 'old');
    assert.equal(await versionOf('info(up @ 0)'), 'old');
    assert.equal(await versionOf('info(up offset 10m or up)'), 'new');
  });

  it('refuses two info series of the same time', async () => {
    const storage = new MemoryStorage();
    storage.add(METRIC, 0, 1);
    storage.add(targetInfo('1'), 0, 1);
    storage.add(targetInfo('2'), 0, 1);
    await assert.rejects(new Engine({ features }).instant(storage, 'info(up)', 0), {
      code: 'promql/execution',
      message:
        'found duplicate series for info metric: existing ' +
        '{__name__="target_info", instance="a", job="b", version="1"} @ 0, new ' +
        '{__name__="target_info", instance="a", job="b", version="2"} @ 0',
    });
  });

  it('knows when all selectors look at the same time', () => {
    const referenceOf = (query: string): unknown => sharedReference(parseExpr(query));
    assert.deepEqual(referenceOf('a offset 1m + b offset 60s'), { at: undefined, offsetMs: 60_000 });
    assert.deepEqual(referenceOf('a @ 100 offset 40s * b @ 60'), { at: 100_000, offsetMs: 40_000 });
    assert.deepEqual(referenceOf('max_over_time(a[5m:1m] offset 2m)'), { at: undefined, offsetMs: 120_000 });
    assert.equal(referenceOf('a + b offset 1m'), undefined);
    assert.equal(referenceOf('a or vector(1)'), undefined);
    assert.equal(referenceOf('vector(1)'), undefined);
  });

  it('selects info series once, by the identifying labels that there are', () => {
    const sets = identifyingMatchers([
      METRIC,
      Labels.of({ instance: 'x.y', job: 'b' }),
      Labels.of({ instance: 'alone' }),
      Labels.of({ other: 'label' }),
    ]);
    assert.deepEqual(
      sets.map((matchers) => matchers.map(String)),
      [
        ['instance=~"a|x\\\\.y"', 'job=~"b"'],
        ['instance=~"alone"', 'job=""'],
      ],
    );
  });
});
