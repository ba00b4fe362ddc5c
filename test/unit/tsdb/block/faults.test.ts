import assert from 'node:assert/strict';
import { seededRandom } from '../../../../lib/env/index.ts';
import { PromletError } from '../../../../lib/model/index.ts';
import { BlockQuerier } from '../../../../lib/tsdb/block/querier.ts';
import { type Fault, faultAt } from '../../../fault/faults.ts';
import { Machine } from '../../../fault/file-system.ts';
import { type Content, expected, kernels, openBlock, read, samples, ULID, writeBlock } from './harness.ts';

const CONTENT: Content = { 'm a=1': samples(300), 'm a=2': samples(3, 50_000), 'n a=1': samples(125, 1000, 3) };
const OPTIONS = { maxSegmentBytes: 700 };

describe('tsdb: a disk that fails while a block is written', function () {
  this.timeout(600_000);
  /** A machine with an empty, durable data directory. */
  function machineWith(fault?: Fault, index = 0): Machine {
    const machine = new Machine();
    machine.put([['/data/keep', Buffer.of(1)]]);
    if (fault !== undefined) machine.plan = faultAt(index, fault);
    return machine;
  }

  /** @returns the error, undefined when the block was written */
  async function write(machine: Machine): Promise<unknown> {
    try {
      await writeBlock('/data', CONTENT, { ...OPTIONS, fileSystem: machine.boot() });
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** A block that has its name is whole. @returns whether there is one */
  async function checkWhole(machine: Machine): Promise<boolean> {
    machine.plan = undefined;
    const fileSystem = machine.boot();
    if (!fileSystem.existsSync(`/data/${ULID}`)) return false;
    const block = openBlock(`/data/${ULID}`, fileSystem);
    const querier = new BlockQuerier(block, -1e15, 1e15);
    assert.deepEqual(await read(querier), expected(CONTENT));
    querier.close();
    block.close();
    return true;
  }

  let mutations = 0;
  before(async () => {
    const machine = machineWith();
    assert.equal(await write(machine), undefined);
    mutations = machine.trace.length;
    assert.ok(mutations > 20);
    assert.ok(await checkWhole(machine));
  });

  for (const kind of ['ENOSPC', 'EIO', 'EMFILE'] as const) {
    it(`gives an error for ${kind} in any call, and leaves no file open and no memory behind`, async () => {
      let failed = 0;
      for (let index = 0; index < mutations; index++) {
        const used = kernels.arena.usedBytes;
        const machine = machineWith({ kind }, index);
        const error = await write(machine);
        if (error !== undefined) {
          failed++;
          assert.ok(error instanceof PromletError, `call ${index}: ${String(error)}`);
          assert.equal(error.code, 'storage/block-write');
          assert.ok(error.message.includes(kind), error.message);
        }
        assert.deepEqual(machine.openPaths, [], `call ${index}: ${machine.trace[index]}`);
        assert.equal(kernels.arena.usedBytes, used, `call ${index}: ${machine.trace[index]}`);
        const whole = await checkWhole(machine);
        if (error === undefined) assert.ok(whole);
      }
      assert.ok(failed > mutations * 0.9, `${failed} of ${mutations} faults were seen`);
    });
  }

  it('takes short writes as they are', async () => {
    for (let index = 0; index < mutations; index++) {
      const machine = machineWith({ kind: 'short' }, index);
      assert.equal(await write(machine), undefined);
      assert.ok(await checkWhole(machine));
    }
  });

  it('has the block whole or not at all after a kill in any call', async () => {
    let whole = 0;
    for (let index = 0; index < mutations; index++) {
      for (const afterwards of [false, true]) {
        const machine = machineWith({ kind: 'die', afterwards }, index);
        await write(machine);
        assert.ok(!machine.isRunning);
        if (await checkWhole(machine)) whole++;
      }
    }
    assert.ok(whole > 0 && whole < 6);
  });

  it('has the block whole or not at all when power is lost at any time, and has it once it was written', async () => {
    for (let index = 0; index < mutations; index++) {
      for (let seed = 0; seed < 4; seed++) {
        const machine = machineWith({ kind: 'die', afterwards: seed % 2 === 0 }, index);
        await write(machine);
        assert.ok(!machine.isRunning);
        machine.losePower(seededRandom(seed * 1000 + index));
        await checkWhole(machine);
      }
    }
    for (let seed = 0; seed < 10; seed++) {
      const machine = machineWith();
      assert.equal(await write(machine), undefined);
      machine.losePower(seededRandom(seed));
      assert.ok(await checkWhole(machine));
    }
  });
});
