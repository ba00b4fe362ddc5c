import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFileSystem } from '../../../../lib/env/index.ts';
import { createKernels } from '../../../../lib/kernels/index.ts';
import { compareUtf8, Labels, Matcher } from '../../../../lib/model/index.ts';
import { Block } from '../../../../lib/tsdb/block/block.ts';
import { BlockWriter } from '../../../../lib/tsdb/block/block-writer.ts';
import { ChunkSegmentWriter } from '../../../../lib/tsdb/block/chunk-writer.ts';
import { ChunkReader } from '../../../../lib/tsdb/block/chunk-reader.ts';
import { IndexReader } from '../../../../lib/tsdb/block/index-reader.ts';
import { ChunkMetas } from '../../../../lib/tsdb/block/index-series.ts';
import { PageCache } from '../../../../lib/tsdb/block/page-cache.ts';
import type { PositionedFile } from '../../../../lib/tsdb/block/positioned-file.ts';
import { BlockQuerier } from '../../../../lib/tsdb/block/querier.ts';
import { blockSource } from '../../../../lib/tsdb/block/source.ts';
import { type Chunk, Encoding } from '../../../../lib/chunk/chunk.ts';
import { faulty } from '../harness.ts';
import { type Content, expected, kernels, metaOf, openBlock, read, samples, ULID, writeBlock } from './harness.ts';

const CONTENT: Content = {
  'm a=1': samples(300, 0, 3),
  'm a=2': samples(1, 50_000),
  'm a=3 b=x': samples(121, -900_000, 5),
  'n a=1': samples(240, 1e6, 7),
};

