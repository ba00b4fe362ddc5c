import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Machine } from '../../../fault/file-system.ts';
import type { FileSystem } from '../../../../lib/env/index.ts';
import { createKernels, type Kernels } from '../../../../lib/kernels/index.ts';
import { AssertionError, Matcher, PromletError } from '../../../../lib/model/index.ts';
import { Block } from '../../../../lib/tsdb/block/block.ts';
import { PageCache } from '../../../../lib/tsdb/block/page-cache.ts';
import { BlockQuerier } from '../../../../lib/tsdb/block/querier.ts';
import { blockSource } from '../../../../lib/tsdb/block/source.ts';
import { type Content, expected, type Found, kernels, openBlock, read, samples, writeBlock } from './harness.ts';

const CONTENT: Content = {
  'm a=1 b=x': samples(130),
  'm a=2': samples(3, 50_000),
  'n a=1': samples(5, 1000, 3),
};
const CODES = new Set(['storage/bad-block', 'storage/block-read', 'storage/bad-chunk']);

/** All that can be asked of a block. Faults of its files are thrown. */
async function useAll(path: string, fileSystem: FileSystem, by: Kernels = kernels): Promise<Found> {
  const cache = new PageCache({ fileSystem, kernels: by });
  try {
    const block = Block.open({ dir: path, cache });
    try {
      return await readAll(block);
    } finally {
      block.close();
    }
  } finally {
    cache.release();
  }
}

async function readAll(block: Block): Promise<Found> {
  const querier = new BlockQuerier(block, -1e15, 1e15);
  try {
    const found = await read(querier);
    for (const name of (await querier.labelNames({}, [])).values) {
      for (const value of (await querier.labelValues(name, {}, [])).values) {
        Object.assign(found, await read(querier, [new Matcher('=', name, value)]));
      }
      await querier.labelValues('a', {}, [new Matcher('=~', name, '.+')]);
    }
    for (const symbol of blockSource(block).symbols()) assert.equal(typeof symbol, 'string');
    for (const series of blockSource(block).series())
      for (const chunk of series.chunks) assert.ok(chunk.bytes.length > 0);
    return found;
  } finally {
    querier.close();
  }
}

