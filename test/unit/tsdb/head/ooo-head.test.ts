import assert from 'node:assert/strict';
import { seededRandom } from '../../../../lib/env/index.ts';
import { createKernels, type Kernels } from '../../../../lib/kernels/index.ts';
import { type FloatHistogram, SampleColumns } from '../../../../lib/model/index.ts';
import { type Chunk, Encoding } from '../../../../lib/chunk/chunk.ts';
import type { ChunkFilePlace } from '../../../../lib/tsdb/head/chunk-block.ts';
import { HeadRoot } from '../../../../lib/tsdb/head/head-root.ts';
import { OutOfOrderHead, type UnmappedChunk } from '../../../../lib/tsdb/head/ooo-head.ts';
import { OutOfOrderReader } from '../../../../lib/tsdb/head/ooo-reader.ts';

/** A head's out-of-order part with files that are a map. */
class Rig {
  readonly kernels: Kernels = createKernels();
  readonly root = new HeadRoot(this.kernels.arena, () => 0);
  readonly head = new OutOfOrderHead(this.kernels, this.root.address);
  readonly files = new Map<string, Chunk>();
  #offset = 8;
  readonly reader = new OutOfOrderReader(
    { views: this.kernels.arena, read: (fn) => fn() },
    this.root.address,
    this.kernels,
    ({ file, offsetBytes }) => this.files.get(`${file}:${offsetBytes}`)!,
  );

  constructor() {
    this.root.setColumns(this.head.root, 0);
  }

  insert(ref: number, ...times: number[]): boolean[] {
    return times.map((time) => this.head.insert(ref, time, time * 2));
  }

  /** `time=value …` of what is read, `h` for a histogram's sum. */
  read(ref: number, minMs = -Infinity, maxMs = Infinity, inOrder: [number, number][] = []): string {
    const columns = new SampleColumns();
    columns.push(-1, -1);
    for (const [time, value] of inOrder) columns.push(time, value);
    this.reader.mergeInto(ref, minMs, maxMs, columns, 1);
    assert.equal(columns.timestamps[0], -1, 'what was there before stays');
    return Array.from({ length: columns.length - 1 }, (_, i) => {
      const histogram = columns.histograms?.[i + 1];
      return `${columns.timestamps[i + 1]}=${histogram === undefined ? columns.values[i + 1] : `h${histogram.sum}`}`;
    }).join(' ');
  }

