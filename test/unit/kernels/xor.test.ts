import assert from 'node:assert/strict';
import { type Random, seededRandom } from '../../../lib/env/index.ts';
import { createKernels, layout } from '../../../lib/kernels/index.ts';
import { decodeXorTwin, SeriesTwin, XorTwin } from '../../../lib/kernels/twins/xor.ts';
import { isStaleNaN, Labels, SampleColumns, STALE_NAN } from '../../../lib/model/index.ts';
import { SampleBuffer } from '../../../lib/tsdb/head/columns.ts';
import { Head } from '../../../lib/tsdb/head/head.ts';
import type { ChunkPlace } from '../../../lib/tsdb/head/series-reader.ts';

const BLOCK_MS = 7_200_000;

const values: Record<string, (random: Random, before: number) => number> = {
  constant: () => 42,
  counter: (random, before) => before + Math.floor(random() * 100),
  gauge: (random, before) => before + random() - 0.5,
  'any bits': (random) => {
    const view = new DataView(new ArrayBuffer(8));
    view.setUint32(0, random() * 2 ** 32);
    view.setUint32(4, random() * 2 ** 32);
    const value = view.getFloat64(0);
    return Number.isNaN(value) ? 0 : value;
  },
  'special values': (random) =>
    [0, -0, Infinity, -Infinity, NaN, STALE_NAN, 5e-324, 1.7e308, 1][Math.floor(random() * 9)]!,
};

const steps: Record<string, (random: Random) => number> = {
  'a steady interval': () => 15_000,
  jitter: (random) => 15_000 + Math.floor(random() * 7) - 3,
  'every size of delta': (random) => 1 + Math.floor(2 ** (random() * 26)),
  'fast samples': () => 100,
  'far apart': (random) => 1 + Math.floor(2 ** (random() * 40)),
};

/** Bit for bit, but NaN payloads other than the stale marker may not survive JavaScript. */
function same(a: number, b: number): boolean {
  return Object.is(a, b) && isStaleNaN(a) === isStaleNaN(b);
}

/** Length, encoding, bytes, CRC. */
function storedChunk(encoding: number, bytes: Uint8Array, crcOf: (bytes: Uint8Array) => number): Uint8Array {
  const checked = Uint8Array.from([encoding, ...bytes]);
  const crc = crcOf(checked);
  const length = [(bytes.length & 0x7f) | 0x80, bytes.length >>> 7];
  return Uint8Array.from([...length, ...checked, crc >>> 24, crc >>> 16, crc >>> 8, crc]);
}

