import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFileSystem, seededRandom } from '../../../../lib/env/index.ts';
import { PageCache } from '../../../../lib/tsdb/block/page-cache.ts';
import type { PositionedFile } from '../../../../lib/tsdb/block/positioned-file.ts';
import { Window, WindowFile } from '../../../../lib/tsdb/block/window-file.ts';
import { faulty } from '../harness.ts';
import { kernels } from './harness.ts';

const PAGE = 32 << 10;

describe('tsdb: the page cache', function () {
  this.timeout(600_000);
  let dir: string;
  const contents: Buffer[] = [];
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-pages-'));
    const random = seededRandom(3);
    for (const size of [20 * PAGE + 123, 3 * PAGE, 10]) {
      contents.push(Buffer.from(Array.from({ length: size }, () => Math.floor(random() * 256))));
      writeFileSync(join(dir, String(contents.length - 1)), contents.at(-1)!);
    }
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  const bytesOf = (file: PositionedFile, offset: number, length: number): Buffer => {
    const address = file.at(offset, length);
    return Buffer.from(kernels.arena.u8.slice(address, address + length));
  };

  it('gives the bytes of the files, whatever is read in whatever order and however little it may hold', () => {
    for (const maxBytes of [1, 3 * PAGE, 8 * PAGE, 1 << 20]) {
      const cache = new PageCache({ fileSystem: nodeFileSystem, kernels, maxBytes });
      const files = contents.map((_, i) => cache.open(join(dir, String(i))));
      const random = seededRandom(maxBytes);
      for (let i = 0; i < 1500; i++) {
        const which = Math.floor(random() * files.length);
        const size = contents[which]!.length;
        const offset = Math.floor(random() * size);
        const most = random() < 0.9 ? 300 : 3 * PAGE;
        const length = Math.min(size - offset, Math.floor(random() * most));
        assert.ok(bytesOf(files[which]!, offset, length).equals(contents[which]!.subarray(offset, offset + length)));
        assert.ok(cache.usedBytes <= Math.max(maxBytes, 2 * PAGE));
      }
      for (const file of files) file.close();
    }
  });

  it('keeps nothing of what is read by itself, unless it is there', () => {
    const cache = new PageCache({ fileSystem: nodeFileSystem, kernels });
    const file = cache.open(join(dir, '0'));
    file.at(3 * PAGE, 1);
    const { usedBytes } = cache;
    const random = seededRandom(5);
    for (let i = 0; i < 300; i++) {
      const length = Math.floor(random() * 2000);
      const offset = Math.floor(random() * (contents[0]!.length - length));
      const address = file.at(offset, length, false);
      const found = Buffer.from(kernels.arena.u8.slice(address, address + length));
      assert.ok(found.equals(contents[0]!.subarray(offset, offset + length)));
    }
    assert.deepEqual([cache.usedBytes, cache.misses], [usedBytes, 1]);
    assert.ok(cache.hits > 0);
    assert.throws(() => file.at(contents[0]!.length - 10, 11, false), { code: 'storage/bad-block' });
    file.close();
  });

  it('keeps what was used last, and counts hits and misses', () => {
    const cache = new PageCache({ fileSystem: nodeFileSystem, kernels, maxBytes: 2 * PAGE });
    const file = cache.open(join(dir, '0'));
    // Every other page, so that nothing is read ahead.
    for (const page of [0, 2, 0, 4, 0, 2]) file.at(page * PAGE, 1);
    assert.deepEqual([cache.hits, cache.misses], [2, 4]);
    file.close();
  });

  it('reads a run of pages at once when a file is read on', () => {
    let reads = 0;
    const fileSystem = faulty({
      readSync: ((...args: Parameters<typeof nodeFileSystem.readSync>) => {
        reads++;
        return nodeFileSystem.readSync(...args);
      }) as typeof nodeFileSystem.readSync,
    });
    const cache = new PageCache({ fileSystem, kernels });
    const file = cache.open(join(dir, '0'));
    for (let offset = 0; offset + 100 < contents[0]!.length; offset += 100) file.at(offset, 100);
    assert.equal(reads, 1 + Math.ceil(20 / 8));
    file.close();
  });

  it('goes on after a read that failed, with the memory it has', () => {
    let fails = 0;
    const fileSystem = faulty({
      readSync: ((...args: Parameters<typeof nodeFileSystem.readSync>) => {
        if (fails-- > 0) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
        return nodeFileSystem.readSync(...args);
      }) as typeof nodeFileSystem.readSync,
    });
    const cache = new PageCache({ fileSystem, kernels, maxBytes: 4 * PAGE });
    const file = cache.open(join(dir, '0'));
    for (let page = 0; page < 20; page++) {
      fails = 1;
      assert.throws(() => file.at(page * PAGE, 8), { code: 'storage/block-read' });
      assert.ok(bytesOf(file, page * PAGE, 8).equals(contents[0]!.subarray(page * PAGE, page * PAGE + 8)));
    }
    assert.equal(cache.usedBytes, 4 * PAGE);
    file.close();
  });

  it('gives the pages of a closed file to others', () => {
    const cache = new PageCache({ fileSystem: nodeFileSystem, kernels, maxBytes: 3 * PAGE });
    for (let i = 0; i < 10; i++) {
      const file = cache.open(join(dir, '1'));
      for (let page = 0; page < 3; page++) {
        assert.ok(bytesOf(file, page * PAGE, 9).equals(contents[1]!.subarray(page * PAGE, page * PAGE + 9)));
      }
      file.close();
      file.close();
    }
    assert.equal(cache.usedBytes, 3 * PAGE);
    assert.equal(cache.misses, 30);
  });

  it('names the file and the place when something is not there to be read', () => {
    const cache = new PageCache({ fileSystem: nodeFileSystem, kernels });
    const file = cache.open(join(dir, '2'));
    assert.throws(() => file.at(4, 7), { code: 'storage/bad-block', message: /2: 7 bytes .* at 4$/ });
    file.close();
    assert.throws(() => cache.open(dir), { code: 'storage/bad-block' });
    assert.throws(() => cache.open(join(dir, 'none')), { code: 'storage/block-read', message: /none at 0: ENOENT/ });
    const window = new Window(kernels);
    const windowed = new WindowFile(nodeFileSystem, join(dir, '2'), window);
    assert.throws(() => windowed.at(4, 7), { code: 'storage/bad-block' });
    windowed.close();
    window.release();
  });

  it('lets files take turns in one window', () => {
    const window = new Window(kernels);
    const files = contents.map((_, i) => new WindowFile(nodeFileSystem, join(dir, String(i)), window));
    for (const offset of [0, 5, 3, 2, 0]) {
      for (const [i, file] of files.entries()) {
        assert.ok(bytesOf(file, offset, 5).equals(contents[i]!.subarray(offset, offset + 5)));
      }
    }
    const whole = contents[0]!.length;
    assert.ok(bytesOf(files[0]!, 1, whole - 1).equals(contents[0]!.subarray(1)));
    for (const file of files) file.close();
    window.release();
  });
});
