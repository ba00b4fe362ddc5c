import assert from 'node:assert/strict';
import { Labels } from '../../../../lib/model/index.ts';
import { Engine } from '../../../../lib/promql/index.ts';
import { MemoryStorage } from '../../../conformance/promqltest/memory-storage.ts';

function storageOf(
  series: readonly (readonly [labels: Readonly<Record<string, string>>, values: readonly number[]])[],
) {
  const storage = new MemoryStorage();
  for (const [labels, values] of series) {
    for (const [step, value] of values.entries()) {
      if (!Number.isNaN(value)) storage.add(Labels.of(labels), step * 15_000, value);
    }
  }
  return storage;
}

describe('promql: vector matching', () => {
  it('takes what a comparison drops for a match too, where labels of the "one" side make series equal', async () => {
    const storage = storageOf([
      [{ __name__: 'a', g: 'x', i: '1' }, [1]],
      [{ __name__: 'a', g: 'x', i: '2' }, [9]],
      [{ __name__: 'b', g: 'x' }, [5]],
    ]);
    const engine = new Engine();
    await assert.rejects(engine.instant(storage, 'a < on (g) group_left (i) b', 0), {
      message: 'multiple matches for labels: grouping labels must ensure unique matches',
    });
    const { value } = await engine.instant(storage, 'a < on (g) group_left () b', 0);
    assert.ok(value.type === 'vector');
    assert.deepEqual(
      value.samples.map(({ value: sample }) => sample),
      [1],
    );
  });

  it('names the ambiguous series of the first step, in the order of the input', async () => {
    const storage = storageOf([
      [{ __name__: 'a', g: 'x' }, [1, 1]],
      [{ __name__: 'a', g: 'y' }, [1, 1]],
      [{ __name__: 'b', g: 'x', i: '1' }, [NaN, 1]],
      [{ __name__: 'b', g: 'x', i: '2' }, [1, 1]],
      [{ __name__: 'b', g: 'y', i: '1' }, [1, 1]],
      [{ __name__: 'b', g: 'y', i: '2' }, [1, 1]],
    ]);
    const engine = new Engine({ lookbackDeltaMs: 15_000 });
    const groupAt = async (fromStep: number): Promise<string | undefined> => {
      try {
        await engine.range(storage, 'a + on (g) b', fromStep * 15_000, 15_000, 15_000);
        return undefined;
      } catch (error) {
        return /the match group (\{.*?\})/.exec((error as Error).message)?.[1];
      }
    };
    assert.equal(await groupAt(0), '{g="y"}');
    assert.equal(await groupAt(1), '{g="x"}');
  });

  it('says first what is wrong at the earlier step, and of one step that series are ambiguous', async () => {
    const storage = storageOf([
      [{ __name__: 'a', g: 'x', i: '1' }, [1, 1, 1]],
      [{ __name__: 'a', g: 'x', i: '2' }, [NaN, 1, 1]],
      [{ __name__: 'b', g: 'x', i: '1' }, [1, 1, 1]],
      [{ __name__: 'b', g: 'x', i: '2' }, [NaN, NaN, 1]],
    ]);
    const engine = new Engine({ lookbackDeltaMs: 15_000 });
    await assert.rejects(engine.range(storage, 'a + on (g) b', 0, 30_000, 15_000), {
      message: 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
    });
    await assert.rejects(engine.range(storage, 'a + on (g) b', 30_000, 45_000, 15_000), /found duplicate series/);
    await assert.rejects(engine.range(storage, 'a + on (g) group_left b', 0, 30_000, 15_000), /found duplicate series/);
  });
});
