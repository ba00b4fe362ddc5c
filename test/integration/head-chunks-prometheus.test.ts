import assert from 'node:assert/strict';
import { join } from 'node:path';
import { createLogger, nodeFileSystem, seededRandom } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { Labels, Matcher, parseDuration, STALE_NAN } from '../../lib/model/index.ts';
import { HeadChunkFiles } from '../../lib/tsdb/head-chunks/files.ts';
import { loadHeadChunks } from '../../lib/tsdb/head-chunks/load.ts';
import { replayLog } from '../../lib/tsdb/wal/replay.ts';
import { appendCommit, demoCommits } from '../tools/demo-commits.ts';
import { needPeer } from '../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { PrometheusDriver } from '../tools/prometheus-driver.ts';
import type { WrittenSeries } from '../tools/remote-write.ts';
import { dumpOf } from '../tools/samples.ts';
import { temporaryDirectory } from '../unit/tsdb/harness.ts';
import { HeadRig } from '../unit/tsdb/head/rig.ts';

const START_MS = 1_699_999_200_000;

/** All chunks of a `chunks_head/`, by the labels that the log has for their series, as text. */
async function chunksOf(dataDir: string): Promise<Record<string, string[]>> {
  const kernels = createKernels();
  const shared = {
    fileSystem: nodeFileSystem,
    kernels,
    logger: createLogger('silent'),
    monotonicMs: () => 0,
    corruptDir: join(dataDir, 'corrupt'),
  };
  const labels = new Map<number, string>();
  await replayLog(
    { ...shared, dir: join(dataDir, 'wal'), damaged: 'leave' },
    { series: (rows) => rows.forEach((row) => labels.set(row.ref, row.labels.toString())) },
  );
  const dir = join(dataDir, 'chunks_head');
  const places: { file: number; offsetBytes: number }[] = [];
  const report = await loadHeadChunks({ ...shared, dir, repair: false }, ({ file, offsetBytes }) =>
    places.push({ file, offsetBytes }),
  );
  assert.deepEqual(report.damage, []);
  const files = new HeadChunkFiles({ ...shared, dir });
  const out: Record<string, string[]> = {};
  for (const { file, offsetBytes } of places) {
    const { ref, encoding, outOfOrder, minTimeMs, maxTimeMs, bytes } = files.read(file, offsetBytes);
    const kind = outOfOrder ? 'late' : 'in order';
    (out[labels.get(ref)!] ??= []).push(
      `${kind} ${encoding} ${minTimeMs - START_MS}..${maxTimeMs - START_MS} ${Buffer.from(bytes).toString('hex')}`,
    );
  }
  files.close();
  return out;
}

/** Demo commits, some of which come up to a quarter of an hour late. */
function lateCommits(seed: number): WrittenSeries[][] {
  const random = seededRandom(seed);
  const inOrder = demoCommits({ random, startMs: START_MS, stepMs: 10_000, steps: 400, seriesOfKind: 2 });
  const queue = inOrder.map((commit, i) => ({ commit, at: i + (random() < 0.4 ? Math.floor(random() * 100) : 0) }));
  return queue.sort((a, b) => a.at - b.at).map(({ commit }) => commit);
}

/** Of the samples that a commit has for one series at one time, the first. */
function distinct(commits: readonly (readonly WrittenSeries[])[]): WrittenSeries[][] {
  const last = new Map<string, number>();
  return commits.map((commit) =>
    commit.filter(({ labels, samples, histograms }) => {
      const key = labels.toString();
      const [timeMs] = samples?.[0] ?? histograms![0]!;
      if (timeMs <= (last.get(key) ?? 0)) return false;
      last.set(key, timeMs);
      return true;
    }),
  );
}

