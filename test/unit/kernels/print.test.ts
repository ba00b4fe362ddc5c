import assert from 'node:assert/strict';
import { seededRandom } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { printFloatTwin, printPointTwin, printTimeTwin } from '../../../lib/kernels/twins/print.ts';

/** Of random numbers per kind; far more were compared once when the kernel was written. */
const COUNT = 20_000;

describe('kernels: numbers of answers', function () {
  this.timeout(600_000);
  const { arena, wasm } = createKernels();
  const out = arena.allocate(64 * 1024);
  const columns = arena.allocate(2 * 512 * 8);
  const textTo = (end: number): string => arena.buffer.toString('latin1', out, end);
  const float = (value: number): string => textTo(wasm.printFloat(value, out));
  const time = (timeMs: number): string => textTo(wasm.printTime(timeMs, out));

  /** Both signs. */
  const equals = (value: number): void => {
    if (float(value) !== printFloatTwin(value) || float(-value) !== printFloatTwin(-value)) {
      assert.equal(float(value), printFloatTwin(value));
      assert.equal(float(-value), printFloatTwin(-value));
    }
  };
  const bits = new BigUint64Array(1);
  const numbers = new Float64Array(bits.buffer);
  const ofBits = (pattern: bigint): number => {
    bits[0] = pattern;
    return numbers[0]!;
  };

  const samples: readonly (readonly [number, string])[] = [
    [0, '0'],
    [-0, '-0'],
    [1.5, '1.5'],
    [100, '100'],
    [99_999_999, '99999999'],
    [100_000_000, '100000000'],
    [9_007_199_254_740_991, '9007199254740991'],
    [9_007_199_254_740_994, '9007199254740994'],
    [12_345_678.9, '12345678.9'],
    [123_456_789_012_345.6, '123456789012345.6'],
    [0.1 + 0.2, '0.30000000000000004'],
    [1e20, '100000000000000000000'],
    [123_456_789_012_345_680_000, '123456789012345680000'],
    [1e21, '1e+21'],
    [1e22, '1e+22'],
    [-1.25e300, '-1.25e+300'],
    [1e-6, '0.000001'],
    [-1.2345678901234567e-6, '-0.0000012345678901234567'],
    [9.999999999999997e-7, '9.999999999999997e-07'],
    [1e-7, '1e-07'],
    [1.5e-9, '1.5e-09'],
    [5e-324, '5e-324'],
    [2.2250738585072014e-308, '2.2250738585072014e-308'],
    [-1.7976931348623157e308, '-1.7976931348623157e+308'],
    [NaN, 'NaN'],
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
  ];
  for (const [value, text] of samples) it(`writes ${text}`, () => assert.equal(float(value), text));

  it('writes all powers of two and what lies next to them', () => {
    for (let exponent = 0n; exponent < 0x7ffn; exponent++) {
      for (let beside = -2n; beside <= 2n; beside++) {
        const pattern = (exponent << 52n) + beside;
        if (pattern >= 0n) equals(ofBits(pattern));
      }
    }
    for (let bit = 0n; bit < 52n; bit++) for (const beside of [-1n, 0n, 1n]) equals(ofBits((1n << bit) + beside));
  });

  it('writes all powers of ten and what lies next to them, and multiples of them', () => {
    for (let exponent = -324; exponent <= 308; exponent++) {
      for (let factor = 1; factor < 10; factor++) {
        const value = Number(`${factor}e${exponent}`);
        if (!Number.isFinite(value)) continue;
        numbers[0] = value;
        const pattern = bits[0]!;
        for (const beside of [-1n, 0n, 1n]) equals(ofBits(pattern === 0n ? 1n : pattern + beside));
      }
    }
  });

  const random = seededRandom(11);
  const below = (n: number): number => Math.floor(random() * n);
  const kinds: Readonly<Record<string, () => number>> = {
    'any bits': () => ofBits((BigInt(below(2 ** 31)) << 32n) | BigInt(below(2 ** 32))),
    'subnormal numbers': () => ofBits(BigInt(below(2 ** (1 + below(52))))),
    'whole numbers': () => below(2 ** (1 + below(53))),
    'whole numbers beyond the exact ones': () => Math.round(random() * 10 ** (16 + below(7))),
    'numbers of few decimals': () => below(10 ** (1 + below(9))) / 10 ** (1 + below(9)),
    'counters per second': () => below(10 ** (1 + below(7))) / (285 + random()),
    quotients: () => below(1e6) / (1 + below(1e6)),
    'numbers near the ends of plain writing': () => random() * 10 ** (random() < 0.5 ? -below(9) : 18 + below(5)),
  };
  for (const [kind, next] of Object.entries(kinds)) {
    it(`writes ${kind}`, () => {
      for (let i = 0; i < COUNT; i++) equals(next());
    });
  }

  it('writes times, whatever was written before', () => {
    const near = [0, 1, 5, 999, 1_000, 1_001, 1_010, 1_100, 9_999_000, 9_999_999, 10_000_000, 10_000_001, 86_400_000];
    const far = [1_699_920_000_000, 1_699_929_999_999, 1_699_930_000_000, 253_402_300_799_999, 9_007_199_254_740_991];
    const times = [...near, ...far, -1, -50, -1_050, -1_699_920_000_123, 9.2e18, -9.2e18, 0];
    for (let i = 0; i < COUNT; i++) times.push(below(1_000) * 15_000 + 1_699_000_000_000, below(2 ** (1 + below(52))));
    for (const timeMs of times) assert.equal(time(timeMs), printTimeTwin(timeMs));
  });

  it('writes columns of points, standing values too, and no byte before or far behind them', () => {
    for (let round = 0; round < 200; round++) {
      const count = below(500);
      const times = Float64Array.from({ length: count }, (_, i) => (round < 50 ? i : i * 15_000 + 1_699_920_000_123));
      let value = 0;
      const values = times.map(() => (random() < 0.5 ? value : (value = random() < 0.5 ? below(9) : 1 / below(9))));
      arena.f64.set(times, columns / 8);
      arena.f64.set(values, columns / 8 + 512);
      arena.u8.fill(1, out, out + 32 * 1024);
      const end = wasm.printPoints(columns, columns + 512 * 8, count, out + 1);
      const expected = Array.from(times, (timeMs, i) => `${printPointTwin(timeMs, values[i]!)},`).join('');
      assert.equal(arena.buffer.toString('latin1', out + 1, end), expected);
      assert.ok(arena.u8[out] === 1 && arena.u8.subarray(end + 32, end + 64).every((byte) => byte === 1));
    }
  });

  it('writes one point', () => {
    assert.equal(textTo(wasm.printPoint(-50, -1 / 3, out)), '[-0.050,"-0.3333333333333333"]');
    assert.equal(textTo(wasm.printPoint(1_435_781_451_781, NaN, out)), '[1435781451.781,"NaN"]');
  });
});