  map(ref: number): ChunkFilePlace[] {
    const unmapped: UnmappedChunk[] = [];
    this.head.unmapped(ref, unmapped);
    return unmapped.map((entry) => {
      const place = { file: 1, offsetBytes: (this.#offset += 100) };
      this.files.set(`1:${place.offsetBytes}`, { ...entry.chunk, bytes: entry.chunk.bytes.slice() });
      this.head.mapped(entry, place);
      return place;
    });
  }
}

function histogram(sum: number, bucket = 1): FloatHistogram {
  return {
    integer: true,
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0.01,
    zeroCount: 0,
    count: bucket,
    sum,
    positiveSpans: [{ offset: 0, length: 1 }],
    negativeSpans: [],
    positiveBuckets: Float64Array.of(bucket),
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
  };
}

describe('tsdb: the out-of-order head', function () {
  this.timeout(600_000);
  it('sorts samples by time and drops those whose time the open chunk has', () => {
    const rig = new Rig();
    assert.deepEqual(rig.insert(1, 30, 10, 20, 10, 40), [true, true, true, false, true]);
    assert.equal(rig.read(1), '10=20 20=40 30=60 40=80');
    assert.equal(rig.read(1, 15, 30), '20=40 30=60');
    assert.equal(rig.read(2), '');
    assert.deepEqual([rig.head.minTimeMs, rig.head.maxTimeMs, rig.head.numSeries], [10, 40, 1]);
  });

  it('completes a chunk with the sample after its 32nd', () => {
    const rig = new Rig();
    rig.insert(1, ...Array.from({ length: 32 }, (_, i) => 1000 - i));
    assert.ok(rig.head.isFull(1));
    assert.equal(rig.head.numChunks, 0);
    // The completed chunk is not looked at, so its times are free again.
    assert.deepEqual(rig.insert(1, 1000), [true]);
    assert.equal(rig.head.numChunks, 1);
    assert.ok(!rig.head.isFull(1));
    const [chunk] = rig.reader.chunks(1, 0, 2000);
    assert.deepEqual([chunk!.encoding, chunk!.minTimeMs, chunk!.maxTimeMs], [Encoding.xor, 969, 1000]);
    assert.equal(rig.read(1, 998, 2000), '998=1996 999=1998 1000=2000');
  });

  it('merges with the samples in order, each time once', () => {
    const rig = new Rig();
    rig.insert(1, 5, 20, 35);
    assert.equal(
      rig.read(1, 0, 100, [
        [10, 1],
        [30, 3],
        [40, 4],
      ]),
      '5=10 10=1 20=40 30=3 35=70 40=4',
    );
    assert.match(rig.read(1, 0, 100, [[20, 1]]), /^5=10 20=(1|40) 35=70$/);
    assert.equal(rig.read(1, 36, 100, [[40, 4]]), '40=4');
    assert.equal(rig.read(3, 0, 100, [[40, 4]]), '40=4');
  });

  it('keeps histograms, and gives each type a chunk of its own', () => {
    const rig = new Rig();
    rig.insert(1, 10);
    rig.head.insert(1, 30, NaN, histogram(3, 3));
    rig.head.insert(1, 20, NaN, histogram(2, 2));
    const { integer: _, ...float } = histogram(4);
    rig.head.insert(1, 40, NaN, float);
    assert.equal(rig.head.insert(1, 40, 1), false);
    assert.equal(rig.read(1), '10=20 20=h2 30=h3 40=h4');
    assert.equal(rig.read(1, 15, 25, [[17, 5]]), '17=5 20=h2');
    rig.head.complete(1);
    assert.deepEqual(
      [...rig.reader.chunks(1, 0, 100)].map(({ encoding, minTimeMs, maxTimeMs }) => [encoding, minTimeMs, maxTimeMs]),
      [
        [Encoding.xor, 10, 10],
        [Encoding.histogram, 20, 30],
        [Encoding.floatHistogram, 40, 40],
      ],
    );
    assert.equal(rig.read(1), '10=20 20=h2 30=h3 40=h4');
  });

  it('begins a chunk where a counter of a histogram was reset', () => {
    const rig = new Rig();
    rig.head.insert(1, 10, NaN, histogram(9, 9));
    rig.head.insert(1, 20, NaN, histogram(1, 1));
    rig.head.complete(1);
    assert.equal([...rig.reader.chunks(1, 0, 100)].length, 2);
  });

  it('reads chunks from file once they are mapped, and gives their memory back', () => {
    const rig = new Rig();
    const before = rig.kernels.arena.usedBytes;
    rig.insert(1, ...Array.from({ length: 100 }, (_, i) => i));
    rig.head.complete(1);
    const inMemory = rig.kernels.arena.usedBytes;
    assert.deepEqual([rig.head.numChunks, rig.head.numUnmapped], [4, 4]);
    assert.equal(rig.map(1).length, 4);
    assert.equal(rig.head.numUnmapped, 0);
    assert.ok(rig.kernels.arena.usedBytes < inMemory);
    assert.equal(rig.read(1, 31, 33), '31=62 32=64 33=66');
    assert.equal(rig.head.onFile().minFile, 1);
    rig.head.remove(1);
    assert.deepEqual([rig.head.numChunks, rig.head.numSeries, rig.head.has(1)], [0, 0, false]);
    assert.ok(rig.kernels.arena.usedBytes <= before + 20_000);
  });

  it('forgets the chunks up to the one that is in blocks now, and series without more', () => {
    const rig = new Rig();
    for (const ref of [1, 2, 3]) rig.insert(ref, ...Array.from({ length: 33 }, (_, i) => ref * 1000 + i));
    rig.head.complete(1);
    const [first, last] = rig.map(1);
    rig.map(2);
    rig.head.truncate(first!);
    assert.deepEqual([rig.head.minTimeMs, rig.head.maxTimeMs], [1032, 3032]);
    rig.head.truncate(last!);
    assert.deepEqual([...rig.head.series()], [2, 3]);
    assert.deepEqual([rig.head.minTimeMs, rig.head.maxTimeMs], [2000, 3032]);
    assert.deepEqual([rig.head.numChunks, rig.head.numUnmapped], [2, 1]);
    assert.equal(rig.read(2, 2030, 9999), '2030=4060 2031=4062 2032=4064');
  });

  it('takes chunks found on file, and drops what is not, when a log says that all is', () => {
    const rig = new Rig();
    rig.insert(1, ...Array.from({ length: 33 }, (_, i) => i));
    rig.head.complete(1);
    const places = rig.map(1);
    const again = new Rig();
    for (const [key, chunk] of rig.files) again.files.set(key, chunk);
    for (const place of places) again.head.attach(1, { ...rig.files.get(`1:${place.offsetBytes}`)!, place });
    again.insert(1, 5, 6, ...Array.from({ length: 40 }, (_, i) => 100 + i));
    again.head.dropUnmapped(1);
    assert.deepEqual([again.head.numChunks, again.head.numUnmapped], [2, 0]);
    assert.equal(again.read(1, 30, 200), '30=60 31=62 32=64');
  });

  it('reads what a plain map would hold, whatever is inserted, completed, mapped and truncated', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = seededRandom(seed);
      const pick = (n: number): number => Math.floor(random() * n);
      const rig = new Rig();
      const models = [1, 2, 3].map(() => new Map<number, string>());
      for (let step = 0; step < 400; step++) {
        const ref = 1 + pick(3);
        const model = models[ref - 1]!;
        const time = pick(5000);
        const kind = pick(20);
        if (kind === 0) rig.head.complete(ref);
        else if (kind === 1) rig.map(ref);
        else if (kind === 2 && pick(10) === 0) {
          rig.head.remove(ref);
          model.clear();
        } else if (!model.has(time)) {
          const sum = pick(100);
          if (kind < 6) rig.head.insert(ref, time, NaN, histogram(sum, pick(5)));
          else rig.head.insert(ref, time, sum);
          model.set(time, kind < 6 ? `h${sum}` : String(sum));
        }
        if (step % 20 !== 0) continue;
        const minMs = pick(5000);
        const maxMs = minMs + pick(3000);
        const expected = [...model]
          .filter(([at]) => at >= minMs && at <= maxMs)
          .sort((a, b) => a[0] - b[0])
          .map(([at, text]) => `${at}=${text}`);
        assert.equal(rig.read(ref, minMs, maxMs), expected.join(' '), `seed ${seed}, step ${step}`);
        assert.equal(rig.reader.overlaps(ref, minMs, maxMs) || expected.length === 0, true);
      }
    }
  });
});
