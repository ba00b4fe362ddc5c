import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { seededRandom } from '../../lib/env/index.ts';
import { compareUtf8, isStaleNaN } from '../../lib/model/index.ts';
import { readBlock } from '../tools/block-content.ts';
import { ownTarget, prometheusTarget, type Target, type TargetOptions } from '../tools/database-target.ts';
import { DEMO_KINDS, demoCommits, type DemoKind, dumpOfCommits } from '../tools/demo-commits.ts';
import { needPeer } from '../tools/peers.ts';
import { plainHistogram } from '../tools/plain-json.ts';
import { call, SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { asPromtoolDump, blockDirectories, PrometheusDriver, promtoolDump } from '../tools/prometheus-driver.ts';
import type { WrittenSeries } from '../tools/remote-write.ts';
import { countSamples, type Dump } from '../tools/samples.ts';

const run = promisify(execFile);
const START_MS = 1_700_000_000_000;
const STEP_MS = 15_000;
const BLOCK_MS = 300_000;
const IN_ORDER: TargetOptions = {
  blockDurationMs: BLOCK_MS,
  maxBlockDurationMs: BLOCK_MS * 3,
  outOfOrderWindowMs: 0,
};

/** What is done to a database, and what it then holds. */
interface Scenario {
  readonly name: string;
  readonly options: TargetOptions;
  play(target: Target, kinds: readonly DemoKind[]): Promise<Played>;
  /** Fails when the directory lacks what the scenario is about. */
  covers(dir: string): void;
}

interface Played {
  readonly commits: readonly (readonly WrittenSeries[])[];
  readonly expected: Dump;
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a log only',
    options: IN_ORDER,
    play: async (target, kinds) => {
      const commits = demo(kinds, 24);
      for (const commit of commits) await target.append(commit);
      await target.end('kill');
      return { commits, expected: dumpOfCommits(commits) };
    },
    covers: (dir) => {
      assert.deepEqual(blockDirectories(dir), []);
      assert.ok(bytesIn(join(dir, 'wal')) > 5000);
    },
  },
  {
    name: 'blocks, tombstones, a checkpoint, head chunks and a log',
    options: IN_ORDER,
    play: async (target, kinds) => {
      const commits = demo(kinds, 160);
      for (const [i, commit] of commits.entries()) {
        await target.append(commit);
        if (i % 40 === 39) await target.compact();
        if (i === 60) await target.restart('stop');
        if (i === 90) await target.restart('kill');
        if (i === 130) await target.restart('stop');
      }
      await target.compact();
      // One range lies in blocks, the other in the head.
      const deleted = [
        {
          name: 'demo_counter',
          minMs: START_MS + 40 * STEP_MS,
          maxMs: START_MS + 90 * STEP_MS,
        },
        {
          name: 'demo_gauge',
          minMs: START_MS + 232 * STEP_MS,
          maxMs: START_MS + 236 * STEP_MS,
        },
      ];
      const expected = dumpOfCommits(commits);
      for (const { name, minMs, maxMs } of deleted) {
        await target.delete('__name__', name, minMs, maxMs);
        for (const [labels, samples] of Object.entries(expected)) {
          if (!labels.includes(`"${name}"`)) continue;
          expected[labels] = samples.filter(([timeMs]) => timeMs < minMs || timeMs > maxMs);
        }
      }
      await target.restart('stop');
      await target.end('kill');
      return { commits, expected };
    },
    covers: (dir) => {
      const blocks = blockDirectories(dir).map((name) => readBlock(join(dir, name)));
      assert.ok(blocks.length >= 2);
      assert.ok(
        blocks.some(({ meta }) => meta.compaction.level > 1),
        'blocks of blocks',
      );
      assert.ok(
        blocks.some(({ tombstones }) => tombstones.length > 0),
        'tombstones',
      );
      assert.ok(bytesIn(join(dir, 'chunks_head')) > 100, 'head chunks');
      assert.ok(
        readdirSync(join(dir, 'wal')).some((name) => name.startsWith('checkpoint.')),
        'a checkpoint',
      );
    },
  },
  {
    name: 'samples out of order, compacted and not',
    options: { ...IN_ORDER, outOfOrderWindowMs: 12 * 3_600_000 },
    play: async (target, kinds) => {
      const random = seededRandom(9);
      const commits = demo(
        kinds.filter((kind) => kind === 'counter' || kind === 'odd' || kind === 'gauge'),
        120,
      );
      // Of some commits half comes late.
      const late: WrittenSeries[][] = [];
      for (const [i, commit] of commits.entries()) {
        const now: WrittenSeries[] = [];
        for (const series of commit) {
          if (i > 0 && i % 5 !== 0 && random() < 0.4) (late[Math.floor(i / 20)] ??= []).push(series);
          else now.push(series);
        }
        await target.append(now);
        if (i % 20 === 19 && i > 20) await target.append(late[Math.floor(i / 20) - 1] ?? []);
        if (i === 80) {
          await target.compact();
          await target.restart('stop');
        }
      }
      await target.append(late.at(-1)!);
      const expected = dumpOfCommits(commits);
      assert.deepEqual(await target.read(), expected);
      await target.end(target.keepsLateSamples ? 'kill' : 'stop');
      return { commits, expected };
    },
    covers: (dir) => {
      assert.ok(bytesIn(join(dir, 'wbl')) > 1000);
      assert.ok(blockDirectories(dir).length > 0);
    },
  },
];