describe('kernels: XOR chunks', function () {
  this.timeout(600_000);
  for (const [valueName, nextValue] of Object.entries(values)) {
    for (const [stepName, nextStep] of Object.entries(steps)) {
      it(`writes ${valueName} at ${stepName} in the twin's bytes and chunks, and reads them back`, () => {
        const kernels = createKernels();
        const { arena, wasm } = kernels;
        for (let seed = 1; seed <= 4; seed++) {
          const random = seededRandom(seed);
          const head = new Head(kernels, BLOCK_MS, { maxSeries: 0, maxFutureMs: 0 });
          const ref = head.getOrCreate(Labels.of({ seed: String(seed) }));
          const twin = new SeriesTwin(BLOCK_MS);
          const samples = new SampleBuffer(arena);
          let time = seed === 1 ? -1_000_000 : 1_700_000_000_000;
          let value = 1000;
          const all: [number, number][] = [];
          samples.reserve(600);
          for (let i = 0; i < 600; i++) {
            time += nextStep(random);
            value = nextValue(random, value);
            all.push([time, value]);
            twin.append(time, value);
            arena.u32[(samples.refs >>> 2) + i] = ref;
            arena.f64[samples.times / 8 + i] = time;
            arena.f64[samples.values / 8 + i] = value;
          }
          samples.length = 600;
          head.apply(samples, () => 0);

          const places: ChunkPlace[] = [];
          const count = head.table.chunkPlaces(head.table.record(ref), -Infinity, Infinity, places);
          assert.equal(count, twin.chunks.length);
          const times = arena.allocate(256 * 8);
          const decoded = arena.allocate(256 * 8);
          let at = 0;
          places.forEach(({ data, lengthBytes, minTimeMs, maxTimeMs }, i) => {
            const expected = twin.chunks[i]!.bytes;
            assert.deepEqual(arena.u8.slice(data, data + lengthBytes), expected);
            const total = wasm.decodeXor(data, lengthBytes, times, decoded, 256);
            assert.equal(total, twin.chunks[i]!.count);
            const plain = decodeXorTwin(expected);
            assert.equal(minTimeMs, plain.times[0]);
            assert.equal(maxTimeMs, plain.times.at(-1));
            for (let j = 0; j < total; j++, at++) {
              assert.equal(arena.f64[times / 8 + j], all[at]![0]);
              assert.equal(plain.times[j], all[at]![0]);
              assert.ok(same(arena.f64[decoded / 8 + j]!, all[at]![1]));
              assert.ok(same(plain.values[j]!, all[at]![1]));
            }
          });
          assert.equal(at, all.length);

          const into = new SampleColumns();
          head.read(ref, all[100]![0], all[500]![0], into);
          assert.equal(into.length, 401);
          assert.equal(into.timestamps[0], all[100]![0]);
          assert.equal(into.timestamps[400], all[500]![0]);
        }
      });
    }
  }

  const edges = [13, 16, 19].flatMap((bits) => [2 ** bits, 2 ** bits + 1, -(2 ** bits), -(2 ** bits) + 1]);
  for (const edge of edges) {
    it(`writes and reads a delta of delta of ${edge}, at the edge of its size`, () => {
      const kernels = createKernels();
      const { arena } = kernels;
      const head = new Head(kernels, 2 ** 40, { maxSeries: 0, maxFutureMs: 0 });
      const ref = head.getOrCreate(Labels.of({ a: 'b' }));
      const times = [0, 1_000_000, 2_000_000 + edge];
      const twin = new XorTwin();
      const samples = new SampleBuffer(arena);
      samples.reserve(3);
      samples.length = 3;
      times.forEach((time, i) => {
        twin.append(time, i);
        arena.u32[(samples.refs >>> 2) + i] = ref;
        arena.f64[samples.times / 8 + i] = time;
        arena.f64[samples.values / 8 + i] = i;
      });
      head.apply(samples, () => 0);
      const into = new SampleColumns();
      head.read(ref, 0, 1e12, into);
      assert.deepEqual([...into.timestamps.subarray(0, 3)], times);
      const places: ChunkPlace[] = [];
      head.table.chunkPlaces(head.table.record(ref), 0, 1e12, places);
      const { data, lengthBytes } = places[0]!;
      assert.deepEqual(arena.u8.slice(data, data + lengthBytes), twin.bytes);
    });
  }

  it('writes the bytes of a chunk worked out by hand', () => {
    // Times 1000, 2000, 3000; values 1, 1, 2: 1 xor 2 has 1 leading zero bit (of 64) and 52 trailing.
    const twin = new XorTwin();
    twin.append(1000, 1);
    twin.append(2000, 1);
    twin.append(3000, 2);
    const xor = 0x7ff0_0000 >>> 0;
    assert.equal(Math.clz32(xor), 1);
    assert.deepEqual(
      [...twin.bytes],
      // count 3 | zigzag 2000 | 1.0 | uvarint 1000 | 0 (same value) 0 (dod) 1 1 00001 001011 | 11111111111 | padding
      [0, 3, 0xd0, 0x0f, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xe8, 0x07, 0b0011_0000, 0b1001_0111, 0b1111_1111, 0b1100_0000],
    );
  });

  it('keeps the stale marker in its exact bits even when the engine has quieted it', () => {
    const { arena, wasm } = createKernels();
    const kernels = { arena, wasm };
    const head = new Head(kernels, BLOCK_MS, { maxSeries: 0, maxFutureMs: 0 });
    const ref = head.getOrCreate(Labels.of({ a: 'b' }));
    const samples = new SampleBuffer(arena);
    samples.reserve(1);
    samples.length = 1;
    arena.u32[samples.refs >>> 2] = ref;
    arena.f64[samples.times / 8] = 5;
    arena.u32[samples.values >>> 2] = 2;
    arena.u32[(samples.values >>> 2) + 1] = 0x7ff8_0000;
    head.apply(samples, () => 0);
    const places: ChunkPlace[] = [];
    head.table.chunkPlaces(head.table.record(ref), 0, 10, places);
    const bytes = arena.u8.slice(places[0]!.data, places[0]!.data + places[0]!.lengthBytes);
    assert.deepEqual([...bytes], [0, 1, 10, 0x7f, 0xf0, 0, 0, 0, 0, 0, 2]);
  });

  it('answers -1 for any truncation, and never reads astray on flipped bits', () => {
    const { arena, wasm } = createKernels();
    const random = seededRandom(5);
    const twin = new XorTwin();
    let time = 0;
    for (let i = 0; i < 120; i++) twin.append((time += 1 + Math.floor(random() * 40_000)), random() * 1e9);
    const { bytes } = twin;
    const chunk = arena.allocate(bytes.length + 16);
    const columns = arena.allocate(65_536 * 16);
    const decode = (input: Uint8Array): number => {
      arena.u8.set(input, chunk);
      return wasm.decodeXor(chunk, input.length, columns, columns + 65_536 * 8, 65_535);
    };
    assert.equal(decode(bytes), 120);
    for (let length = 2; length < bytes.length; length++) assert.equal(decode(bytes.subarray(0, length)), -1);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const hurt = bytes.slice();
      hurt[bit >>> 3]! ^= 1 << (bit & 7);
      const result = decode(hurt);
      assert.ok(result === -1 || result === ((hurt[0]! << 8) | hurt[1]!));
    }
  });

  it('reads a chunk where it lies in a block, the samples asked for and no others', () => {
    const { arena, wasm } = createKernels();
    const random = seededRandom(6);
    const twin = new XorTwin();
    const samples: [number, number][] = [];
    for (let i = 0; i < 150; i++) {
      const [lastMs, last] = samples.at(-1) ?? [-5000, 0];
      // Some in a row are as expected, and more of them than a word of the stream has.
      const isIdle = i > 60 && i <= 100;
      const stepMs = isIdle ? 15 : 1 + Math.floor(random() * (i % 10 === 0 ? 1e9 : 20));
      samples.push([lastMs + stepMs, isIdle ? last : i % 3 === 0 ? i : random()]);
      const timeMs = lastMs + stepMs;
      twin.append(timeMs, samples[i]![1]);
    }
    const stored = storedChunk(1, twin.bytes, (bytes) => {
      const at = arena.allocate(bytes.length);
      arena.u8.set(bytes, at);
      return wasm.crc32c(0, at, bytes.length);
    });
    const at = arena.allocate(stored.length + 64);
    const columns = arena.allocate(150 * 16);
    const read = (bytes: Uint8Array, minMs: number, maxMs: number, capacity = 150): [number, number][] | undefined => {
      arena.u8.set(bytes, at);
      const count = wasm.readXorChunk(at, bytes.length, minMs, maxMs, columns, columns + 150 * 8, capacity);
      if (count === -1) return undefined;
      return Array.from({ length: count }, (_, i) => [arena.f64[columns / 8 + i]!, arena.f64[columns / 8 + 150 + i]!]);
    };
    assert.deepEqual(read(stored, -Infinity, Infinity), samples);
    for (const from of [0, 1, 2, 70, 149]) {
      for (const to of [0, 1, 69, 70, 148, 149]) {
        const [first, last] = [samples[from]![0], samples[to]![0]];
        assert.deepEqual(read(stored, first, last), samples.slice(from, to + 1));
        assert.deepEqual(read(stored, first - 0.5, last + 0.5), samples.slice(from, to + 1));
        assert.deepEqual(read(stored, first + 0.5, last - 0.5), samples.slice(from + 1, to));
      }
    }
    assert.deepEqual(read(stored, samples[149]![0] + 1, Infinity), []);
    assert.deepEqual(read(stored, -Infinity, samples[0]![0] - 1), []);
    // What follows in the file is of no concern; what is not there whole, or not as it was written, is left to others.
    assert.deepEqual(read(Uint8Array.from([...stored, 1, 2, 3]), -Infinity, Infinity), samples);
    assert.equal(read(stored, -Infinity, Infinity, 149), undefined);
    for (let length = 0; length < stored.length; length++) {
      assert.equal(read(stored.subarray(0, length), -Infinity, Infinity), undefined);
    }
    for (let i = 0; i < stored.length; i++) {
      const hurt = stored.slice();
      hurt[i]! ^= 0x10;
      assert.equal(read(hurt, -Infinity, Infinity), undefined, `byte ${i}`);
    }
    assert.equal(read(Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0x0f, 1, ...stored]), -Infinity, Infinity), undefined);
  });

  it('keeps offsets of the series record apart and within it', () => {
    const fields: [number, number][] = [
      [layout.SERIES_LAST_TIME, 8],
      [layout.SERIES_LAST_VALUE, 8],
      [layout.SERIES_DELTA, 8],
      [layout.SERIES_NEXT_AT, 8],
      [layout.SERIES_CHUNK_MIN_TIME, 8],
      [layout.SERIES_CHUNK, 4],
      [layout.SERIES_CHUNK_BITS, 4],
      [layout.SERIES_CHUNK_CAPACITY, 4],
      [layout.SERIES_CHUNK_SAMPLES, 2],
      [layout.SERIES_LEADING, 1],
      [layout.SERIES_TRAILING, 1],
      [layout.SERIES_OLDER_CHUNK, 4],
      [layout.SERIES_LABELS, 4],
    ];
    let end = 0;
    for (const [offset, size] of fields) {
      assert.equal(offset, end);
      end += size;
    }
    assert.equal(end, layout.SERIES_SIZE);
    assert.equal(2 ** layout.SERIES_PAGE_BITS, layout.SERIES_PAGE_COUNT);
  });
});
