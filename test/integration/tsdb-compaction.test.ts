/** The same blocks compacted by real Prometheus and by us: the same new blocks, byte for byte but for ULIDs. */
import { deepEqual, equal, notDeepEqual, ok } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createLogger, nodeFileSystem, seededRandom, systemClock } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { type BlockMeta, readMeta } from '../../lib/tsdb/block/meta.ts';
import { PageCache } from '../../lib/tsdb/block/page-cache.ts';
import { BlockSet } from '../../lib/tsdb/blocks.ts';
import { Compactor } from '../../lib/tsdb/compact/compactor.ts';
import { blockRangesMs, maxBlockDurationMs, planCompaction } from '../../lib/tsdb/compact/plan.ts';
import { InProcessRunner } from '../../lib/tsdb/compact/runner.ts';
import { compareBlocks } from '../tools/compare-blocks.ts';
import { appendCommit, DEMO_KINDS, demoCommits } from '../tools/demo-commits.ts';
import { openTsdb } from '../../lib/tsdb/index.ts';
import { needPeer } from '../tools/peers.ts';
import { eventually, PATIENCE_MS, SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import {
  blockDirectories,
  PrometheusDriver,
  type PrometheusOptions,
  promtoolDump,
} from '../tools/prometheus-driver.ts';
import { temporaryDirectory } from '../unit/tsdb/environment.ts';

const run = promisify(execFile);
const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2023, 10, 14);
const shortBlocks = { blockDuration: '10m', maxBlockDuration: '10m' } as const;

/** What a block is, but for its own ULID and those of blocks that were made in the same run. */
interface Content {
  readonly sources: readonly string[];
  /** meta.json, the ULIDs left out. */
  readonly meta: string;
  /** Hashes of the other files. */
  readonly files: Record<string, string>;
}

function contents(dir: string): Content[] {
  return metasOf(dir)
    .sort((a, b) => a.minTime - b.minTime || a.maxTime - b.maxTime)
    .map(({ ulid, compaction }) => ({ sources: compaction.sources ?? [], ...filesOf(join(dir, ulid)) }));
}

function filesOf(blockDir: string): Omit<Content, 'sources'> {
  const files = readdirSync(blockDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'meta.json')
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((a, b) => (a < b ? -1 : 1))
    .map((path) => [path.slice(blockDir.length + 1), createHash('sha256').update(readFileSync(path)).digest('hex')]);
  return {
    meta: readFileSync(join(blockDir, 'meta.json'), 'utf8').replaceAll(/[0-9A-HJKMNP-TV-Z]{26}/g, 'ULID'),
    files: Object.fromEntries(files) as Record<string, string>,
  };
}

function metasOf(dir: string): BlockMeta[] {
  return blockDirectories(dir).map((name) => readMeta(nodeFileSystem, join(dir, name)).meta);
}

/** Opens a data directory for compaction. */
async function withCompactor(
  dir: string,
  rangesMs: readonly number[],
  action: (compactor: Compactor) => Promise<void>,
): Promise<Compactor> {
  const kernels = createKernels();
  const cache = new PageCache({ fileSystem: nodeFileSystem, kernels });
  const logger = createLogger('silent');
  const blocks = new BlockSet({ dir, cache, logger });
  const compactor = new Compactor({
    dir,
    blocks,
    runner: new InProcessRunner(cache, systemClock),
    fileSystem: nodeFileSystem,
    clock: systemClock,
    random: seededRandom(1),
    logger,
    rangesMs,
    retention: () => undefined,
  });
  await action(compactor);
  await blocks.close();
  return compactor;
}

async function withPrometheus(
  options: Omit<PrometheusOptions, 'version'>,
  action: (driver: PrometheusDriver) => Promise<unknown>,
): Promise<void> {
  const driver = await PrometheusDriver.start({ version: 3, ...options });
  try {
    await action(driver);
  } finally {
    await driver.stop();
  }
}

