import assert from 'node:assert/strict';
import { openQuerier } from '../../../lib/tsdb/db-querier.ts';
import { kernels } from './block/harness.ts';
import { HeadRig, type HeadRigOptions } from './head/rig.ts';
import { parse, temporaryDirectory } from './harness.ts';

describe('tsdb: queriers over head and blocks', () => {
  let rigs: HeadRig[] = [];
  let cleanUps: (() => void)[] = [];
  afterEach(async () => {
    for (const rig of rigs) await rig.close();
    for (const cleanUp of cleanUps) cleanUp();
    rigs = [];
    cleanUps = [];
  });

  async function opened(options: HeadRigOptions = {}): Promise<HeadRig> {
    const rig = await HeadRig.open(
      temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)),
      options,
    );
    rigs.push(rig);
    return rig;
  }

  async function append(rig: HeadRig, timeMs: number): Promise<void> {
    const appender = rig.appender();
    appender.append(appender.series(parse('up job=a')), timeMs, 1);
    await appender.commit();
  }

  /** @param floorMs blocks have what is in order before it */
  function readsHead({ head: { view, chunkReader } }: HeadRig, minMs: number, maxMs: number, floorMs = 0): boolean {
    const { querier, readsHead } = openQuerier(
      { kernels, blocks: [], head: { view, chunkReader, floorMs } },
      minMs,
      maxMs,
    );
    querier.close();
    return readsHead;
  }

  it('do not read a head without samples', async () => {
    assert.equal(readsHead(await opened(), -1e15, 1e15), false);
  });

  it('read the head where it has samples that blocks have not', async () => {
    const rig = await opened();
    await append(rig, 60_000);
    await append(rig, 120_000);
    for (const [minMs, maxMs, floorMs, expected] of [
      [0, 59_999, 0, false],
      [0, 60_000, 0, true],
      [120_000, 180_000, 0, true],
      [120_001, 180_000, 0, false],
      [0, 180_000, 120_000, true],
      [0, 119_999, 120_000, false],
      [0, 180_000, 120_001, false],
    ] as const) {
      assert.equal(readsHead(rig, minMs, maxMs, floorMs), expected, `[${minMs}, ${maxMs}] above ${floorMs}`);
    }
  });

  it('read what came late to the head, whatever blocks have', async () => {
    const rig = await opened({ windowMs: 600_000 });
    await append(rig, 600_000);
    await append(rig, 60_000);
    assert.equal(readsHead(rig, 0, 60_000, 300_000), true);
    assert.equal(readsHead(rig, 0, 59_999, 300_000), false);
  });
});
