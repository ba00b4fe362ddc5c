import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../../lib/env/index.ts';
import { type BlockContent, readBlock } from '../tools/block-content.ts';
import { compareBlocks } from '../tools/compare-blocks.ts';
import { ownTarget, prometheusTarget, type TargetOptions } from '../tools/database-target.ts';
import { DEMO_KINDS, type DemoKind, demoCommits } from '../tools/demo-commits.ts';
import { needPeer } from '../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { blockDirectories } from '../tools/prometheus-driver.ts';
import type { WrittenSeries } from '../tools/remote-write.ts';

const START_MS = 1_700_000_000_000;

interface Appends {
  readonly name: string;
  readonly options: TargetOptions;
  readonly commits: () => WrittenSeries[][];
  readonly ignoresHistory?: boolean;
  /** What the blocks must be like for this to have shown something. */
  readonly covers: (blocks: readonly BlockContent[]) => boolean;
}

const APPENDS: readonly Appends[] = [
  {
    name: 'samples of every kind every 15 s, blocks of 5, 15 and 45 minutes',
    options: {
      blockDurationMs: 300_000,
      maxBlockDurationMs: 2_700_000,
      outOfOrderWindowMs: 0,
    },
    commits: () => demo(15_000, 240),
    covers: (blocks) =>
      blocks.some(({ meta }) => meta.compaction.level === 3) && blocks.some(({ meta }) => meta.compaction.level === 1),
  },
  {
    name: 'samples so dense that chunks are cut by their number',
    options: {
      blockDurationMs: 300_000,
      maxBlockDurationMs: 300_000,
      outOfOrderWindowMs: 0,
    },
    // Prometheus writes every symbol of the head into a block of it, ours those of the block: without series that come later.
    commits: () =>
      demo(
        1000,
        700,
        DEMO_KINDS.filter((kind) => kind !== 'churn'),
      ),
    covers: (blocks) =>
      blocks.some(({ series }) =>
        series.some(({ chunks }) => chunks.some(({ bytes }) => bytes.readUInt16BE(0) >= 100)),
      ),
  },
  {
    name: 'samples out of order',
    // How often overlapping blocks were merged depends on when that happened, what is in them does not.
    ignoresHistory: true,
    options: {
      blockDurationMs: 300_000,
      maxBlockDurationMs: 300_000,
      outOfOrderWindowMs: 3_600_000,
    },
    commits: () => late(demo(15_000, 160)),
    covers: (blocks) => blocks.length >= 5,
  },
];

describe('the same appends to our database and to Prometheus 3.15', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-identical-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  for (const { name, options, commits, covers, ignoresHistory = false } of APPENDS) {
    it(`become the same blocks, byte for byte: ${name}`, async function () {
      const program = needPeer(this, 'prometheus');
      const ours = join(dir, 'ours');
      const theirs = join(dir, 'theirs');
      const all = commits();
      const own = await ownTarget(ours, options);
      const prometheus = await prometheusTarget({ program, version: 3, dataDir: theirs }, options);
      try {
        for (const commit of all) {
          await own.append(commit);
          await own.compact();
          await prometheus.append(commit);
        }
        const wanted = ranges(ours, ignoresHistory);
        assert.deepEqual(wanted, ranges(theirs, ignoresHistory));
      } finally {
        await own.end('stop');
        await prometheus.end('stop');
      }
      const mine = inOrder(ours);
      const other = inOrder(theirs);
      assert.ok(covers(mine.map(readBlock)));
      mine.forEach((block, i) => assert.deepEqual(compareBlocks(block, other[i]!, { ignoresHistory }), []));
    });
  }
});

function demo(stepMs: number, steps: number, kinds: readonly DemoKind[] = DEMO_KINDS): WrittenSeries[][] {
  return demoCommits({ random: seededRandom(5), startMs: START_MS, stepMs, steps, kinds });
}

/** Of every commit a third of the floats comes twelve commits later. */
function late(commits: readonly WrittenSeries[][]): WrittenSeries[][] {
  const random = seededRandom(6);
  const out: WrittenSeries[][] = commits.map(() => []);
  commits.forEach((commit, i) => {
    for (const series of commit) {
      const delayed = series.samples !== undefined && i > 0 && i + 12 < commits.length && random() < 0.3;
      out[delayed ? i + 12 : i]!.push(series);
    }
  });
  return out;
}

function ranges(dataDir: string, ignoresHistory: boolean): string[] {
  return inOrder(dataDir).map((block) => {
    const { meta } = readBlock(block);
    return `${meta.minTime}..${meta.maxTime}${ignoresHistory ? '' : ` level ${meta.compaction.level}`}`;
  });
}

/** Paths of the blocks, by their first time. */
function inOrder(dataDir: string): string[] {
  return blockDirectories(dataDir)
    .map((name) => join(dataDir, name))
    .map((path) => ({ path, meta: readBlock(path).meta }))
    .sort((a, b) => a.meta.minTime - b.meta.minTime || a.meta.maxTime - b.meta.maxTime)
    .map(({ path }) => path);
}