function compactByPrometheus(options: Omit<PrometheusOptions, 'version'>, rangesMs: readonly number[]): Promise<void> {
  return withPrometheus({ ...options, reloadInterval: '1s' }, ({ dataDir }) =>
    eventually('Prometheus has compacted all', PATIENCE_MS, () => {
      const unfinished = readdirSync(dataDir).some((name) => name.includes('.tmp'));
      return Promise.resolve(!unfinished && planCompaction(metasOf(dataDir), rangesMs).length === 0);
    }),
  );
}

interface Backfill {
  readonly fromHour: number;
  readonly toHour: number;
  readonly stepMs: number;
  readonly series: readonly string[];
  readonly value: (series: number, sample: number) => number;
}

async function backfill(promtool: string, dir: string, scratch: string, data: Backfill): Promise<void> {
  const lines: string[] = [];
  for (const [index, name] of data.series.entries()) {
    const fromMs = START_MS + data.fromHour * HOUR_MS;
    const toMs = START_MS + data.toHour * HOUR_MS;
    for (let timeMs = fromMs, i = 0; timeMs < toMs; timeMs += data.stepMs, i++) {
      lines.push(`${name} ${data.value(index, i)} ${timeMs / 1000}`);
    }
  }
  const file = join(scratch, 'in.om');
  writeFileSync(file, `# TYPE m gauge\n${lines.join('\n')}\n# EOF\n`);
  await run(promtool, ['tsdb', 'create-blocks-from', 'openmetrics', '-q', file, dir], { maxBuffer: 1 << 26 });
}

