import assert from 'node:assert/strict';
import { type FileSystem, seededRandom } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { compareUtf8, Labels, Matcher, PromletError, SampleColumns } from '../../lib/model/index.ts';
import { Block } from '../../lib/tsdb/block/block.ts';
import { BlockWriter } from '../../lib/tsdb/block/block-writer.ts';
import { PageCache } from '../../lib/tsdb/block/page-cache.ts';
import { BlockQuerier } from '../../lib/tsdb/block/querier.ts';
import { encodeSamples } from '../../lib/chunk/encode.ts';
import { type Damage, flips, resealed, truncations, uvarintBombs } from './damage.ts';
import { demoCommits } from '../tools/demo-commits.ts';
import { type Dump, dumpOf } from '../tools/samples.ts';
import { Machine } from './file-system.ts';

const ULID = '01HQ00000000000000000000AB';
const START_MS = 1_700_000_000_000;
const kernels = createKernels();

describe('a damaged block', function () {
  this.timeout(600_000);
  const machine = new Machine();
  let fileSystem: FileSystem;
  let cache: PageCache;
  let whole: Dump;

  before(async () => {
    machine.put([['/data/placeholder', new Uint8Array(0)]]);
    fileSystem = machine.boot();
    cache = new PageCache({ fileSystem, kernels, maxBytes: 1 << 20 });
    await writeDemoBlock();
    const block = Block.open({ dir: `/data/${ULID}`, cache });
    block.delete(START_MS, START_MS + 5000, [new Matcher('=', '__name__', 'demo_gauge')]);
    block.close();
    whole = await answer();
    assert.equal(Object.keys(whole).length, 8);
  });

  /** A few series of floats and of histograms, of more than one chunk. */
  async function writeDemoBlock(): Promise<void> {
    const kinds = ['gauge', 'odd', 'integer', 'float'] as const;
    const commits = demoCommits({
      random: seededRandom(1),
      startMs: START_MS,
      stepMs: 1000,
      steps: 25,
      seriesOfKind: 2,
      kinds,
    });
    const columns = new Map<string, SampleColumns>();
    const labelSets = new Map<string, Labels>();
    for (const { labels, samples = [], histograms = [] } of commits.flat()) {
      const key = labels.toString();
      labelSets.set(key, labels);
      if (!columns.has(key)) columns.set(key, new SampleColumns());
      for (const [timeMs, value] of samples) columns.get(key)!.push(timeMs, value);
      for (const [timeMs, value] of histograms) columns.get(key)!.pushHistogram(timeMs, value);
    }
    const writer = new BlockWriter({ dir: '/data', ulid: ULID, fileSystem, kernels });
    const sorted = [...labelSets.values()].sort((a, b) => a.compare(b));
    const symbols = new Set(sorted.flatMap((labels) => [...labels].flat()));
    for (const symbol of [...symbols].sort(compareUtf8)) writer.addSymbol(symbol);
    for (const labels of sorted) {
      const samples = columns.get(labels.toString())!;
      writer.addSeries(labels, encodeSamples(kernels, samples, 0, samples.length, 10));
    }
    await writer.finish(
      {
        ulid: ULID,
        minTime: START_MS,
        maxTime: START_MS + 60_000,
        stats: {},
        compaction: { level: 1, sources: [ULID] },
        version: 1,
      },
      () => Promise.resolve(),
    );
  }

  /** All that the block answers: every series, each alone, and the labels. */
  async function answer(): Promise<Dump> {
    const block = Block.open({ dir: `/data/${ULID}`, cache });
    const querier = new BlockQuerier(block, -1e15, 1e15);
    const database = { querier: () => querier };
    try {
      for (const name of (await querier.labelNames({}, [])).values) await querier.labelValues(name, {}, []);
      for (const name of ['gauge', 'odd', 'integer', 'float']) {
        for (const i of ['0', '1']) {
          const again = new BlockQuerier(block, -1e15, 1e15);
          await dumpOf({ querier: () => again }, [
            new Matcher('=', '__name__', `demo_${name}`),
            new Matcher('=', 'i', i),
          ]);
        }
      }
      return await dumpOf(database);
    } finally {
      querier.close();
      block.close();
    }
  }

  /** The series that can still be read one by one. */
  async function readable(): Promise<Dump> {
    const out: Dump = {};
    for (const name of ['gauge', 'odd', 'integer', 'float']) {
      for (const i of ['0', '1']) {
        try {
          const block = Block.open({ dir: `/data/${ULID}`, cache });
          try {
            const querier = new BlockQuerier(block, -1e15, 1e15);
            const matchers = [new Matcher('=', '__name__', `demo_${name}`), new Matcher('=', 'i', i)];
            Object.assign(out, await dumpOf({ querier: () => querier }, matchers));
          } finally {
            block.close();
          }
        } catch (error) {
          assert.ok(error instanceof PromletError);
        }
      }
    }
    return out;
  }

  /** What came of one damage: an error that names the file, or the whole answer. */
  async function meets(path: string, { bytes, what }: Damage, mayDiffer: boolean): Promise<'detected' | 'harmless'> {
    fileSystem.writeFileSync(path, bytes);
    try {
      const found = await answer();
      if (!mayDiffer) assert.deepEqual(found, whole, what);
      return 'harmless';
    } catch (error) {
      if (!(error instanceof PromletError)) throw new Error(`${path}, ${what}: ${String(error)}`, { cause: error });
      assert.match(error.code, /^storage\/(bad-block|block-read|bad-chunk)$/, what);
      assert.ok(error.message.includes(ULID), `${what}: the message names the file: ${error.message}`);
      return 'detected';
    } finally {
      assert.deepEqual(machine.openPaths, [], `${what}: files were left open`);
      assert.deepEqual(fileSystem.readFileSync(path), Buffer.from(bytes), `${what}: the damaged file was changed`);
    }
  }

  // Series in an index are padded to 16 bytes; the rest of a chunk segment's header is not used.
  const files = [
    { name: 'index', mayBeHarmless: 0.2 },
    { name: 'chunks/000001', mayBeHarmless: 0.01 },
    { name: 'tombstones', mayBeHarmless: 0 },
  ];
  for (const { name, mayBeHarmless } of files) {
    const path = `/data/${ULID}/${name}`;
    for (const [kind, damages] of [
      ['cut off anywhere', truncations],
      ['with a flipped bit in any byte', flips],
    ] as const) {
      it(`is found out or answers right: ${name} ${kind}`, async () => {
        const good = fileSystem.readFileSync(path);
        const seen = { detected: 0, harmless: 0 };
        try {
          for (const damage of damages(good, seededRandom(7))) seen[await meets(path, damage, false)]++;
        } finally {
          fileSystem.writeFileSync(path, good);
        }
        assert.ok(seen.detected >= good.length * (1 - mayBeHarmless), JSON.stringify(seen));
      });
    }
  }

  it('answers the series whose chunks are whole when one chunk is not', async () => {
    const path = `/data/${ULID}/chunks/000001`;
    const good = fileSystem.readFileSync(path);
    const hurt = Buffer.from(good);
    hurt[good.length - 20]! ^= 1;
    fileSystem.writeFileSync(path, hurt);
    try {
      const left = await readable();
      assert.equal(Object.keys(left).length, 7);
      for (const [labels, samples] of Object.entries(left)) assert.deepEqual(samples, whole[labels]);
    } finally {
      fileSystem.writeFileSync(path, good);
    }
  });

  it('is an error or right when its meta.json is cut off, and never a crash when a byte of it is another', async () => {
    const path = `/data/${ULID}/meta.json`;
    const good = fileSystem.readFileSync(path);
    try {
      for (const damage of truncations(good)) await meets(path, damage, false);
      // It has no checksum: a digit may become another digit.
      for (const damage of flips(good, seededRandom(3))) await meets(path, damage, true);
    } finally {
      fileSystem.writeFileSync(path, good);
    }
  });

  for (const name of ['index', 'chunks/000001'] as const) {
    it(`does no harm with a false content under a right checksum: ${name}`, async () => {
      const path = `/data/${ULID}/${name}`;
      const good = fileSystem.readFileSync(path);
      let tried = 0;
      try {
        for (const damage of [...flips(good, seededRandom(11)), ...uvarintBombs(good)]) {
          const bytes = resealed(name === 'index' ? 'index' : 'chunks', damage.bytes, good);
          if (bytes === undefined) continue;
          tried++;
          await meets(path, { bytes, what: `${damage.what}, resealed` }, true);
        }
      } finally {
        fileSystem.writeFileSync(path, good);
      }
      assert.ok(tried > good.length / 2, `${tried} tried`);
    });
  }

  it('is found out when a file is missing, empty, a directory, or of a later version', async () => {
    for (const name of ['index', 'chunks/000001', 'tombstones', 'meta.json']) {
      const path = `/data/${ULID}/${name}`;
      const good = fileSystem.readFileSync(path);
      const expectError = async (what: string): Promise<void> => {
        await assert.rejects(answer(), (error) => error instanceof PromletError, `${name} ${what}`);
        assert.deepEqual(machine.openPaths, []);
      };
      fileSystem.unlinkSync(path);
      // Without tombstones nothing is deleted; that is how blocks of old versions are.
      if (name !== 'tombstones') await expectError('missing');
      fileSystem.mkdirSync(path);
      await expectError('is a directory');
      fileSystem.rmSync(path, { recursive: true });
      fileSystem.writeFileSync(path, good);
      if (name === 'meta.json') {
        fileSystem.writeFileSync(path, good.toString().replace(/"version":\s*1/, '"version": 2'));
      } else {
        fileSystem.writeFileSync(path, Buffer.from(good).fill(9, 4, 5));
      }
      await expectError('of a later version');
      fileSystem.writeFileSync(path, good);
    }
    assert.deepEqual(await answer(), whole);
  });
});
