import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeFileSystem, seededRandom, systemClock } from '../../../../lib/env/index.ts';
import { Labels } from '../../../../lib/model/index.ts';
import { PageCache } from '../../../../lib/tsdb/block/page-cache.ts';
import type { CompactionJob } from '../../../../lib/tsdb/compact/job.ts';
import { headBlockMeta } from '../../../../lib/tsdb/compact/new-meta.ts';
import { InProcessRunner } from '../../../../lib/tsdb/compact/runner.ts';
import { WorkerRunner } from '../../../../lib/tsdb/compact/worker-runner.ts';
import { SampleBuffer } from '../../../../lib/tsdb/head/columns.ts';
import { Head } from '../../../../lib/tsdb/head/head.ts';
import { temporaryDirectory } from '../environment.ts';
import { id, openBlock, putBlocks, samplesOf } from './compactor-harness.ts';
import { kernels } from './merge-harness.ts';

describe('compaction on a thread', function () {
  this.timeout(600_000);
  const cleanUps: (() => void)[] = [];
  let dir: string;
  let job: CompactionJob;
  const runner = new WorkerRunner(nodeFileSystem);

  beforeEach(async () => {
    dir = temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
    await putBlocks(
      nodeFileSystem,
      {
        '1': { times: [0, 20], series: { 'a=b': ['1 19'] } },
        '2': { times: [10, 40], series: { 'a=b': ['10 39'], 'a=c': ['11'] } },
      },
      dir,
    );
    const sources = ['1', '2'].map((name) => ({ kind: 'block', dir: join(dir, id(name)) }) as const);
    job = { dir, meta: headBlockMeta(id('9'), 0, 39), sources };
  });

  afterEach(() => {
    for (const cleanUp of cleanUps.splice(0)) cleanUp();
  });

  it('writes a block', async () => {
    const meta = await runner.run(job);
    equal(meta?.stats.numSamples, 4);
    deepEqual(samplesOf([openBlock(nodeFileSystem, '9', dir)]), { 'a=b': '1 10 19', 'a=c': '11' });
  });

  it('says when no samples are left', async () => {
    equal(await runner.run({ ...job, meta: headBlockMeta(id('9'), 50, 60) }), undefined);
    deepEqual(readdirSync(dir).sort(), [id('1'), id('2')]);
  });

  it('passes on what is wrong with a block', async () => {
    const path = join(dir, id('2'), 'chunks', '000001');
    const bytes = readFileSync(path);
    bytes[14]! ^= 1;
    writeFileSync(path, bytes);
    await rejects(runner.run(job), { code: 'storage/bad-block', message: /checksum/ });
    deepEqual(readdirSync(dir).sort(), [id('1'), id('2')]);
  });

  it('passes on that it cannot write', async () => {
    await rejects(runner.run({ ...job, dir: join(dir, id('1'), 'index') }), { code: 'storage/block-write' });
  });

  it('leaves nothing behind when it is stopped', async () => {
    const leftover = join(dir, `${id('9')}.tmp-for-creation`);
    mkdirSync(leftover);
    const stop = new AbortController();
    const running = runner.run(job, stop.signal);
    stop.abort(new Error('stopped'));
    await rejects(running, /stopped/);
    ok(!existsSync(leftover) && !existsSync(join(dir, id('9'))));
    await rejects(runner.run(job, stop.signal), /stopped/);
  });

  it('reads a head that lies in the memory of another', async () => {
    const head = new Head(kernels, 7_200_000, { maxSeries: 0, maxFutureMs: 0 }, undefined, seededRandom(3));
    const samples = 600;
    const buffer = new SampleBuffer(kernels.arena);
    buffer.reserve(samples);
    const { u32, f64 } = kernels.arena;
    for (let i = 0; i < 50; i++) {
      const ref = head.getOrCreate(Labels.of({ __name__: 'm', pod: `p${i}` }));
      for (let j = 0; j < samples; j++) {
        u32[(buffer.refs >>> 2) + j] = ref;
        f64[buffer.times / 8 + j] = j * 15_000;
        f64[buffer.values / 8 + j] = i + j;
      }
      buffer.length = samples;
      head.apply(buffer, () => 0);
    }
    const handle = { memory: kernels.arena.memory, root: head.root.address };
    const source = { kind: 'head', head: handle, chunksDir: dir, minMs: 0, maxMs: 7_200_000 } as const;
    const jobOf = (name: string): CompactionJob => ({
      dir,
      meta: headBlockMeta(id(name), 0, 7_200_000),
      sources: [source],
    });
    const meta = await runner.run(jobOf('7'));
    deepEqual(meta?.stats, {
      numSamples: 50 * 480,
      numFloatSamples: 50 * 480,
      numHistogramSamples: 0,
      numSeries: 50,
      numChunks: 200,
    });
    // The same as on the thread of the head.
    const cache = new PageCache({ fileSystem: nodeFileSystem, kernels });
    await new InProcessRunner(cache, systemClock).run(jobOf('8'));
    for (const file of ['index', join('chunks', '000001')]) {
      deepEqual(readFileSync(join(dir, id('7'), file)), readFileSync(join(dir, id('8'), file)));
    }
    const series = samplesOf([openBlock(nodeFileSystem, '7', dir)]);
    equal(series['__name__=m pod=p7']!.split(' ')[3], '45000=10');
  });
});