describe('compaction beside Prometheus', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  const rangesMs = blockRangesMs(2 * HOUR_MS, maxBlockDurationMs(0));

  const series = (count: number, offset = 0): string[] =>
    Array.from({ length: count }, (_, i) => `m{pod="p${i + offset}",zone="z${(i + offset) % 3}"}`);

  it('makes the same blocks of adjacent and of overlapping ones', async function () {
    const promtool = needPeer(this, 'promtool');
    const program = needPeer(this, 'prometheus');
    const root = temporaryDirectory((cleanUp) => after(cleanUp));
    const [input, theirs, ours] = ['input', 'theirs', 'ours'].map((name) => join(root, name)) as [
      string,
      string,
      string,
    ];
    mkdirSync(input);
    const random = seededRandom(7);
    const noise = (): number => Math.round(random() * 1e6) / 1e3;
    const add = (data: Backfill): Promise<void> => backfill(promtool, input, root, data);
    // 13 adjacent blocks, the last not full; another set of series over some of them, at other times and at the same; some
    // samples once more as they are, some with other values.
    await add({ fromHour: 0, toHour: 25, stepMs: 15_000, series: series(12), value: (s, i) => s * 1000 + i });
    await add({ fromHour: 6, toHour: 11, stepMs: 10_000, series: series(10, 6), value: noise });
    await add({ fromHour: 7, toHour: 8, stepMs: 15_000, series: series(12), value: (s, i) => s * 1000 + i + 1680 });
    await add({ fromHour: 18, toHour: 18.7, stepMs: 15_000, series: series(3), value: noise });
    cpSync(input, theirs, { recursive: true });
    cpSync(input, ours, { recursive: true });

    await compactByPrometheus({ program, dataDir: theirs }, rangesMs);
    const compactor = await withCompactor(ours, rangesMs, (it) => it.compactBlocks());
    ok(compactor.stats.vertical >= 2, 'no overlaps were compacted');
    deepEqual(contents(ours), contents(theirs));
    ok(
      metasOf(ours).some(({ compaction }) => compaction.level > 2),
      'no block was compacted twice',
    );
  });

  describe('of blocks with every kind of sample', () => {
    const minuteMs = 60_000;
    const startMs = Math.ceil(1_700_000_000_000 / (30 * minuteMs)) * 30 * minuteMs;
    const ranges = [10 * minuteMs, 30 * minuteMs, 90 * minuteMs];
    let program: string;
    let root: string;
    let input: string;
    let copies = 0;
    const copy = (): string => {
      const dir = join(root, `copy-${copies++}`);
      cpSync(input, dir, { recursive: true });
      return dir;
    };

    before(async function () {
      program = needPeer(this, 'prometheus');
      root = temporaryDirectory((cleanUp) => after(cleanUp));
      input = join(root, 'input');
      mkdirSync(input);
      // Two servers with samples of their own of the same series at the same times.
      for (const [server, seed] of [3, 4].entries()) {
        const dataDir = join(root, `server-${server}`);
        const random = seededRandom(seed);
        const commits = demoCommits({ random, startMs, stepMs: 15_000, steps: 260 });
        const late = demoCommits({
          random,
          startMs: startMs + 30 * minuteMs,
          stepMs: 7_000,
          steps: 60,
          kinds: ['gauge', 'float'],
        });
        await withPrometheus({ program, dataDir, ...shortBlocks, outOfOrderWindow: '1h' }, async (driver) => {
          for (const commit of [...commits, ...late]) await driver.write(commit);
          await driver.compacted(10 * minuteMs);
          await driver.blocks(5);
          if (server > 0) return;
          for (const kind of DEMO_KINDS) {
            await driver.deleteSeries(`demo_${kind}`, startMs + 95_000, startMs + 1_000_000);
          }
          await driver.deleteSeries('{i="1"}', startMs + 1_300_000, startMs + 1_310_000);
        });
        for (const name of blockDirectories(dataDir))
          cpSync(join(dataDir, name), join(input, name), { recursive: true });
      }
      ok(
        metasOf(input).some(({ stats }) => (stats.numTombstones ?? 0) > 0),
        'nothing is deleted',
      );
      ok(
        metasOf(input).some(({ stats }) => (stats.numHistogramSamples ?? 0) > 0),
        'there are no histograms',
      );
    });

    it('makes the same blocks', async () => {
      const [theirs, ours] = [copy(), copy()];
      await compactByPrometheus({ program, dataDir: theirs, blockDuration: '10m', maxBlockDuration: '90m' }, ranges);
      const compactor = await withCompactor(ours, ranges, (it) => it.compactBlocks());
      ok(compactor.stats.vertical > 0, 'no overlaps were compacted');
      deepEqual(contents(ours), contents(theirs));
    });

    it('cleans the same tombstones', async () => {
      const [theirs, ours] = [copy(), copy()];
      for (const dir of [theirs, ours]) removeOverlaps(dir);
      await withPrometheus({ program, dataDir: theirs, ...shortBlocks }, (driver) => driver.cleanTombstones());
      const before = contents(ours);
      await withCompactor(ours, ranges, (it) => it.cleanTombstones());
      const withoutSources = (dir: string): unknown[] => contents(dir).map((content) => ({ ...content, sources: [] }));
      deepEqual(withoutSources(ours), withoutSources(theirs));
      ok(metasOf(ours).every(({ stats }) => (stats.numTombstones ?? 0) === 0));
      notDeepEqual(contents(ours), before);
    });
  });

  it('merges XOR2 chunks to the same samples, which promtool reads', async function () {
    const program = needPeer(this, 'prometheus');
    const promtool = needPeer(this, 'promtool');
    const root = temporaryDirectory((cleanUp) => after(cleanUp));
    const [theirs, ours] = [join(root, 'theirs'), join(root, 'ours')];
    const minuteMs = 60_000;
    const startMs = Math.ceil(1_700_000_000_000 / (10 * minuteMs)) * 10 * minuteMs;
    for (const seed of [1, 2]) {
      const dataDir = join(root, `server-${seed}`);
      const kinds = ['counter', 'gauge', 'odd'] as const;
      const commits = demoCommits({ random: seededRandom(seed), startMs, stepMs: 5_000, steps: 200, kinds });
      await withPrometheus({ program, dataDir, ...shortBlocks, floatEncoding: 'xor2' }, async (driver) => {
        for (const commit of commits) await driver.write(commit);
        await driver.compacted(10 * minuteMs);
        await driver.blocks(1);
      });
      for (const name of blockDirectories(dataDir)) {
        for (const dir of [theirs, ours]) cpSync(join(dataDir, name), join(dir, name), { recursive: true });
      }
    }
    const ranges = [10 * minuteMs];
    await compactByPrometheus({ program, dataDir: theirs, ...shortBlocks, floatEncoding: 'xor2' }, ranges);
    const { stats } = await withCompactor(ours, ranges, (compactor) => compactor.compactBlocks());
    equal(stats.vertical, 1);
    // promtool does not do without.
    mkdirSync(join(ours, 'wal'));
    const [found, expected] = [await promtoolDump(promtool, ours), await promtoolDump(promtool, theirs)];
    deepEqual(found, expected);
    ok(Object.keys(found).length > 10);
    const { stdout } = await run(promtool, ['tsdb', 'list', ours]);
    deepEqual(
      blockDirectories(ours).map((name) => stdout.includes(name)),
      [true],
    );
  });

  it('makes the same blocks of a head, in order and out of order', async function () {
    const program = needPeer(this, 'prometheus');
    const root = temporaryDirectory((cleanUp) => after(cleanUp));
    const [theirs, ours] = [join(root, 'theirs'), join(root, 'ours')];
    const minuteMs = 60_000;
    const startMs = Math.ceil(1_700_000_000_000 / (10 * minuteMs)) * 10 * minuteMs;
    const random = seededRandom(11);
    const commits = demoCommits({ random, startMs: startMs + 20 * minuteMs, stepMs: 15_000, steps: 56 });
    // In any order, so that the chunks that came out of order overlap; their times lie before those of the others.
    const late = demoCommits({ random, startMs, stepMs: 2_000, steps: 290 }).map((commit) => ({
      commit,
      at: random(),
    }));
    late.sort((a, b) => a.at - b.at);
    const [last] = demoCommits({ random, startMs: startMs + 36 * minuteMs, stepMs: 1, steps: 1 });
    const all = [...commits, ...late.map(({ commit }) => commit), last!];

    await withPrometheus({ program, dataDir: theirs, ...shortBlocks, outOfOrderWindow: '1h' }, async (driver) => {
      for (const commit of all) await driver.write(commit);
      await driver.compacted(10 * minuteMs);
      await driver.blocks(2);
    });

    const database = await openTsdb({
      dir: ours,
      fileSystem: nodeFileSystem,
      clock: systemClock,
      logger: createLogger('silent'),
      kernels: createKernels(),
      minBlockDurationMs: 10 * minuteMs,
      maxBlockDurationMs: 10 * minuteMs,
      retention: { timeMs: 0 },
      outOfOrderWindowMs: 60 * minuteMs,
    });
    try {
      for (const commit of all) await appendCommit(database, commit);
      await database.compact();
    } finally {
      await database.close();
    }

    const byTime = (dir: string): string[] =>
      metasOf(dir)
        .sort((x, y) => x.minTime - y.minTime)
        .map((meta) => join(dir, meta.ulid));
    const expected = byTime(theirs);
    equal(byTime(ours).length, expected.length);
    for (const [i, block] of byTime(ours).entries()) {
      // Theirs list a parent without a ULID for what came out of order.
      const differences = compareBlocks(block, expected[i]!).filter((line) => !line.startsWith('meta '));
      deepEqual(differences, []);
    }
    deepEqual(
      metasOf(ours).map((meta) => [(meta.minTime - startMs) / minuteMs, meta.compaction.hints]),
      [
        [20, undefined],
        [0, ['from-out-of-order']],
      ],
    );
  });
});

/** Deletes the blocks of the second server, so that nothing is left to compact. */
function removeOverlaps(dir: string): void {
  let maxTime = -Infinity;
  for (const meta of metasOf(dir).sort((a, b) => a.minTime - b.minTime || (a.ulid < b.ulid ? -1 : 1))) {
    if (meta.minTime < maxTime) rmSync(join(dir, meta.ulid), { recursive: true });
    else maxTime = meta.maxTime;
  }
}
