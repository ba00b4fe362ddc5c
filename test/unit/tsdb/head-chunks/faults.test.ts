import assert from 'node:assert/strict';
import { createLogger, type FileSystem, seededRandom } from '../../../../lib/env/index.ts';
import { createKernels } from '../../../../lib/kernels/index.ts';
import { PromletError } from '../../../../lib/model/index.ts';
import { Encoding } from '../../../../lib/chunk/chunk.ts';
import { type HeadChunksReport, loadHeadChunks } from '../../../../lib/tsdb/head-chunks/load.ts';
import { HeadChunkWriter } from '../../../../lib/tsdb/head-chunks/writer.ts';
import { type Fault, faultAt } from '../../../fault/faults.ts';
import { Machine } from '../../../fault/file-system.ts';
import { TestClock } from '../environment.ts';

const DIR = '/data/chunks_head';
const BATCHES = 12;
const PER_BATCH = 3;
const kernels = createKernels();
const logger = createLogger('silent');

async function load(fileSystem: FileSystem): Promise<{ refs: number[]; report: HeadChunksReport }> {
  const refs: number[] = [];
  const report = await loadHeadChunks(
    { dir: DIR, corruptDir: '/data/corrupt', fileSystem, kernels, logger, monotonicMs: () => 0, repair: true },
    ({ ref }) => refs.push(ref),
  );
  return { refs, report };
}

/** Writes batches of chunks with refs 1, 2, 3 … @returns the refs of each batch that was written, and the first failure */
async function write(fileSystem: FileSystem): Promise<{ written: number[][]; failed: unknown }> {
  const clock = new TestClock();
  const { report } = await load(fileSystem);
  const writer = new HeadChunkWriter({
    dir: DIR,
    nextFile: report.nextFile,
    fileSystem,
    clock,
    logger,
    kernels,
    fsyncIntervalMs: 5000,
    maxFileBytes: 500,
  });
  const written: number[][] = [];
  let failed: unknown;
  for (let batch = 0; batch < BATCHES; batch++) {
    const refs = Array.from({ length: PER_BATCH }, (_, i) => batch * PER_BATCH + i + 1);
    for (const ref of refs) {
      const bytes = new Uint8Array(11 + ref).fill(ref);
      writer.add(ref, { minTimeMs: ref, maxTimeMs: ref, encoding: Encoding.xor, bytes }, false);
    }
    try {
      writer.flush();
      written.push(refs);
    } catch (error) {
      failed ??= error;
    }
    if (batch % 4 === 1) {
      clock.fire();
      await new Promise(setImmediate);
    }
  }
  await writer.close().catch((error: unknown) => (failed ??= error));
  return { written, failed };
}

describe('tsdb: head chunk files on a failing disk', function () {
  this.timeout(600_000);
  const faults: Fault[] = [
    { kind: 'ENOSPC' },
    { kind: 'EIO', taken: 0.5 },
    { kind: 'short', taken: 0.3 },
    { kind: 'die', taken: 0.4 },
    { kind: 'die', afterwards: true },
  ];

  it('hold every chunk that was written, once, and none that was not, whatever call fails', async () => {
    const clean = new Machine();
    assert.equal((await write(clean.boot())).written.length, BATCHES);
    const calls = clean.trace.length;
    assert.ok(calls > 20, `${calls} calls`);
    let failures = 0;
    for (const fault of faults) {
      for (let call = 0; call < calls; call++) {
        const when = `${JSON.stringify(fault)} at call ${call}`;
        const machine = new Machine();
        machine.plan = faultAt(call, fault);
        const { written, failed } = await write(machine.boot()).catch((error: unknown) => ({
          written: [],
          failed: error,
        }));
        machine.plan = undefined;
        if (failed !== undefined) failures++;
        if (fault.kind !== 'die' && failed !== undefined)
          assert.ok(
            failed instanceof PromletError || String(failed).includes(fault.kind),
            `${when}: ${String(failed)}`,
          );
        const { refs, report } = await load(machine.boot());
        assert.ok(
          report.damage.every(({ torn }) => torn),
          when,
        );
        const expected = written.flat();
        if (fault.kind === 'die' && fault.afterwards === true) {
          // The call that it died in may have written its batch whole.
          assert.deepEqual(refs.slice(0, expected.length), expected, when);
          assert.ok(refs.length <= expected.length + PER_BATCH, when);
        } else if (fault.kind === 'die') {
          // What of the last batch was whole is there.
          assert.deepEqual(refs.slice(0, expected.length), expected, when);
        } else {
          assert.deepEqual(refs, expected, when);
        }
        assert.deepEqual((await load(machine.boot())).report.damage, [], when);
      }
    }
    assert.ok(failures > calls, `${failures} failures`);
  });

  it('lose to power loss only an end, and are written on behind it', async () => {
    for (let seed = 0; seed < 200; seed++) {
      const machine = new Machine();
      const random = seededRandom(seed);
      machine.plan = faultAt(Math.floor(random() * 60), { kind: 'die', afterwards: random() < 0.5, taken: random() });
      await write(machine.boot()).catch(() => {});
      machine.plan = undefined;
      machine.losePower(random);
      const fileSystem = machine.boot();
      const { refs } = await load(fileSystem);
      assert.deepEqual(
        refs,
        Array.from(refs, (_, i) => i + 1),
        `seed ${seed}`,
      );
      const { written } = await write(fileSystem);
      assert.equal(written.length, BATCHES);
      assert.deepEqual((await load(machine.boot())).refs, [...refs, ...written.flat()], `seed ${seed}`);
    }
  });

  it('are repaired to the same, whatever call of the repair ends or fails', async () => {
    const source = new Machine();
    await write(source.boot());
    const fileSystem = source.boot();
    const files = fileSystem
      .readdirSync(DIR)
      .sort()
      .map((name) => [`${DIR}/${name}`, fileSystem.readFileSync(`${DIR}/${name}`)] as const);
    assert.ok(files.length > 3);
    const hurt = Buffer.from(files[1]![1]);
    hurt[hurt.length - 20]! ^= 1;
    const machineWith = (): Machine => {
      const machine = new Machine();
      machine.put(files.map(([path, bytes], i) => [path, i === 1 ? hurt : bytes] as const));
      return machine;
    };
    const clean = machineWith();
    const expected = (await load(clean.boot())).refs;
    assert.ok(expected.length > 0 && expected.length < BATCHES * PER_BATCH);
    const calls = clean.trace.length;
    assert.ok(calls > 10, `${calls} calls`);
    for (const fault of [{ kind: 'die' }, { kind: 'die', afterwards: true }, { kind: 'ENOSPC' }] as const) {
      for (let call = 0; call < calls; call++) {
        for (const power of [true, false]) {
          const when = `${JSON.stringify(fault)} at call ${call}, power ${power ? 'stays' : 'is lost'}`;
          const machine = machineWith();
          machine.plan = faultAt(call, fault);
          await load(machine.boot()).catch(() => {});
          machine.plan = undefined;
          if (!power) machine.losePower(seededRandom(call));
          assert.deepEqual((await load(machine.boot())).refs, expected, when);
          const again = await load(machine.boot());
          assert.deepEqual([again.refs, again.report.damage], [expected, []], when);
          const kept = machine.boot().readdirSync('/data/corrupt');
          const contents = kept.map((name) => Buffer.from(machine.boot().readFileSync(`/data/corrupt/${name}`)));
          for (const bytes of [hurt, ...files.slice(2).map(([, after]) => Buffer.from(after))]) {
            assert.ok(
              contents.some((content) => content.equals(bytes)),
              when,
            );
          }
        }
      }
    }
  });
});