describe('our database and real Prometheus on the same directory', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-both-'));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));
  const copyOf = (from: string, name: string): string => {
    const to = join(dir, name);
    cpSync(from, to, { recursive: true });
    return to;
  };

  for (const [i, scenario] of SCENARIOS.entries()) {
    describe(scenario.name, () => {
      for (const version of [3, 2] as const) {
        const peers =
          version === 3
            ? ({
                program: 'prometheus',
                promtool: 'promtool',
                label: '3.15',
              } as const)
            : ({
                program: 'prometheus2',
                promtool: 'promtool2',
                label: '2.42',
              } as const);
        // 2.42 knows no custom buckets.
        const kinds = DEMO_KINDS.filter((kind) => version === 3 || kind !== 'custom');

        it(`of ours is read by Prometheus ${peers.label} and promtool, to the last sample`, async function () {
          const program = needPeer(this, peers.program);
          const promtool = needPeer(this, peers.promtool);
          const data = join(dir, `ours-${i}-${version}`);
          const { commits, expected } = await scenario.play(await ownTarget(data, scenario.options), kinds);
          scenario.covers(data);
          await checkPromtool(promtool, version, copyOf(data, `${i}-${version}-promtool`), scenario, expected);
          await checkPrometheus(program, version, copyOf(data, `${i}-${version}-served`), scenario, commits, expected);
        });

        it(`of Prometheus ${peers.label} is read by us, to the last sample`, async function () {
          const program = needPeer(this, peers.program);
          const data = join(dir, `theirs-${i}-${version}`);
          // It takes float histograms by remote write from 2.43 on.
          const sent = kinds.filter((kind) => version === 3 || kind !== 'float');
          const target = await prometheusTarget({ program, version, dataDir: data }, scenario.options);
          const { expected } = await scenario.play(target, sent);
          scenario.covers(data);
          await checkOurs(data, scenario.options, expected);
        });
      }
    });
  }

  it('reads blocks, head chunks and a log that Prometheus 3.15 wrote with XOR2 chunks and zstd', async function () {
    const program = needPeer(this, 'prometheus');
    const scenario = SCENARIOS[1]!;
    const data = join(dir, 'xor2');
    const options = {
      program,
      version: 3,
      dataDir: data,
      floatEncoding: 'xor2',
      walCompression: 'zstd',
    } as const;
    const { expected } = await scenario.play(await prometheusTarget(options, scenario.options), DEMO_KINDS);
    scenario.covers(data);
    const encodings = blockDirectories(data).flatMap((name) =>
      readBlock(join(data, name)).series.flatMap(({ chunks }) => chunks.map(({ encoding }) => encoding)),
    );
    assert.ok(encodings.filter((encoding) => encoding === 4).length > 50);
    await checkOurs(data, scenario.options, expected);
  });

  async function checkOurs(data: string, options: TargetOptions, expected: Dump): Promise<void> {
    const ours = await ownTarget(data, options);
    assert.deepEqual(present(await ours.read()), present(expected));
    // And once more, from what we made of it.
    await ours.compact();
    await ours.restart('stop');
    assert.deepEqual(present(await ours.read()), present(expected));
    await ours.end('stop');
  }

  async function checkPromtool(
    promtool: string,
    version: 2 | 3,
    data: string,
    { options }: Scenario,
    expected: Dump,
  ): Promise<void> {
    const hasUncompactedOutOfOrder = options.outOfOrderWindowMs > 0;
    const dumped = await promtoolDump(promtool, data);
    // promtool 2.42 dumps floats only.
    const told = asPromtoolDump(version === 3 ? expected : floatsOf(expected));
    if (hasUncompactedOutOfOrder) {
      // Its read-only database does not look at them; what it tells must be right.
      for (const [labels, samples] of Object.entries(told)) {
        const times = new Set(dumped[labels]!.map(([timeMs]) => timeMs));
        told[labels] = samples.filter(([timeMs]) => times.has(timeMs));
      }
    }
    assert.deepEqual(present(dumped), present(told));
    const blocks = blockDirectories(data);
    const { stdout: list } = await run(promtool, ['tsdb', 'list', data]);
    const listed = list
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split(/\s+/));
    assert.deepEqual(listed.map(([ulid]) => ulid!).sort(compareUtf8), blocks);
    for (const [ulid, minTime, maxTime, , samples, chunks, series] of listed) {
      const { meta, series: found } = readBlock(join(data, ulid!));
      const allChunks = found.flatMap((one) => one.chunks);
      const counted = allChunks.reduce((sum, { bytes }) => sum + bytes.readUInt16BE(0), 0);
      assert.deepEqual([minTime, maxTime, samples, chunks, series].map(Number), [
        meta.minTime,
        meta.maxTime,
        counted,
        allChunks.length,
        found.length,
      ]);
      const { stdout: analysis } = await run(promtool, ['tsdb', 'analyze', data, ulid!]);
      assert.match(analysis, new RegExp(`^(?:Total )?Series: ${found.length}$`, 'm'));
    }
  }

  async function checkPrometheus(
    program: string,
    version: 2 | 3,
    dataDir: string,
    { options }: Scenario,
    commits: readonly (readonly WrittenSeries[])[],
    expected: Dump,
  ): Promise<void> {
    const driver = await PrometheusDriver.start({
      program,
      version,
      dataDir,
      blockDuration: `${options.blockDurationMs}ms`,
      maxBlockDuration: `${options.maxBlockDurationMs}ms`,
      ...(options.outOfOrderWindowMs > 0 ? { outOfOrderWindow: `${options.outOfOrderWindowMs}ms` } : {}),
    });
    try {
      const told = version === 3 ? expected : floatsOf(expected);
      assert.deepEqual(present(await driver.read()), present(told));
      if (version === 2 && options.outOfOrderWindowMs === 0) await checkHistogramsByQuery(driver.url, commits);
    } finally {
      await driver.stop();
    }
    assert.ok(!existsSync(join(dataDir, 'wal', '00000000.corrupted')));
  }
});

