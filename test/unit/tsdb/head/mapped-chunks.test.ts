import assert from 'node:assert/strict';
import { seededRandom } from '../../../../lib/env/index.ts';
import { createKernels, layout } from '../../../../lib/kernels/index.ts';
import { Labels, SampleColumns } from '../../../../lib/model/index.ts';
import { type Chunk, Encoding } from '../../../../lib/chunk/chunk.ts';
import { SampleBuffer } from '../../../../lib/tsdb/head/columns.ts';
import { Head } from '../../../../lib/tsdb/head/head.ts';
import { headSource } from '../../../../lib/tsdb/head/head-source.ts';
import type { ChunkPlace } from '../../../../lib/tsdb/head/series-reader.ts';
import { truncateHead } from '../../../../lib/tsdb/head/truncation.ts';
import { flatOut } from '../../../../lib/tsdb/pace.ts';

const STEP_MS = 15_000;
const BLOCK_MS = 7_200_000;

function newHead(): Head {
  return new Head(createKernels(), BLOCK_MS, { maxSeries: 0, maxFutureMs: 0 }, undefined, seededRandom(3));
}

describe('tsdb head: chunks that lie in files', () => {
  let head: Head;
  let ref: number;
  let files: Map<string, Chunk>;
  beforeEach(() => {
    head = newHead();
    ref = head.getOrCreate(Labels.of({ a: '1' }));
    files = new Map();
    head.readMapped = ({ file, offsetBytes }) => files.get(`${file}:${offsetBytes}`)!;
  });

  function append(from: number, to: number): void {
    const { arena } = head.kernels;
    const samples = new SampleBuffer(arena);
    samples.reserve(to - from);
    for (let i = from; i < to; i++) {
      arena.u32[(samples.refs >>> 2) + i - from] = ref;
      arena.f64[samples.times / 8 + i - from] = i * STEP_MS;
      arena.f64[samples.values / 8 + i - from] = i * 1.5;
    }
    samples.length = to - from;
    head.apply(samples, () => 0);
    samples.release();
  }

  function places(): ChunkPlace[] {
    const out: ChunkPlace[] = [];
    head.table.chunkPlaces(head.table.record(ref), -Infinity, Infinity, out);
    return out;
  }

  /** Maps the completed chunks, one file each. */
  function mapAll(): void {
    const { arena } = head.kernels;
    const completed = places().slice(0, -1);
    for (const { block, data, lengthBytes, encoding, minTimeMs, maxTimeMs, mapped } of completed) {
      if (mapped) continue;
      const file = files.size + 1;
      files.set(`${file}:8`, { encoding, minTimeMs, maxTimeMs, bytes: arena.u8.slice(data, data + lengthBytes) });
      head.root.beginWrite();
      head.table.mapChunk(ref, block, { file, offsetBytes: 8 });
      head.root.endWrite();
    }
  }

  function read(minMs = -Infinity, maxMs = Infinity): number[][] {
    const columns = new SampleColumns();
    head.read(ref, minMs, maxMs, columns);
    return Array.from({ length: columns.length }, (_, i) => [columns.timestamps[i]!, columns.values[i]!]);
  }

  const expected = (from: number, to: number): number[][] =>
    Array.from({ length: to - from }, (_, i) => [(from + i) * STEP_MS, (from + i) * 1.5]);

  it('reads the same before and after, and needs 32 bytes for each', () => {
    append(0, 470);
    assert.equal(places().length, 4);
    const before = head.kernels.arena.usedBytes;
    const sizes = places().map(({ lengthBytes }) => head.kernels.arena.capacityOf(lengthBytes + 32));
    mapAll();
    const freed = sizes.slice(0, 3).reduce((sum, size) => sum + size, 0);
    assert.equal(before - head.kernels.arena.usedBytes, freed - 3 * layout.MAPPED_CHUNK_SIZE);
    assert.deepEqual(
      places().map(({ mapped, fileNumber }) => (mapped ? fileNumber : 0)),
      [1, 2, 3, 0],
    );
    assert.deepEqual(read(), expected(0, 470));
    assert.deepEqual(read(100 * STEP_MS, 250 * STEP_MS), expected(100, 251));
    const [series] = [...headSource(head.view, head.chunkReader, 0, BLOCK_MS).series()];
    const chunks = [...series!.chunks];
    assert.deepEqual(
      chunks.map(({ minTimeMs, maxTimeMs }) => [minTimeMs / STEP_MS, maxTimeMs / STEP_MS]),
      [
        [0, 119],
        [120, 239],
        [240, 359],
        [360, 469],
      ],
    );
    assert.deepEqual(chunks[1], files.get('2:8'));
  });

  it('lists a series once that has chunks to be mapped, and again when it has new ones', () => {
    append(0, 119);
    assert.deepEqual(head.table.takeUnmapped(), []);
    append(119, 470);
    assert.deepEqual(head.table.takeUnmapped(), [ref]);
    mapAll();
    assert.deepEqual(head.table.takeUnmapped(), []);
    append(470, 600);
    assert.deepEqual(head.table.takeUnmapped(), [ref]);
    head.table.keepUnmapped(ref);
    assert.deepEqual(head.table.takeUnmapped(), [ref]);
  });

  it('frees them when the head is truncated, and says which file is needed still', async () => {
    append(0, 1000);
    mapAll();
    const first = await truncateHead(head, 480 * STEP_MS, flatOut);
    assert.deepEqual(first, { chunksRemoved: 4, seriesRemoved: 0, minFile: 5 });
    assert.equal(head.minTimeMs, 480 * STEP_MS);
    assert.deepEqual(read(), expected(480, 1000));
    const all = await truncateHead(head, 2000 * STEP_MS, flatOut);
    assert.deepEqual(all, { chunksRemoved: 5, seriesRemoved: 1, minFile: undefined });
    assert.equal(head.table.chunks, 0);
  });

  it('takes those found at start-up, and then samples behind them', () => {
    append(0, 300);
    mapAll();
    const found = [...files.values()];
    const again = newHead();
    again.readMapped = head.readMapped;
    head = again;
    ref = head.getOrCreate(Labels.of({ a: '1' }));
    found.forEach((chunk, i) => head.addMappedChunk(ref, chunk, { file: i + 1, offsetBytes: 8 }));
    assert.deepEqual(read(), expected(0, 240));
    assert.equal(head.maxTimeMs, 239 * STEP_MS);
    // The log brings those again that are in the files.
    append(0, 300);
    assert.deepEqual(read(), expected(0, 300));
    assert.deepEqual(head.table.takeUnmapped(), []);
  });

  it('gives a float no place in an open chunk of histograms', () => {
    append(0, 3);
    head.root.beginWrite();
    head.table.cutChunk(ref, 3 * STEP_MS, Encoding.floatHistogram);
    head.root.endWrite();
    assert.equal(head.table.openEncoding(head.table.record(ref)), Encoding.floatHistogram);
    append(4, 6);
    assert.deepEqual(
      places().map(({ encoding }) => encoding),
      [Encoding.xor, Encoding.floatHistogram, Encoding.xor],
    );
  });
});
