import assert from 'node:assert/strict';
import { type Random, seededRandom } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { decodeXor2Twin, Xor2Twin } from '../../../lib/kernels/twins/xor2.ts';
import { XorTwin } from '../../../lib/kernels/twins/xor.ts';
import { isStaleNaN, SampleColumns, STALE_NAN } from '../../../lib/model/index.ts';
import { Encoding } from '../../../lib/chunk/chunk.ts';
import { ChunkDecoder } from '../../../lib/chunk/decoder.ts';
import { XorChunkWriter } from '../../../lib/chunk/xor-writer.ts';

const values: Record<string, (random: Random, before: number) => number> = {
  constant: () => 42,
  counter: (random, before) => before + Math.floor(random() * 100),
  gauge: (random, before) => before + random() - 0.5,
  'numbers of every size': (random) => random() * 10 ** (random() * 600 - 300),
  'special values': (random) =>
    [0, -0, Infinity, -Infinity, NaN, STALE_NAN, 5e-324, 1.7e308, 1, 1][Math.floor(random() * 10)]!,
};

const steps: Record<string, (random: Random) => number> = {
  'a steady interval': () => 15_000,
  jitter: (random) => 15_000 + Math.floor(random() * 7) - 3,
  'every size of delta': (random) => 1 + Math.floor(2 ** (random() * 40)),
};

function same(a: number, b: number): boolean {
  return Object.is(a, b) && isStaleNaN(a) === isStaleNaN(b);
}

describe('kernels: whole float chunks', () => {
  const kernels = createKernels();
  const decoder = new ChunkDecoder(kernels);
  const writer = new XorChunkWriter(kernels);

  for (const [valueName, nextValue] of Object.entries(values)) {
    for (const [stepName, nextStep] of Object.entries(steps)) {
      /** Columns of random length. */
      function columnsOf(random: Random): SampleColumns {
        const columns = new SampleColumns();
        let time = random() < 0.2 ? -1_000_000 : 1_700_000_000_000;
        let value = 1000;
        for (let i = Math.floor(random() * 300); i >= 0; i--) {
          time += nextStep(random);
          value = nextValue(random, value);
          columns.push(time, value);
        }
        return columns;
      }

      function assertDecoded(encoding: Encoding, bytes: Uint8Array, columns: SampleColumns): void {
        const decoded = new SampleColumns();
        decoder.decode(encoding, bytes, -Infinity, Infinity, decoded);
        assert.equal(decoded.length, columns.length);
        for (let i = 0; i < columns.length; i++) {
          assert.equal(decoded.timestamps[i], columns.timestamps[i]);
          assert.ok(same(decoded.values[i]!, columns.values[i]!), `sample ${i}`);
        }
      }

      it(`reads XOR2 of ${valueName} at ${stepName} as the twin wrote it, with and without start times`, () => {
        for (let seed = 1; seed <= 10; seed++) {
          const random = seededRandom(seed);
          const columns = columnsOf(random);
          const twin = new Xor2Twin();
          // No start time, one for all, and changes from some sample on.
          const from = [Infinity, 0, 1, 2, 100][seed % 5]!;
          let startMs = 0;
          for (let i = 0; i < columns.length; i++) {
            const timeMs = columns.timestamps[i]!;
            const changes = i === from || (from > 0 && i > from && random() < 0.3);
            if (changes) startMs = timeMs - Math.floor(2 ** (random() * 40));
            twin.append(timeMs, columns.values[i]!, startMs);
          }
          const { bytes } = twin;
          assert.deepEqual(decodeXor2Twin(bytes).times, [...columns.timestamps.subarray(0, columns.length)]);
          assertDecoded(Encoding.xor2, bytes, columns);
        }
      });

      it(`writes XOR of ${valueName} at ${stepName} as the twin, and reads it`, () => {
        for (let seed = 1; seed <= 5; seed++) {
          const columns = columnsOf(seededRandom(seed));
          const twin = new XorTwin();
          for (let i = 0; i < columns.length; i++) twin.append(columns.timestamps[i]!, columns.values[i]!);
          const bytes = writer.encode(columns.timestamps, columns.values, 0, columns.length);
          assert.deepEqual(bytes, twin.bytes);
          assertDecoded(Encoding.xor, bytes, columns);
        }
      });
    }
  }
});