/**
 * Remote read of 2.42 gives no histograms, and of those in a range it shows one many times; so it is asked for the newest at
 * some instants.
 */
async function checkHistogramsByQuery(url: string, commits: readonly (readonly WrittenSeries[])[]): Promise<void> {
  let compared = 0;
  const newest = new Map<string, unknown>();
  for (const [step, commit] of commits.entries()) {
    for (const { labels, histograms = [] } of commit) {
      for (const [, histogram] of histograms) {
        const stale = isStaleNaN(histogram.sum);
        newest.set(
          JSON.stringify(Object.fromEntries(labels)),
          stale ? undefined : JSON.parse(plainHistogram(histogram)),
        );
      }
    }
    if (step % Math.ceil(commits.length / 20) !== 0) continue;
    const time = String((START_MS + step * STEP_MS + 10) / 1000);
    const { data } = await call<{
      result: {
        metric: Record<string, string>;
        histogram: [number, unknown];
      }[];
    }>(url, 'query', { query: '{__name__=~"demo_(integer|float)"}', time });
    const found = Object.fromEntries(
      data.result.map(({ metric, histogram }) => [JSON.stringify(metric), histogram[1]]),
    );
    const expected = Object.fromEntries([...newest].filter(([, histogram]) => histogram !== undefined));
    assert.deepEqual(found, expected, `at ${time}`);
    compared += Object.keys(found).length;
  }
  assert.ok(compared > 50);
}

function demo(kinds: readonly DemoKind[], steps: number): WrittenSeries[][] {
  return demoCommits({
    random: seededRandom(21),
    startMs: START_MS,
    stepMs: STEP_MS,
    steps,
    kinds,
  });
}

/** Without series that have no samples left; at least as many samples as make it worth while. */
function present(dump: Dump): Dump {
  assert.ok(countSamples(dump) > 300);
  return Object.fromEntries(Object.entries(dump).filter(([, samples]) => samples.length > 0));
}

function floatsOf(dump: Dump): Dump {
  return Object.fromEntries(Object.entries(dump).filter(([labels]) => !/"demo_(integer|float|custom)"/.test(labels)));
}

function bytesIn(dir: string): number {
  if (!existsSync(dir)) return 0;
  return readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(dir, entry.name)).size, 0);
}