describe('tsdb: a damaged block', function () {
  this.timeout(600_000);
  const machine = new Machine();
  let fileSystem: FileSystem;
  let path: string;
  const files = ['index', 'chunks/000001', 'tombstones', 'meta.json'] as const;
  const originals = new Map<string, Buffer>();
  let openFiles = 0;

  before(async () => {
    const { openSync, closeSync, ...calls } = machine.boot();
    fileSystem = {
      ...calls,
      openSync: (...args: Parameters<typeof openSync>) => {
        const handle = openSync(...args);
        openFiles++;
        return handle;
      },
      closeSync: (handle) => {
        openFiles--;
        closeSync(handle);
      },
    };
    fileSystem.mkdirSync('/data');
    path = await writeBlock('/data', CONTENT, { fileSystem });
    const block = openBlock(path, fileSystem);
    block.delete(30_000, 31_000, [new Matcher('=', 'a', '1'), new Matcher('=', 'b', 'x')]);
    block.close();
    for (const file of files) originals.set(file, fileSystem.readFileSync(join(path, file)));
  });
  afterEach(() => {
    assert.equal(openFiles, 0, 'files were left open');
    for (const [file, bytes] of originals) fileSystem.writeFileSync(join(path, file), bytes);
  });

  const right = (): Found => {
    const found = expected(CONTENT);
    found['m a=1 b=x'] = found['m a=1 b=x']!.filter(([timeMs]) => timeMs !== 30_000);
    return found;
  };

  /** Detected, or harmless: never another answer, never an error that is not a report of damage. */
  async function check(what: string): Promise<'detected' | 'harmless'> {
    try {
      assert.deepEqual(await useAll(path, fileSystem), right(), what);
      return 'harmless';
    } catch (error) {
      if (error instanceof AssertionError || !(error instanceof PromletError)) throw error;
      assert.ok(CODES.has(error.code), `${what}: ${error.code} ${error.message}`);
      assert.ok(error.message.includes(path), `${what}: ${error.message}`);
      return 'detected';
    }
  }

  it('is read rightly as long as it is whole', async () => {
    assert.deepEqual(await useAll(path, fileSystem), right());
  });

  for (const file of files) {
    it(`is reported for every length that ${file} can be cut to`, async () => {
      const whole = originals.get(file)!;
      for (let length = 0; length < whole.length; length++) {
        fileSystem.writeFileSync(join(path, file), whole.subarray(0, length));
        assert.equal(await check(`${file} of ${length} bytes`), 'detected');
      }
    });

    it(`gives no wrong answer for any byte of ${file} that is another`, async () => {
      const whole = originals.get(file)!;
      let harmless = 0;
      for (let i = 0; i < whole.length; i++) {
        for (const flip of [0x01, 0x80, 0xff]) {
          const bytes = Buffer.from(whole);
          bytes[i]! ^= flip;
          fileSystem.writeFileSync(join(path, file), bytes);
          if (file === 'meta.json') await checkMeta(`${file} with byte ${i} flipped by ${flip}`);
          else if ((await check(`${file} with byte ${i} flipped by ${flip}`)) === 'harmless') harmless++;
        }
      }
      // Padding between series and behind headers, and the table of contents' note of what nobody reads.
      assert.ok(harmless < whole.length * 0.3, `${harmless} of ${3 * whole.length} flips went unseen`);
    });

    it(`is reported when ${file} is all zeros, empty, longer, or a directory`, async () => {
      const whole = originals.get(file)!;
      fileSystem.writeFileSync(join(path, file), Buffer.alloc(whole.length));
      assert.equal(await check('zeros'), 'detected');
      fileSystem.writeFileSync(join(path, file), Buffer.alloc(0));
      assert.equal(await check('empty'), 'detected');
      fileSystem.writeFileSync(join(path, file), Buffer.concat([whole, Buffer.from('x')]));
      await check('longer');
      fileSystem.unlinkSync(join(path, file));
      fileSystem.mkdirSync(join(path, file));
      assert.equal(await check('a directory'), 'detected');
      fileSystem.rmSync(join(path, file), { recursive: true });
    });
  }

  /** meta.json has no checksum: a digit may be another. It says nothing of the samples, though. */
  async function checkMeta(what: string): Promise<void> {
    await check(what);
  }

  it('is reported for lengths and counts of any size, without the memory that they ask for', async () => {
    const whole = originals.get('index')!;
    for (let i = 5; i + 4 <= whole.length; i++) {
      const bytes = Buffer.from(whole);
      bytes.writeUInt32BE(0xffffffff, i);
      fileSystem.writeFileSync(join(path, 'index'), bytes);
      await check(`index with ffffffff at ${i}`);
    }
    const chunks = originals.get('chunks/000001')!;
    for (let i = 8; i + 5 <= chunks.length; i++) {
      const bytes = Buffer.from(chunks);
      bytes.set([0xff, 0xff, 0xff, 0xff, 0x0f], i);
      fileSystem.writeFileSync(join(path, 'chunks/000001'), bytes);
      assert.equal(await check(`chunks with ffffffff0f at ${i}`), 'detected');
    }
  });

  it('is reported when its segments are swapped', async () => {
    const two = await writeBlock('/data/two', CONTENT, { fileSystem, maxSegmentBytes: 300 });
    const [first, second] = ['chunks/000001', 'chunks/000002'].map((file) => fileSystem.readFileSync(join(two, file)));
    fileSystem.writeFileSync(join(two, 'chunks/000001'), second!);
    fileSystem.writeFileSync(join(two, 'chunks/000002'), first!);
    await assert.rejects(useAll(two, fileSystem), { code: 'storage/bad-block' });
  });

  it('cannot crash or hang a reader that finds all its checksums right', async () => {
    const { arena, wasm } = createKernels();
    const trusting: Kernels = { arena, wasm: { ...wasm, crc32c: () => 0 } };
    const forged = await writeBlock('/data/forged', CONTENT, { fileSystem, kernels: trusting });
    let answers = 0;
    let reports = 0;
    for (const file of ['index', 'chunks/000001', 'tombstones'] as const) {
      const whole = fileSystem.readFileSync(join(forged, file));
      for (let i = 0; i < whole.length; i++) {
        for (const change of [(byte: number) => byte ^ 0x01, (byte: number) => byte ^ 0x80, () => 0xff, () => 0]) {
          const bytes = Buffer.from(whole);
          bytes[i] = change(bytes[i]!);
          fileSystem.writeFileSync(join(forged, file), bytes);
          try {
            await useAll(forged, fileSystem, trusting);
            answers++;
          } catch (error) {
            if (!(error instanceof PromletError)) throw new Error(`${file} with byte ${i} changed`, { cause: error });
            assert.ok(CODES.has(error.code), `${file} with byte ${i} changed: ${error.code} ${error.message}`);
            reports++;
          }
        }
      }
      fileSystem.writeFileSync(join(forged, file), whole);
    }
    assert.ok(answers > 100 && reports > 100, `${answers} answers, ${reports} reports`);
    assert.equal(arena.usedBytes, 0);
  });
});
