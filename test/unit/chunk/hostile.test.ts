import assert from 'node:assert/strict';
import { type Random, seededRandom } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { BitWriter } from '../../../lib/kernels/twins/bits.ts';
import { encodeHistogramsTwin } from '../../../lib/kernels/twins/histogram.ts';
import { Xor2Twin } from '../../../lib/kernels/twins/xor2.ts';
import { PromletError, SampleColumns } from '../../../lib/model/index.ts';
import { Encoding, MAX_CHUNK_BYTES } from '../../../lib/chunk/chunk.ts';
import { ChunkDecoder } from '../../../lib/chunk/decoder.ts';
import { encodeSamples } from '../../../lib/chunk/encode.ts';
import { HistogramWalk } from '../../tools/histogram-walk.ts';

/** Bytes behind a chunk that kernels may read: as many lie behind every block of the arena. */
const READ_AHEAD_BYTES = 64;
const START_MS = 1_700_000_000_000;

describe('tsdb: damaged chunks', function () {
  this.timeout(600_000);
  const kernels = createKernels();
  const { arena } = kernels;
  const decoder = new ChunkDecoder(kernels);
  // So that nothing grows the memory below: chunks are laid at its very end, where reading too far traps.
  arena.free(arena.allocate(1 << 23), 1 << 23);
  for (const encoding of Object.values(Encoding)) decode(encoding, new Uint8Array(3));

  /** @returns how many samples were read; undefined when the chunk was refused */
  function decode(encoding: Encoding, bytes: Uint8Array): number | undefined {
    const end = arena.u8.length - READ_AHEAD_BYTES;
    arena.u8.fill(0xff, end);
    arena.u8.set(bytes, end - bytes.length);
    const columns = new SampleColumns();
    try {
      decoder.decode(encoding, arena.u8.subarray(end - bytes.length, end), -Infinity, Infinity, columns);
    } catch (error) {
      assert.ok(error instanceof PromletError && error.code === 'storage/bad-chunk', String(error));
      return undefined;
    }
    return columns.length;
  }

  for (const [name, encoding] of Object.entries(Encoding)) {
    const chunks = validChunks(encoding);

    it(`${name}: every truncation is refused`, () => {
      for (const bytes of chunks) {
        assert.ok(decode(encoding, bytes)! > 0);
        for (let length = 3; length < bytes.length; length++) {
          assert.equal(decode(encoding, bytes.subarray(0, length)), undefined, `${length} of ${bytes.length} bytes`);
        }
      }
    });

    it(`${name}: every flipped bit is survived`, () => {
      for (const bytes of chunks.slice(0, 4)) {
        const damaged = bytes.slice();
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          damaged[bit >>> 3]! ^= 128 >>> (bit & 7);
          decode(encoding, damaged);
          damaged[bit >>> 3]! ^= 128 >>> (bit & 7);
        }
      }
    });

    it(`${name}: noise is survived`, () => {
      const random = seededRandom(7);
      let refused = 0;
      for (let i = 0; i < 3000; i++) {
        const bytes = noise(random, chunks[i % chunks.length]!);
        if (decode(encoding, bytes) === undefined) refused++;
      }
      assert.ok(refused > 1000);
    });
  }

  it('an unknown encoding is refused', () => {
    assert.equal(decode(7 as Encoding, new Uint8Array(20)), undefined);
    assert.equal(decode(0 as Encoding, new Uint8Array(20)), undefined);
  });

  it('a chunk above the limit is refused', () => {
    const bytes = new Uint8Array(MAX_CHUNK_BYTES + 1);
    assert.throws(
      () => decoder.decode(Encoding.histogram, bytes, 0, 0, new SampleColumns()),
      /chunk of 16777216 bytes: above/,
    );
  });

  it('a layout that says more than it holds takes no memory', () => {
    const usedBytes = arena.usedBytes;
    for (const layout of [
      // A number of spans, a length of one, lengths that add up, a number of bounds.
      (out: BitWriter) => out.varbitUint(2n ** 64n - 1n),
      (out: BitWriter) => out.varbitUint(131_073n),
      (out: BitWriter) => {
        out.varbitUint(1n);
        out.varbitUint(2n ** 32n + 3n);
        out.varbit(0n);
      },
      (out: BitWriter) => {
        out.varbitUint(2n);
        for (let i = 0; i < 2; i++) {
          out.varbitUint(40_000n);
          out.varbit(0n);
        }
      },
    ]) {
      assert.equal(decode(Encoding.histogram, histogramBytes(0n, layout)), undefined);
    }
    const bounds = (out: BitWriter): void => {
      out.varbitUint(0n);
      out.varbitUint(0n);
      out.varbitUint(2n ** 40n);
    };
    assert.equal(decode(Encoding.floatHistogram, histogramBytes(-53n, bounds)), undefined);
    assert.ok(arena.usedBytes - usedBytes <= 1 << 12);
  });

  it('more numbers than 120 of the largest histograms are refused', () => {
    const wide = (out: BitWriter): void => {
      out.varbitUint(1n);
      out.varbitUint(65_536n);
      out.varbit(0n);
      out.varbitUint(0n);
    };
    assert.throws(() => {
      const bytes = histogramBytes(0n, wide);
      decoder.decode(Encoding.histogram, bytes, 0, 0, new SampleColumns());
    }, /more than 65536 buckets, .* or 8388608 numbers/);
  });

  for (const schema of [-54, -10, 53, 2 ** 40]) {
    it(`schema ${schema} is refused`, () => {
      assert.equal(
        decode(
          Encoding.histogram,
          histogramBytes(BigInt(schema), (out) => out.write(0n, 400)),
        ),
        undefined,
      );
    });
  }

  it('a span that goes back is refused', () => {
    const back = (out: BitWriter): void => {
      out.varbitUint(2n);
      for (const offset of [-4n, -1n]) {
        out.varbitUint(1n);
        out.varbit(offset);
      }
      out.write(0n, 400);
    };
    assert.equal(decode(Encoding.histogram, histogramBytes(0n, back)), undefined);
  });
});

