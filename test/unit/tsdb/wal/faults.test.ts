import assert from 'node:assert/strict';
import { seededRandom } from '../../../../lib/env/index.ts';
import { Labels, PromletError } from '../../../../lib/model/index.ts';
import { createDirectory } from '../../../../lib/tsdb/directory.ts';
import { type Fault, faultAt } from '../../../fault/faults.ts';
import { Machine } from '../../../fault/file-system.ts';
import { TestClock } from '../environment.ts';
import { logWriter, readLog, samplesOf, seriesOf } from './log.ts';

const COMMITS = 30;
/** So small that a segment holds a few commits. */
const SEGMENT_BYTES = 400;

interface Outcome {
  /** Commits that were taken, by number. */
  readonly taken: number[];
  /** How many of them were taken before the last fsync that succeeded. */
  readonly durable: number;
  readonly failures: unknown[];
}

/** Logs commits of a series and a sample each; every fifth time the fsync interval is over. */
async function write(machine: Machine): Promise<Outcome> {
  const fileSystem = machine.boot();
  const clock = new TestClock();
  const taken: number[] = [];
  const failures: unknown[] = [];
  let durable = 0;
  createDirectory(fileSystem, '/data/wal');
  const { report } = await readLog('/data', { fileSystem, damaged: 'repair' });
  const writer = logWriter('/data', {
    fileSystem,
    clock,
    segment: report.lastSegment + 1,
    segmentBytes: SEGMENT_BYTES,
    compress: false,
  });
  for (let i = 1; i <= COMMITS; i++) {
    try {
      writer.log({ series: seriesOf([[i, Labels.of({ i: String(i) })]]), samples: samplesOf([[i, i, i]]) });
      taken.push(i);
    } catch (error) {
      failures.push(error);
    }
    if (i % 5 === 0) {
      const before = writer.fsyncFailures;
      clock.fire();
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
      if (machine.isRunning && writer.fsyncFailures === before) durable = taken.length;
    }
  }
  await writer.close().catch((error: unknown) => failures.push(error));
  return { taken, durable, failures };
}

/** The commits of which a log has the series, and those of which it has the sample. */
async function logged(machine: Machine): Promise<{ series: number[]; samples: number[] }> {
  const fileSystem = machine.boot();
  createDirectory(fileSystem, '/data/wal');
  const { rows } = await readLog('/data', { fileSystem, damaged: 'repair' });
  const refs = (kind: string): number[] => rows.filter(([one]) => one === kind).map(([, ref]) => ref);
  return { series: refs('series'), samples: refs('sample') };
}

describe('tsdb: the log on a failing disk', function () {
  this.timeout(600_000);
  it('has every commit that was taken, and nothing of others, whatever call fails', async () => {
    const clean = new Machine();
    assert.equal((await write(clean)).taken.length, COMMITS);
    const calls = clean.trace.length;
    assert.ok(calls > 40, `${calls} calls`);
    let refused = 0;
    const faults: Fault[] = [{ kind: 'ENOSPC' }, { kind: 'EIO', taken: 0.5 }, { kind: 'EMFILE' }, { kind: 'short' }];
    for (const fault of faults) {
      for (let call = 0; call < calls; call++) {
        const when = `${JSON.stringify(fault)} at call ${call}`;
        const machine = new Machine();
        machine.plan = faultAt(call, fault);
        const { taken, failures } = await write(machine).catch((error: unknown) => {
          return { taken: [], failures: [error] };
        });
        machine.plan = undefined;
        refused += COMMITS - taken.length;
        for (const failure of failures) {
          assert.ok(
            failure instanceof PromletError || String(failure).includes(fault.kind),
            `${when}: ${String(failure)}`,
          );
        }
        assert.deepEqual(await logged(machine), { series: taken, samples: taken }, when);
      }
    }
    assert.ok(refused > 10);
  });

  it('has every commit that was taken before a kill, and of others at most the one under way', async () => {
    const clean = new Machine();
    await write(clean);
    const calls = clean.trace.length;
    for (const fault of [
      { kind: 'die', taken: 0.7 },
      { kind: 'die', afterwards: true },
    ] as const) {
      for (let call = 0; call < calls; call++) {
        const when = `${JSON.stringify(fault)} at call ${call}`;
        const machine = new Machine();
        machine.plan = faultAt(call, fault);
        const { taken } = await write(machine).catch(() => ({ taken: [] as number[] }));
        machine.plan = undefined;
        const { series, samples } = await logged(machine);
        assert.deepEqual(samples.slice(0, taken.length), taken, when);
        assert.ok(samples.length <= taken.length + 1 && series.length <= taken.length + 1, when);
      }
    }
  });

  it('loses to power loss no more than what came after the last fsync', async () => {
    let lost = 0;
    for (let seed = 0; seed < 300; seed++) {
      const random = seededRandom(seed);
      const machine = new Machine();
      machine.plan = faultAt(Math.floor(random() * 60), { kind: 'die', afterwards: random() < 0.5, taken: random() });
      const outcome = await write(machine).catch(() => ({ taken: [] as number[], durable: 0 }));
      machine.plan = undefined;
      machine.losePower(random);
      const { samples } = await logged(machine);
      const durable = outcome.taken.slice(0, outcome.durable);
      assert.deepEqual(samples.slice(0, durable.length), durable, `seed ${seed}`);
      const taken = new Set(outcome.taken);
      assert.ok(samples.filter((commit) => !taken.has(commit)).length <= 1, `seed ${seed}`);
      lost += outcome.taken.filter((commit) => !samples.includes(commit)).length;
    }
    assert.ok(lost > 100, `only ${lost} commits lost: power is not lost often enough`);
  });
});
