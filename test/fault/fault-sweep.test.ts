import assert from 'node:assert/strict';
import { seededRandom } from '../../lib/env/index.ts';
import type { Fault } from './faults.ts';
import { type Case, type CaseValue, type Operation, START_MS } from './model/operations.ts';
import { failureText, runCase } from './model/run-case.ts';

/** Set to `all`, every point is tried; else a sample. */
const ALL = process.env['PROMLET_FAULTS'] === 'all';
const SAMPLED = 60;
const BLOCK_MS = 10_000;
const OPTIONS: Case['options'] = {
  blockDurationMs: BLOCK_MS,
  outOfOrderWindowMs: BLOCK_MS * 4,
  walCompression: 'snappy',
  walFsyncIntervalMs: 5000,
  walSegmentBytes: 32_768,
  retentionMs: BLOCK_MS * 12,
};

/** One run that writes everything that a database writes. */
function script(): Operation[] {
  const operations: Operation[] = [];
  let nowMs = START_MS;
  const scrapes = (count: number): void => {
    operations.push({
      op: 'scrapes',
      series: 0,
      seriesCount: 3,
      startMs: nowMs,
      stepMs: 500,
      count,
    });
    nowMs += count * 500;
  };
  const commit = (rows: readonly (readonly [series: number, ageMs: number, value: CaseValue])[]): void => {
    const all = rows.map(([series, ageMs, value]) => ({
      series,
      timeMs: nowMs - ageMs,
      value,
    }));
    operations.push({ op: 'append', atMs: nowMs, rows: all });
    nowMs += 1000;
  };
  const all = { label: 'nothing', value: '' };
  for (let round = 0; round < 4; round++) {
    scrapes(30);
    commit([
      [10, 0, { kind: 'integer', seen: round * 3 + 1 }],
      [11, 0, { kind: 'float', seen: round * 3 + 1 }],
      [12, 0, 'stale'],
      [20 + round, 0, round],
    ]);
    // Out of order: older than what there is.
    commit([
      [0, 3333, 7],
      [1, 7777, 8],
    ]);
    operations.push({
      op: 'delete',
      label: 'series',
      value: '1',
      minMs: nowMs - 9000,
      maxMs: nowMs - 4000,
    });
    if (round % 2 === 0) operations.push({ op: 'restart' });
    operations.push({ op: 'compact' });
    if (round === 1) operations.push({ op: 'crash' });
    if (round === 2) operations.push({ op: 'clean' }, { op: 'snapshot' });
    scrapes(12);
    operations.push({ op: 'compact' }, { op: 'read', ...all, minMs: START_MS, maxMs: nowMs });
  }
  // Long enough for what was first to be past retention.
  scrapes(200);
  operations.push({ op: 'compact' }, { op: 'restart' });
  scrapes(4);
  return operations;
}

const FAULTS: readonly Fault[] = [
  { kind: 'ENOSPC' },
  { kind: 'ENOSPC', taken: 0.5 },
  { kind: 'EIO', taken: 1 },
  { kind: 'EMFILE' },
  { kind: 'short' },
  { kind: 'die' },
  { kind: 'die', taken: 0.5 },
  { kind: 'die', afterwards: true },
];

describe('a run that writes everything', function () {
  this.timeout(ALL ? 4 * 3_600_000 : 600_000);
  let points: string[];

  before(async () => {
    const failure = await runCase(
      { options: OPTIONS, operations: script() },
      { observe: ({ trace }) => (points = [...trace]) },
    );
    if (failure !== undefined) assert.fail(failureText(failure));
  });

  it('goes through the log, checkpoints, head chunks, blocks, compaction, tombstones, retention and snapshots', () => {
    for (const pattern of [
      /^write \S*\/data\/wal\/\d+$/,
      /^write \S*\/data\/wal\/checkpoint\.\d+\.tmp\//,
      /^rename .*checkpoint\.\d+\.tmp .*checkpoint\.\d+$/,
      /^unlink \S*\/data\/wal\/\d+$/,
      /^write \S*\/data\/wbl\/\d+$/,
      /^write \S*\/data\/chunks_head\/\d+$/,
      /^write \S*\/data\/\w{26}\.tmp-for-creation\/index$/,
      /^write \S*\/data\/\w{26}\.tmp-for-creation\/chunks\/000001$/,
      /^rename \S*\/data\/\w{26}\.tmp-for-creation \S*\/data\/\w{26}$/,
      /^rename \S*\/data\/\w{26} \S*\/data\/\w{26}\.tmp-for-deletion$/,
      /^rename .*\/tombstones/,
      /^rename .*\/meta\.json/,
      /^(?:link|write) .*snapshots\//,
      /^fsync /,
    ]) {
      assert.ok(
        points.some((point) => pattern.test(point)),
        `${pattern} in\n${[...new Set(points.map((point) => point.replace(/\w{26}/g, 'ULID').replace(/\d{6,}/g, 'N')))].join('\n')}`,
      );
    }
  });

  for (const powerLoss of [false, true]) {
    for (const fault of FAULTS) {
      if (powerLoss && fault.kind !== 'die') continue;
      const what = `${fault.kind}${fault.taken === undefined ? '' : ` after ${fault.taken} of the bytes`}${fault.afterwards ? ' behind it' : ''}`;
      it(`loses nothing that was committed to ${what}${powerLoss ? ' with a power loss' : ''}, at ${ALL ? 'every' : 'any'} point`, async () => {
        const random = seededRandom(powerLoss ? 5 : 4);
        const chosen = ALL
          ? points.keys()
          : Array.from({ length: SAMPLED / FAULTS.length }, () => Math.floor(random() * points.length));
        for (const after of chosen) {
          const fault1: Operation = {
            op: 'fault',
            after,
            fault,
            ...(powerLoss ? { powerLossSeed: after } : {}),
          };
          const failure = await runCase({
            options: OPTIONS,
            operations: [fault1, ...script()],
          });
          if (failure !== undefined) assert.fail(`point ${after}, ${points[after]}: ${failureText(failure)}`);
        }
      });
    }
  }
});