describe('the chunks of the head', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  const cleanUps: (() => unknown)[] = [];
  const directory = (): string => temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  /** Gives both the same commits. @returns the chunks that each has put on file */
  async function both(
    test: Mocha.Context,
    commits: readonly (readonly WrittenSeries[])[],
    options: { readonly outOfOrderWindow?: string; readonly blockDuration?: string } = {},
  ): Promise<{ ours: Record<string, string[]>; theirs: Record<string, string[]> }> {
    const theirDir = directory();
    const driver = await PrometheusDriver.start({
      program: needPeer(test, 'prometheus'),
      version: 3,
      dataDir: theirDir,
      ...options,
    });
    cleanUps.push(() => driver.stop('SIGKILL'));
    for (const commit of commits) await driver.write(commit, 2);
    const ourDir = directory();
    const rig = await HeadRig.open(ourDir, {
      windowMs: options.outOfOrderWindow === undefined ? 0 : parseDuration(options.outOfOrderWindow),
      blockDurationMs: parseDuration(options.blockDuration ?? '2h'),
    });
    for (const commit of commits) assert.equal(await appendCommit(rig, commit), 0);
    assert.deepEqual(await dumpOf(rig), await driver.read(), 'before they are compared, both answer the same');
    // Prometheus maps what is complete when it ends.
    await driver.stop();
    await rig.mapper.run();
    await rig.close();
    return { ours: await chunksOf(ourDir), theirs: await chunksOf(theirDir) };
  }

  for (const [name, stepMs, steps, seed, blockDuration] of [
    ['every quarter of a minute', 15_000, 600, 1, '2h'],
    ['every second', 1000, 700, 2, '2h'],
    ['every ten minutes, into blocks of a day', 600_000, 200, 3, '1d'],
    ['every minute, into blocks of ten', 60_000, 14, 4, '10m'],
  ] as const) {
    it(`are cut where Prometheus cuts them and hold the same bytes: scraped ${name}`, async function () {
      const commits = demoCommits({ random: seededRandom(seed), startMs: START_MS, stepMs, steps });
      const { ours, theirs } = await both(this, commits, { blockDuration });
      assert.ok(Object.keys(theirs).length >= 24, `${Object.keys(theirs).length} series`);
      assert.deepEqual(ours, theirs);
    });
  }

  it('are those of Prometheus when series change between floats and histograms, with stale markers', async function () {
    const random = seededRandom(5);
    const histograms = demoCommits({
      random,
      startMs: START_MS,
      stepMs: 15_000,
      steps: 500,
      seriesOfKind: 3,
      kinds: ['integer', 'float', 'custom'],
    });
    let floats = false;
    const commits = histograms.map((commit, step) => {
      if (random() < 0.03) floats = !floats;
      return commit.map((series): WrittenSeries => {
        const [timeMs, histogram] = series.histograms![0]!;
        // One name for all kinds: a series has integers, floats with buckets and plain floats in turn.
        const labels = Labels.of({ __name__: 'mixed', i: series.labels.get('i') + String(Math.floor(step / 120) % 2) });
        const kind = series.labels.get('__name__');
        const own = Labels.of({ __name__: 'mixed', kind, i: series.labels.get('i') });
        if (floats || random() < 0.05) return { labels: own, samples: [[timeMs, random() < 0.3 ? STALE_NAN : step]] };
        return { labels: random() < 0.5 ? own : labels, histograms: [[timeMs, histogram]] };
      });
    });
    const { ours, theirs } = await both(this, distinct(commits));
    assert.ok(Object.values(theirs).flat().length > 400);
    assert.deepEqual(ours, theirs);
  });

  it('are those of Prometheus when samples come out of order', async function () {
    const { ours, theirs } = await both(this, lateCommits(7), { outOfOrderWindow: '1h' });
    const late = Object.values(theirs)
      .flat()
      .filter((chunk) => chunk.startsWith('late'));
    assert.ok(late.length > 20, `${late.length} late chunks`);
    assert.deepEqual(ours, theirs);
  });

  const window = { outOfOrderWindow: '1h' };

  it('and its logs, out-of-order samples and exemplars included, are read by Prometheus as they are by us', async function () {
    const dir = directory();
    const rig = await HeadRig.open(dir, { windowMs: 3_600_000, maxExemplars: 1000 });
    for (const [i, commit] of lateCommits(8).entries()) {
      assert.equal(await appendCommit(rig, i % 10 === 0 ? withExemplars(commit, i) : commit), 0);
      if (i === 200) await rig.mapper.run();
    }
    const expected = await dumpOf(rig);
    assert.ok(rig.head.outOfOrder.numChunks > 20);
    // No closing: this is what a kill leaves.
    const driver = await PrometheusDriver.start({
      program: needPeer(this, 'prometheus'),
      version: 3,
      dataDir: dir,
      ...window,
    });
    cleanUps.push(() => driver.stop('SIGKILL'));
    assert.deepEqual(await driver.read(), expected);
    const theirs = await driver.exemplars(0, START_MS * 2);
    const ours = rig.head.exemplars.exemplars(0, START_MS * 2, [[new Matcher('=~', '__name__', '.+')]]);
    assert.ok(ours.length > 5);
    assert.deepEqual(
      theirs,
      ours.map(({ labels, exemplars }) => ({
        seriesLabels: { ...labels.toJSON() },
        exemplars: exemplars.map((exemplar) => ({
          labels: { ...exemplar.labels.toJSON() },
          value: String(exemplar.value),
          timestamp: exemplar.timestampMs / 1000,
        })),
      })),
    );
  });

  it('and its logs, as Prometheus leaves them when it is killed, are read by us as they are by it', async function () {
    const dataDir = directory();
    const options = { program: needPeer(this, 'prometheus'), version: 3, dataDir, ...window } as const;
    let driver = await PrometheusDriver.start(options);
    cleanUps.push(() => driver.stop('SIGKILL'));
    for (const [i, commit] of lateCommits(9).entries()) {
      await driver.write(withExemplars(commit, i), 2);
      if (i !== 250) continue;
      await driver.stop();
      driver = await PrometheusDriver.start(options);
    }
    const expected = await driver.read();
    await driver.stop('SIGKILL');
    const rig = await HeadRig.open(dataDir, { windowMs: 3_600_000, maxExemplars: 1000 });
    cleanUps.push(() => rig.close());
    assert.ok(rig.found.chunks > 20 && rig.head.outOfOrder.numChunks > 20);
    assert.equal(rig.replay.unknownSeriesSamples, 0);
    assert.equal(rig.replay.invalidSamples, 0);
    assert.deepEqual(await dumpOf(rig), expected);
    assert.equal(rig.head.exemplars.size, 1000);
  });
});

/** Gives the series of a commit an exemplar each. */
function withExemplars(commit: readonly WrittenSeries[], step: number): WrittenSeries[] {
  return commit.map((series) => {
    const [timestampMs] = series.samples?.[0] ?? series.histograms![0]!;
    const exemplar = { labels: Labels.of({ trace_id: `trace ${step}` }), value: step / 4, timestampMs };
    return { ...series, exemplars: [exemplar] };
  });
}
