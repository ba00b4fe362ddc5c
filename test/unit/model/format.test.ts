import assert from 'node:assert/strict';
import { formatGeneral, NORMAL_NAN, parseFloatStrict } from '../../../lib/model/index.ts';

describe('floats as text', () => {
  it('are printed as %g prints them in Go', () => {
    const cases: readonly [number, string][] = [
      [0, '0'],
      [-0, '-0'],
      [1, '1'],
      [-1.5, '-1.5'],
      [100000, '100000'],
      [999999, '999999'],
      [1e6, '1e+06'],
      [1234567, '1.234567e+06'],
      [2097152, '2.097152e+06'],
      [1e21, '1e+21'],
      [0.0001, '0.0001'],
      [0.00001, '1e-05'],
      [0.000012345, '1.2345e-05'],
      [Number.MAX_VALUE, '1.7976931348623157e+308'],
      [5e-324, '5e-324'],
      [Infinity, '+Inf'],
      [-Infinity, '-Inf'],
      [NaN, 'NaN'],
    ];
    for (const [value, expected] of cases) assert.equal(formatGeneral(value), expected);
  });
});

describe('floats from text', () => {
  it('are, when not a number, the NaN of Go', () => {
    const bits = new BigUint64Array(new Float64Array([0, 0, 0]).buffer);
    const values = new Float64Array(bits.buffer);
    values[0] = parseFloatStrict('NaN')!;
    values[1] = parseFloatStrict('nan')!;
    values[2] = NORMAL_NAN;
    assert.deepEqual([...bits], [0x7ff8000000000001n, 0x7ff8000000000001n, 0x7ff8000000000001n]);
  });
});