describe('tsdb: a block', function () {
  this.timeout(600_000);
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-block-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('gives back what was written into it', async () => {
    const block = openBlock(await writeBlock(dir, CONTENT));
    const querier = new BlockQuerier(block, -1e15, 1e15);
    assert.deepEqual(await read(querier), expected(CONTENT));
    querier.close();
    assert.deepEqual(block.meta, { ...metaOf(CONTENT), stats: { ...metaOf(CONTENT).stats, numChunks: 3 + 1 + 2 + 2 } });
    block.close();
  });

  it('is read rightly while the memory it is read into grows under it', async () => {
    const block = openGrowing(await writeBlock(dir, CONTENT));
    const before = block.kernels.arena.memory.buffer.byteLength;
    const querier = new BlockQuerier(block, -1e15, 1e15);
    assert.deepEqual(await read(querier), expected(CONTENT));
    assert.deepEqual((await querier.labelValues('a', {}, [])).values, ['1', '2', '3']);
    assert.deepEqual(Object.keys(await read(querier, [new Matcher('=', 'b', 'x')])), ['m a=3 b=x']);
    assert.ok(block.kernels.arena.memory.buffer.byteLength > before + (10 << 20));
    querier.close();
    block.close();
  });

  it('is as large as its files', async () => {
    const path = await writeBlock(dir, CONTENT, { maxSegmentBytes: 600 });
    const block = openBlock(path);
    const files = readdirSync(path, { recursive: true, encoding: 'utf8' }).map((file) => statSync(join(path, file)));
    const sizes = files.filter((file) => file.isFile()).map((file) => file.size);
    assert.equal(
      block.sizeBytes,
      sizes.reduce((a, b) => a + b),
    );
    assert.ok(readdirSync(join(path, 'chunks')).length > 1);
    block.close();
  });

  it('is copied byte for byte by way of its source', async () => {
    const path = await writeBlock(dir, CONTENT, { maxSegmentBytes: 600 });
    const block = openBlock(path);
    const copies = join(dir, 'copies');
    mkdirSync(copies);
    const writer = new BlockWriter({
      dir: copies,
      ulid: ULID,
      fileSystem: nodeFileSystem,
      kernels,
      maxSegmentBytes: 600,
    });
    const source = blockSource(block);
    for (const symbol of source.symbols()) writer.addSymbol(symbol);
    for (const series of source.series()) writer.addSeries(series.labels, series.chunks);
    await writer.finish(block.meta, async () => {});
    for (const file of [
      'index',
      'meta.json',
      'tombstones',
      ...readdirSync(join(path, 'chunks')).map((name) => `chunks/${name}`),
    ]) {
      assert.ok(readFileSync(join(path, file)).equals(readFileSync(join(writer.dir, file))), file);
    }
    assert.deepEqual([source.minTimeMs, source.maxTimeMs], [block.meta.minTime, block.meta.maxTime]);
    block.close();
  });

  it('marks samples as deleted, of the series that have some then', async () => {
    const path = await writeBlock(dir, CONTENT);
    const block = openBlock(path);
    block.delete(-1e15, 40_000, [new Matcher('=', '__name__', 'm')]);
    block.delete(70_000, 1e15, [new Matcher('=', 'a', '1'), new Matcher('=', '__name__', 'm')]);
    assert.equal(block.meta.stats.numTombstones, 3);
    const again = openBlock(path);
    for (const one of [block, again]) {
      assert.deepEqual(
        [...one.tombstones.entries()].map(([, intervals]) =>
          intervals.map(({ minTimeMs, maxTimeMs }) => [minTimeMs, maxTimeMs]),
        ),
        [
          [
            [0, 40_000],
            [70_000, 299 * 15_000],
          ],
          [[-900_000, 40_000]],
        ],
      );
      const querier = new BlockQuerier(one, -1e15, 1e15);
      const found = await read(querier);
      assert.deepEqual(
        found['m a=1']!.map(([timeMs]) => timeMs),
        [45_000, 60_000],
      );
      assert.deepEqual(found['m a=2'], expected(CONTENT)['m a=2']);
      querier.close();
      assert.deepEqual(one.sizeBytes, again.sizeBytes);
      one.close();
    }
  });

  it('marks samples as deleted in slices too, beside what is deleted meanwhile', async () => {
    const many: Content = Object.fromEntries(
      Array.from({ length: 5000 }, (_, i) => [
        `m i=${i}`,
        [
          [0, i],
          [10, i],
        ] as const,
      ]),
    );
    const block = openBlock(await writeBlock(dir, many));
    let pauses = 0;
    await block.deleteInSlices(0, 5, [new Matcher('=', '__name__', 'm')], async () => {
      if (pauses++ === 0) block.delete(10, 10, [new Matcher('=', 'i', '7')]);
    });
    assert.equal(pauses, 2);
    assert.equal(block.meta.stats.numTombstones, 5001);
    const querier = new BlockQuerier(block, -1e15, 1e15);
    const found = await read(querier);
    assert.deepEqual(found['m i=7'] ?? [], []);
    assert.deepEqual(found['m i=8'], [[10, '8']]);
    querier.close();
    block.close();
  });

  it('leaves nothing behind when it is given up, and replaces what an earlier attempt left', async () => {
    mkdirSync(join(dir, `${ULID}.tmp-for-creation`, 'chunks'), { recursive: true });
    writeFileSync(join(dir, `${ULID}.tmp-for-creation`, 'index'), 'old');
    const writer = new BlockWriter({ dir, ulid: ULID, fileSystem: nodeFileSystem, kernels });
    writer.addSymbol('a');
    writer.abort();
    writer.abort();
    assert.deepEqual(readdirSync(dir), []);
    await writeBlock(dir, CONTENT);
    assert.deepEqual(readdirSync(dir), [ULID]);
  });

  it('reports a disk that is full, and does not take its name then', async () => {
    let room = 0;
    const fileSystem = faulty({
      writeSync: ((file: number, bytes: Uint8Array, offset: number, length: number, position: number) => {
        if (length > room) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
        room -= length;
        return nodeFileSystem.writeSync(file, bytes, offset, length, position);
      }) as typeof nodeFileSystem.writeSync,
    });
    const full = await writeBlock(join(dir, 'full'), CONTENT);
    const needed = openBlock(full).sizeBytes;
    for (let limit = 0; limit < needed; limit += 100) {
      room = limit;
      await assert.rejects(writeBlock(dir, CONTENT, { fileSystem }), {
        code: 'storage/block-write',
        message: /ENOSPC/,
      });
      assert.deepEqual(readdirSync(dir), ['full']);
    }
  });

  it('writes through short writes', async () => {
    const fileSystem = faulty({
      writeSync: ((file: number, bytes: Uint8Array, offset: number, length: number, position: number) =>
        nodeFileSystem.writeSync(
          file,
          bytes,
          offset,
          Math.min(7, length),
          position,
        )) as typeof nodeFileSystem.writeSync,
    });
    const block = openBlock(await writeBlock(dir, CONTENT, { fileSystem }));
    const querier = new BlockQuerier(block, -1e15, 1e15);
    assert.deepEqual(await read(querier), expected(CONTENT));
    querier.close();
    block.close();
  });

  it('fsyncs every file and directory before it takes its name, and the directory above after', async () => {
    const open = new Map<number, string>();
    const events: string[] = [];
    const fileSystem = faulty({
      openSync: ((path: string, flags: string, mode?: number) => {
        const file = nodeFileSystem.openSync(path, flags, mode);
        open.set(file, path.slice(dir.length + 1).replace(`${ULID}.tmp-for-creation`, 'TMP'));
        if (flags.startsWith('w')) events.push(`write ${open.get(file)}`);
        return file;
      }) as typeof nodeFileSystem.openSync,
      fsyncSync: (file) => {
        events.push(`sync ${open.get(file)}`);
      },
      fsync: ((file: number, done: (error: null) => void) => {
        events.push(`sync ${open.get(file)}`);
        done(null);
      }) as unknown as typeof nodeFileSystem.fsync,
      renameSync: (from, to) => {
        events.push(
          `rename ${String(from)
            .slice(dir.length + 1)
            .replace(`${ULID}.tmp-for-creation`, 'TMP')}`,
        );
        nodeFileSystem.renameSync(from, to);
      },
    });
    await writeBlock(dir, CONTENT, { fileSystem, maxSegmentBytes: 600 });
    const renamed = events.indexOf('rename TMP');
    const written = events.filter((event) => event.startsWith('write ')).map((event) => event.slice(6));
    assert.ok(written.length > 5);
    for (const file of [...written, 'TMP/chunks', 'TMP']) {
      const synced = events.lastIndexOf(`sync ${file}`, renamed);
      assert.ok(synced > events.lastIndexOf(`write ${file}`), `${file} of ${events.join(', ')}`);
    }
    assert.deepEqual(events.slice(renamed), ['rename TMP', 'sync ']);
  });

  describe('chunk segments', () => {
    const chunk = (bytes: number, value = 1): Chunk => ({
      minTimeMs: 0,
      maxTimeMs: 1,
      encoding: Encoding.xor,
      bytes: new Uint8Array(bytes).fill(value),
    });
    /** Bytes of a chunk in a segment: length, encoding, contents, CRC. */
    const stored = (bytes: number): number => (bytes < 128 ? 1 : 2) + 1 + bytes + 4;

    /** Writes series of chunks of these sizes. @returns the sizes of the segments */
    async function segments(maxBytes: number, series: readonly (readonly number[])[]): Promise<number[]> {
      const chunksDir = join(dir, 'chunks');
      rmSync(chunksDir, { recursive: true, force: true });
      mkdirSync(chunksDir);
      const writer = new ChunkSegmentWriter(nodeFileSystem, kernels, chunksDir, maxBytes);
      const metas = new ChunkMetas();
      let count = 0;
      for (const sizes of series)
        writer.write(
          sizes.map((size) => chunk(size, ++count)),
          metas,
        );
      await writer.finish();
      const cache = new PageCache({ fileSystem: nodeFileSystem, kernels });
      const reader = new ChunkReader(nodeFileSystem, kernels, dir, (path) => cache.open(path));
      for (const [i, size] of series.flat().entries()) {
        const { encoding, bytes } = reader.read(metas.segments[i]!, metas.offsets[i]!);
        assert.deepEqual([encoding, [...bytes]], [Encoding.xor, [...chunk(size, i + 1).bytes]]);
      }
      reader.close();
      return readdirSync(chunksDir)
        .sort()
        .map((name) => statSync(join(chunksDir, name)).size);
    }

    // A chunk of n bytes is counted as n + 10, five for its length.
    it('are cut when a chunk does not fit any more', async () => {
      assert.deepEqual(await segments(8 + 3 * 110, [[100, 100, 100, 100]]), [8 + 3 * stored(100), 8 + stored(100)]);
      assert.deepEqual(await segments(8 + 3 * 110 - 1, [[100, 100, 100]]), [8 + 2 * stored(100), 8 + stored(100)]);
    });

    it('count chunks of earlier series by what they take, those of the same by the most they could', async () => {
      const inOneCall = await segments(8 + 3 * 110 - 8, [[100, 100, 100]]);
      const inThree = await segments(8 + 3 * 110 - 8, [[100], [100], [100]]);
      assert.deepEqual(inOneCall, [8 + 2 * stored(100), 8 + stored(100)]);
      assert.deepEqual(inThree, [8 + 3 * stored(100)]);
    });

    it('hold a chunk that is larger than they should be, alone', async () => {
      assert.deepEqual(
        await segments(50, [[100], [10, 100, 10]]),
        [100, 10, 100, 10].map((size) => 8 + stored(size)),
      );
      assert.deepEqual(await segments(50, [[300_000]]), [8 + 3 + 1 + 300_000 + 4]);
    });
  });

  it('goes on with the segments it has when one is missing', async () => {
    const path = await writeBlock(dir, CONTENT, { maxSegmentBytes: 600 });
    rmSync(join(path, 'chunks', '000002'));
    const block = openBlock(path);
    const querier = new BlockQuerier(block, -1e15, 1e15);
    await assert.rejects(read(querier), { code: 'storage/bad-block', message: /000002: the file is missing/ });
    const first = await read(querier, [new Matcher('=', 'a', '1')], { endMs: 1000 });
    assert.deepEqual(first, { 'm a=1': expected(CONTENT)['m a=1']!.slice(0, 1) });
    querier.close();
    block.close();
  });

  it('takes labels of any text', async () => {
    const writer = new BlockWriter({ dir, ulid: ULID, fileSystem: nodeFileSystem, kernels });
    const odd = ['', '\0', '\ufeffx', '__proto__', 'constructor', 'é', '\uffff', '\u{10000}', 'x'.repeat(70_000)].sort(
      compareUtf8,
    );
    const all = odd
      .slice(1)
      .flatMap((name) => odd.slice(1).map((value) => Labels.of([[name, value]])))
      .sort((a, b) => a.compare(b));
    for (const symbol of odd) writer.addSymbol(symbol);
    const one: Chunk = {
      minTimeMs: 0,
      maxTimeMs: 0,
      encoding: Encoding.xor,
      bytes: Uint8Array.of(0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    };
    for (const labels of all) writer.addSeries(labels, [one]);
    await writer.finish(metaOf({ m: [[0, 0]] }), async () => {});
    const block = openBlock(writer.dir);
    assert.deepEqual(block.index.labelNames(), odd.slice(1));
    assert.deepEqual(block.index.labelValues('__proto__'), odd.slice(1));
    assert.deepEqual(
      Array.from(blockSource(block).series(), ({ labels }) => labels.pairs),
      all.map(({ pairs }) => pairs),
    );
    block.close();
  });
});

/** A block every read of which makes the arena grow and lands in what is new: views taken before are too short for it. */
function openGrowing(path: string): Block {
  const fresh = createKernels();
  const { arena } = fresh;
  const grow = (file: PositionedFile): PositionedFile => ({
    path: file.path,
    sizeBytes: file.sizeBytes,
    at(offset, length) {
      const from = file.at(offset, length);
      const sizeBytes = Math.max(2 * length, 1 << 20);
      // The end of the block is new for sure.
      const address = arena.allocate(sizeBytes) + sizeBytes - length;
      arena.u8.copyWithin(address, from, from + length);
      return address;
    },
    stretch: (offset) => file.stretch(offset),
    close: () => file.close(),
  });
  class GrowingCache extends PageCache {
    override open(file: string): PositionedFile {
      return grow(super.open(file));
    }
  }
  const cache = new GrowingCache({ fileSystem: nodeFileSystem, kernels: fresh });
  const index = cache.open(join(path, 'index'));
  // What is read once when a block is opened goes another way; here too it is to meet growth.
  new IndexReader(fresh, index, index).close();
  return Block.open({ dir: path, cache });
}
