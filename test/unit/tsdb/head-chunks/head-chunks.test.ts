import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createLogger, type FileSystem, nodeFileSystem, seededRandom } from '../../../../lib/env/index.ts';
import { createKernels } from '../../../../lib/kernels/index.ts';
import type { Chunk, Encoding } from '../../../../lib/chunk/chunk.ts';
import { HeadChunkFiles } from '../../../../lib/tsdb/head-chunks/files.ts';
import { type HeadChunksReport, loadHeadChunks } from '../../../../lib/tsdb/head-chunks/load.ts';
import { HeadChunkWriter, type HeadChunkWriterOptions } from '../../../../lib/tsdb/head-chunks/writer.ts';
import { faulty, temporaryDirectory, TestClock } from '../environment.ts';

const kernels = createKernels();
const logger = createLogger('silent');

interface Written {
  readonly ref: number;
  readonly chunk: Chunk;
  readonly outOfOrder: boolean;
  readonly file: number;
  readonly offsetBytes: number;
}

describe('tsdb: head chunk files', function () {
  this.timeout(600_000);
  const cleanUps: (() => unknown)[] = [];
  const directory = (): string => temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  function writerOf(dir: string, options: Partial<HeadChunkWriterOptions> = {}): HeadChunkWriter {
    mkdirSync(join(dir, 'chunks_head'), { recursive: true });
    const writer = new HeadChunkWriter({
      dir: join(dir, 'chunks_head'),
      nextFile: 1,
      fileSystem: nodeFileSystem,
      clock: new TestClock(),
      logger,
      kernels,
      fsyncIntervalMs: 5000,
      ...options,
    });
    cleanUps.push(() => writer.close());
    return writer;
  }

  function readerOf(dir: string): HeadChunkFiles {
    const files = new HeadChunkFiles({ dir: join(dir, 'chunks_head'), fileSystem: nodeFileSystem, kernels });
    cleanUps.push(() => files.close());
    return files;
  }

  async function load(
    dir: string,
    { fileSystem = nodeFileSystem, repair = true }: { fileSystem?: FileSystem; repair?: boolean } = {},
  ): Promise<{ report: HeadChunksReport; chunks: Omit<Written, 'chunk'>[]; sampleCounts: number[] }> {
    const chunks: Omit<Written, 'chunk'>[] = [];
    const sampleCounts: number[] = [];
    const report = await loadHeadChunks(
      {
        dir: join(dir, 'chunks_head'),
        corruptDir: join(dir, 'corrupt'),
        fileSystem,
        kernels,
        logger,
        monotonicMs: () => performance.now(),
        repair,
      },
      ({ ref, outOfOrder, file, offsetBytes, sampleCount }) => {
        chunks.push({ ref, outOfOrder, file, offsetBytes });
        sampleCounts.push(sampleCount);
      },
    );
    return { report, chunks, sampleCounts };
  }

  /** Each test begins with the same numbers, whichever ran before it. */
  let random = seededRandom(4);
  beforeEach(() => {
    random = seededRandom(4);
  });

  function someChunk(lengthBytes: number): Chunk {
    const minTimeMs = Math.floor((random() - 0.2) * 2e12);
    return {
      minTimeMs,
      maxTimeMs: minTimeMs + Math.floor(random() * 1e6),
      encoding: (1 + Math.floor(random() * 4)) as Encoding,
      bytes: Uint8Array.from({ length: lengthBytes }, () => random() * 256),
    };
  }

  /** Writes batches of chunks of odd sizes; the smallest real chunk has 11 bytes. */
  function fill(writer: HeadChunkWriter, batches: number, perBatch = 5, mostBytes = 4000): Written[] {
    const written: Written[] = [];
    for (let batch = 0; batch < batches; batch++) {
      const added = Array.from({ length: perBatch }, () => {
        const chunk = someChunk(11 + Math.floor(random() ** 4 * (mostBytes - 11)));
        const ref = 1 + Math.floor(random() * (2 ** 32 - 1));
        const outOfOrder = random() < 0.3;
        return { ref, chunk, outOfOrder, at: writer.add(ref, chunk, outOfOrder) };
      });
      const { file, offsetBytes } = writer.flush();
      for (const { at, ...rest } of added) written.push({ ...rest, file, offsetBytes: offsetBytes + at });
    }
    return written;
  }

  function places(written: readonly Written[]): Omit<Written, 'chunk'>[] {
    return written.map(({ ref, outOfOrder, file, offsetBytes }) => ({ ref, outOfOrder, file, offsetBytes }));
  }

  it('has the bytes of the format note', () => {
    const dir = directory();
    const writer = writerOf(dir);
    writer.add(
      0x0102,
      { minTimeMs: -1, maxTimeMs: 2 ** 40 + 3, encoding: 2, bytes: new Uint8Array(130).fill(7) },
      true,
    );
    writer.flush();
    const bytes = readFileSync(join(dir, 'chunks_head', '000001'));
    assert.equal(
      bytes.subarray(0, 8 + 27).toString('hex'),
      '0130bc9101000000' + // magic, version, padding
        '0000000000000102' + // ref
        'ffffffffffffffff' + // min time
        '0000010000000003' + // max time
        '82' + // histogram chunk, out of order
        '8201', // 130 bytes
    );
    assert.equal(bytes.length, 8 + 27 + 130 + 4);
  });

  it('gives back every chunk, one by one and at start-up, over several files', async () => {
    const dir = directory();
    const writer = writerOf(dir, { maxFileBytes: 20_000 });
    const written = fill(writer, 40);
    const files = readerOf(dir);
    for (const { ref, chunk, outOfOrder, file, offsetBytes } of written) {
      const read = files.read(file, offsetBytes);
      assert.deepEqual({ ...read, bytes: Uint8Array.from(read.bytes) }, { ref, outOfOrder, ...chunk });
    }
    const { report, chunks, sampleCounts } = await load(dir);
    assert.deepEqual(chunks, places(written));
    assert.deepEqual(
      sampleCounts,
      written.map(({ chunk }) => chunk.bytes[0]! * 256 + chunk.bytes[1]!),
    );
    assert.ok(report.files > 3);
    assert.deepEqual(report.damage, []);
    assert.equal(report.nextFile, report.files + 1);
    assert.equal(
      files.sizeBytes(),
      readdirSync(join(dir, 'chunks_head'))
        .map((name) => readFileSync(join(dir, 'chunks_head', name)).length)
        .reduce((sum, length) => sum + length),
    );
  });

  it('reads a chunk that is larger than its window', async () => {
    const dir = directory();
    const writer = writerOf(dir);
    const chunks = [someChunk(100), someChunk(3 << 20), someChunk(11)];
    const offsets = chunks.map((chunk, i) => writer.add(i + 1, chunk, false));
    const { file, offsetBytes } = writer.flush();
    assert.equal((await load(dir)).report.chunks, 3);
    const read = readerOf(dir).read(file, offsetBytes + offsets[1]!);
    assert.deepEqual(Uint8Array.from(read.bytes), chunks[1]!.bytes);
  });

  it('takes zeros behind the last chunk for space that was preallocated, but not within the file', async () => {
    const dir = directory();
    const written = fill(writerOf(dir), 3);
    const path = join(dir, 'chunks_head', '000001');
    const bytes = readFileSync(path);
    for (const zeros of [1, 33, 34, 35, 128 << 10, 3 << 20]) {
      writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(zeros)]));
      const { report, chunks } = await load(dir);
      assert.deepEqual(report.damage, []);
      assert.deepEqual(chunks, places(written));
    }
    const hole = Buffer.from(bytes).fill(0, written[6]!.offsetBytes, written[8]!.offsetBytes);
    writeFileSync(path, hole);
    const { report, chunks } = await load(dir);
    assert.equal(report.damage[0]?.offsetBytes, written[6]!.offsetBytes);
    assert.deepEqual(chunks, places(written.slice(0, 6)));
  });

  it('finds every truncation and goes on with the chunks before it', async () => {
    const whole = directory();
    const written = fill(writerOf(whole), 2, 4, 300);
    const bytes = readFileSync(join(whole, 'chunks_head', '000001'));
    const dir = directory();
    const path = join(dir, 'chunks_head', '000001');
    mkdirSync(join(dir, 'chunks_head'));
    for (let length = 0; length <= bytes.length; length++) {
      writeFileSync(path, bytes.subarray(0, length));
      const { report, chunks } = await load(dir);
      const ends = [...written.slice(1).map(({ offsetBytes }) => offsetBytes), bytes.length];
      const expected = ends.filter((end) => end <= length).length;
      assert.equal(chunks.length, expected, `at ${length}`);
      // What is left of a chunk may be the zeros that its ref begins with.
      const rest = bytes.subarray(length < 8 ? 0 : (ends.findLast((end) => end <= length) ?? 8), length);
      assert.equal(report.damage.length, length >= 8 && rest.every((byte) => byte === 0) ? 0 : 1, `at ${length}`);
      // Repaired, it reads clean, and nothing needed to be kept.
      const again = await load(dir);
      assert.deepEqual(again.report.damage, []);
      assert.deepEqual(again.chunks, chunks);
    }
    assert.equal(existsSync(join(dir, 'corrupt')), false);
  });

  it('notices a flipped bit anywhere, keeps the file and drops what is behind', async () => {
    const whole = directory();
    const written = fill(writerOf(whole, { maxFileBytes: 89 }), 3, 1, 50);
    assert.equal(written.at(-1)!.file, 3);
    const names = readdirSync(join(whole, 'chunks_head')).sort();
    const contents = names.map((name) => readFileSync(join(whole, 'chunks_head', name)));
    const second = contents[1]!;
    for (let bit = 0; bit < second.length * 8; bit += 3) {
      const dir = directory();
      mkdirSync(join(dir, 'chunks_head'));
      names.forEach((name, i) => writeFileSync(join(dir, 'chunks_head', name), contents[i]!));
      const hurt = Buffer.from(second);
      hurt[bit >>> 3]! ^= 1 << (bit & 7);
      writeFileSync(join(dir, 'chunks_head', '000002'), hurt);
      const { report, chunks } = await load(dir);
      const padding = bit >= 5 * 8 && bit < 8 * 8;
      if (padding) {
        assert.deepEqual(report.damage, []);
        continue;
      }
      assert.equal(report.damage.length, 2, `bit ${bit}`);
      assert.deepEqual(chunks, places(written.slice(0, 1)));
      assert.deepEqual(readFileSync(report.damage[0]!.keptAs!), hurt);
      assert.deepEqual(readFileSync(report.damage[1]!.keptAs!), contents[2]);
      const again = await load(dir);
      assert.deepEqual([again.report.damage, again.report.files, again.report.nextFile], [[], 1, 2]);
      for (const cleanUp of cleanUps.splice(-1)) await cleanUp();
    }
  });

  const oddities: { name: string; make: (dir: string) => void }[] = [
    { name: 'a file that is missing', make: (dir) => renameSync(join(dir, '000002'), join(dir, 'elsewhere')) },
    {
      name: 'a directory',
      make: (dir) => {
        renameSync(join(dir, '000002'), join(dir, 'elsewhere'));
        mkdirSync(join(dir, '000002'));
      },
    },
    {
      name: 'a link that leads nowhere',
      make: (dir) => {
        renameSync(join(dir, '000002'), join(dir, 'elsewhere'));
        symlinkSync('/nowhere', join(dir, '000002'));
      },
    },
    {
      name: 'a link to an endless device',
      make: (dir) => {
        renameSync(join(dir, '000002'), join(dir, 'elsewhere'));
        symlinkSync('/dev/zero', join(dir, '000002'));
      },
    },
    {
      name: 'a link to itself',
      make: (dir) => {
        renameSync(join(dir, '000002'), join(dir, 'elsewhere'));
        symlinkSync(join(dir, '000002'), join(dir, '000002'));
      },
    },
    { name: 'an empty file between others', make: (dir) => truncateSync(join(dir, '000002'), 0) },
    {
      name: 'a file of a later version',
      make: (dir) => {
        const bytes = readFileSync(join(dir, '000002'));
        bytes[4] = 2;
        writeFileSync(join(dir, '000002'), bytes);
      },
    },
  ];
  for (const { name, make } of oddities) {
    it(`meets ${name}: says so, puts it away with what is behind, and goes on`, async () => {
      const dir = directory();
      const written = fill(writerOf(dir, { maxFileBytes: 89 }), 3, 1, 50);
      make(join(dir, 'chunks_head'));
      const looked = await load(dir, { repair: false });
      assert.ok(looked.report.damage.length >= 1);
      const { report, chunks } = await load(dir);
      assert.deepEqual(chunks, places(written.slice(0, 1)));
      assert.ok(report.damage.length >= 1);
      assert.ok(report.damage.every(({ keptAs }) => keptAs !== undefined));
      assert.equal(report.nextFile, 2);
      assert.deepEqual((await load(dir)).report.damage, []);
      assert.equal(readFileSync(join(dir, 'corrupt', 'chunks_head-000003')).length > 8, true);
    });
  }

  it('refuses a place where no chunk begins', () => {
    const dir = directory();
    const [first] = fill(writerOf(dir), 1, 2);
    const files = readerOf(dir);
    for (const [file, offset] of [
      [first!.file, first!.offsetBytes + 1],
      [first!.file, 1e9],
      [9, 8],
    ] as const) {
      assert.throws(() => files.read(file, offset), { code: 'storage/head-chunk' });
    }
  });

  it('leaves nothing of a batch that a full disk refuses, and writes the next at its place', async () => {
    const dir = directory();
    let failing = false;
    const writer = writerOf(dir, {
      fileSystem: faulty({
        writeSync: ((file: number, bytes: Uint8Array, offset: number, length: number, position: number) => {
          if (!failing || length === 8) return nodeFileSystem.writeSync(file, bytes, offset, length, position);
          nodeFileSystem.writeSync(file, bytes, offset, length >>> 1, position);
          throw Object.assign(new Error('ENOSPC: injected'), { code: 'ENOSPC' });
        }) as typeof nodeFileSystem.writeSync,
      }),
    });
    const before = fill(writer, 2);
    failing = true;
    assert.throws(() => fill(writer, 1), { code: 'storage/head-chunk-write' });
    assert.equal(writer.writeFailures, 1);
    failing = false;
    const after = fill(writer, 1);
    assert.equal(after[0]!.file, 1);
    const { report, chunks } = await load(dir);
    assert.deepEqual(report.damage, []);
    assert.deepEqual(chunks, places([...before, ...after]));
  });

  it('deletes old files, oldest first, and cuts the one that grows so that it can go too', async () => {
    const dir = directory();
    const writer = writerOf(dir, { maxFileBytes: 89 });
    const written = fill(writer, 3, 1, 50);
    const files = readerOf(dir);
    files.read(1, written[0]!.offsetBytes);
    assert.equal(files.truncate(3), 2);
    assert.deepEqual(files.list(), [3]);
    assert.throws(() => files.read(1, written[0]!.offsetBytes), { code: 'storage/head-chunk' });
    writer.cut();
    const [next] = fill(writer, 1, 1, 50);
    assert.equal(next!.file, 4);
    assert.equal(files.truncate(4), 1);
    const { report, chunks } = await load(dir);
    assert.deepEqual(report.damage, []);
    assert.deepEqual(chunks, places([next!]));
  });
});