/** A chunk of 200 samples that begins so. */
function histogramBytes(schema: bigint, layout: (out: BitWriter) => void): Uint8Array {
  const out = new BitWriter();
  out.write(200n, 16);
  out.write(0n, 16);
  out.varbit(schema);
  layout(out);
  return out.bytes();
}

/** A few chunks of up to 20 samples, of all sorts. */
function validChunks(encoding: Encoding): Uint8Array[] {
  const kernels = createKernels();
  const random = seededRandom(encoding);
  const chunks: Uint8Array[] = [];
  for (let i = 0; i < 6; i++) {
    const columns = new SampleColumns();
    const integer = encoding === Encoding.histogram || encoding === Encoding.histogramSt;
    const walk = new HistogramWalk(random, { integer, breaks: false });
    const xor2 = new Xor2Twin();
    for (let j = 0; j < 20; j++) {
      const timeMs = START_MS + j * 15_000 + Math.floor(random() * 2) * 500_000_000 * j;
      const value = random() < 0.5 ? j : random();
      xor2.append(timeMs, value, i > 2 ? timeMs - Math.floor(random() * 1e6) : 0);
      if (encoding === Encoding.xor || encoding === Encoding.xor2) columns.push(timeMs, value);
      else columns.pushHistogram(timeMs, walk.next());
    }
    if (encoding === Encoding.xor2) chunks.push(xor2.bytes);
    else if (encoding < Encoding.histogramSt) chunks.push(encodeSamples(kernels, columns, 0, 20)[0]!.bytes);
    else chunks.push(withStartTimes(encoding, columns));
  }
  return chunks;
}

/** The samples that have the layout of the first, and start times. */
function withStartTimes(encoding: Encoding, { histograms, timestamps }: SampleColumns): Uint8Array {
  const [first] = histograms!;
  const { schema, zeroThreshold, positiveSpans, negativeSpans, customValues } = first!;
  return encodeHistogramsTwin(
    { encoding, header: 0, schema, zeroThreshold, positiveSpans, negativeSpans, customValues: [...customValues] },
    Array.from({ length: 8 }, (_, i) => ({
      timeMs: timestamps[i]!,
      count: i,
      zeroCount: i * i,
      sum: i / 3,
      positive: [...first!.positiveBuckets].map((count) => count + i),
      negative: [...first!.negativeBuckets].map((count) => count * i),
      startMs: i > 2 ? START_MS - i * i * 100 : 0,
    })),
  );
}

/** A chunk with bytes changed, left out, put in, or nothing but noise behind a believable count. */
function noise(random: Random, bytes: Uint8Array): Uint8Array {
  const below = (limit: number): number => Math.floor(random() * limit);
  const out = random() < 0.3 ? Uint8Array.from({ length: 3 + below(300) }, () => below(256)) : bytes.slice();
  if (random() < 0.5) out.set([0, 1 + below(200)]);
  for (let i = below(6); i > 0; i--) out[below(out.length)] = [0, 0xff, below(256)][below(3)]!;
  const at = below(out.length);
  return random() < 0.3
    ? Uint8Array.of(...out.subarray(0, at), ...out.subarray(Math.min(out.length, at + below(9))))
    : out;
}
