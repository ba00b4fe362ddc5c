import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { seededRandom } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';

// The package has no types.
const { compress, uncompress } = createRequire(import.meta.url)('snappyjs') as Record<
  'compress' | 'uncompress',
  (bytes: Uint8Array) => Uint8Array
>;

describe('kernels: snappy, against snappyjs', () => {
  const { arena, wasm } = createKernels();
  const input = arena.allocate(1 << 19);
  const output = arena.allocate(1 << 20);
  const random = seededRandom(11);

  function compressed(bytes: Uint8Array): Uint8Array {
    arena.u8.set(bytes, input);
    const length = wasm.snappyCompress(input, bytes.length, output);
    return arena.u8.slice(output, output + length);
  }

  function decompressed(bytes: Uint8Array): Uint8Array | undefined {
    arena.u8.set(bytes, input);
    const size = wasm.snappyLength(input, bytes.length);
    if (size < 0 || size > 1 << 19) return undefined;
    return wasm.snappyDecompress(input, bytes.length, output, size) < 0
      ? undefined
      : arena.u8.slice(output, output + size);
  }

  /** Text-like bytes: runs, repeats of what came before, and noise. */
  function sample(length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const run = Math.min(length - at, 1 + Math.floor(random() * 90));
      const kind = random();
      const back = 1 + Math.floor(random() * Math.min(at, 3000));
      for (let i = 0; i < run; i++, at++) {
        out[at] = kind < 0.3 ? 65 : kind < 0.7 && at >= back ? out[at - back]! : random() * 256;
      }
    }
    return out;
  }

  const lengths = [0, 1, 3, 15, 16, 17, 60, 61, 256, 257, 1000, 65_535, 65_536, 65_537, 200_000];
  for (const length of lengths) {
    it(`compresses ${length} bytes so that both decode them, and decodes what snappyjs makes of them`, () => {
      const bytes = sample(length);
      const block = compressed(bytes);
      assert.deepEqual(decompressed(block), bytes);
      if (length > 0) assert.deepEqual(new Uint8Array(uncompress(block)), bytes);
      if (length > 0) assert.deepEqual(decompressed(new Uint8Array(compress(bytes))), bytes);
    });
  }

  it('makes much less of what repeats', () => {
    assert.ok(compressed(new Uint8Array(10_000).fill(7)).length < 600);
  });

  it('never writes beyond its output, whatever the block says', () => {
    const block = compressed(sample(2000));
    for (let i = 0; i < 4000; i++) {
      const hurt = block.slice(0, 1 + Math.floor(random() * block.length));
      hurt[Math.floor(random() * hurt.length)]! ^= 1 << Math.floor(random() * 8);
      arena.u8.fill(0x5a, output, output + (1 << 12));
      const out = decompressed(hurt);
      const size = wasm.snappyLength(input, hurt.length);
      if (out === undefined && size >= 0 && size < 4000) assert.equal(arena.u8[output + size], 0x5a);
    }
  });
});
