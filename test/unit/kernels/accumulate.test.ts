import assert from 'node:assert/strict';
import { seededRandom } from '../../../lib/env/index.ts';
import {
  extremesTwin,
  firstBeyondTwin,
  meansTwin,
  sumsTwin,
  type TwinColumn,
} from '../../../lib/kernels/twins/accumulate.ts';
import { anyNumber, KernelColumns, LARGE_NUMBERS, ODD_NUMBERS, wasm } from './columns.ts';

/** Whether a column has a value at a step: always, nearly always, every other time, seldom. */
const DENSITIES: readonly number[] = [1, 0.95, 0.5, 0.05];
/** How many of the numbers are odd. */
const ODDNESSES: readonly number[] = [0, 0.02, 0.3];

interface Group {
  readonly columns: KernelColumns;
  readonly count: number;
  /** What was added, by step. */
  readonly added: readonly number[][];
}

interface Adding {
  /** Adds a column. */
  readonly add: (values: number, present: number) => void;
  /** Looks at what became of the group. */
  readonly check: () => void;
}

/** Adds up groups of columns of random numbers. */
function forGroups(prepare: (group: Group) => Adding): void {
  const random = seededRandom(6);
  for (let round = 0; round < 600; round++) {
    const count = Math.floor(random() * 40);
    const columns = new KernelColumns();
    const added = Array.from({ length: count }, (): number[] => []);
    const odd = round % 2 === 0 ? ODD_NUMBERS : LARGE_NUMBERS;
    const { add, check } = prepare({ columns, count, added });
    for (let i = 1 + Math.floor(random() * 8); i > 0; i--) {
      const density = DENSITIES[round % 4]!;
      const column: TwinColumn = Array.from({ length: count }, () =>
        random() < density ? anyNumber(random, ODDNESSES[round % 3]!, odd) : undefined,
      );
      for (const [step, value] of column.entries()) if (value !== undefined) added[step]!.push(value);
      add(...addresses(columns, column));
    }
    check();
    columns.close();
  }
}

/** Where nothing is present there stands a number that would be noticed. */
function addresses(columns: KernelColumns, column: TwinColumn): [values: number, present: number] {
  const values = columns.floats(column.map((value) => value ?? 1e300));
  const present = columns.flags(column.map((value) => Number(value !== undefined)));
  return [values.byteOffset, present.byteOffset];
}

function assertSame(actual: number | undefined, expected: number | undefined, what: unknown): void {
  assert.ok(Object.is(actual, expected), `${actual} instead of ${expected} of ${JSON.stringify(what)}`);
}

describe('Kernels that add up columns', function () {
  this.timeout(600_000);
  it('sum as the twin does, to the last bit', () => {
    forGroups(({ columns, count, added }) => {
      const zeros = new Float64Array(count);
      const sums = columns.floats(zeros);
      const compensations = columns.floats(zeros);
      const there = columns.flags(zeros);
      const totals = [sums.byteOffset, compensations.byteOffset, there.byteOffset] as const;
      return {
        add: (values, present) => wasm.addSums(values, present, count, ...totals),
        check: () => {
          for (const [step, values] of added.entries()) {
            const expected = sumsTwin(values);
            assert.equal(there[step], Number(expected !== undefined));
            assertSame(sums[step], expected?.sum ?? 0, values);
            assertSame(compensations[step], expected?.compensation ?? 0, values);
          }
        },
      };
    });
  });

  it('take means as the twin does, also of sums that overflow', () => {
    const held = { sums: 0, means: 0 };
    forGroups(({ columns, count, added }) => {
      const zeros = new Float64Array(count);
      const sums = columns.floats(zeros);
      const compensations = columns.floats(zeros);
      const kinds = columns.flags(zeros);
      const counts = columns.floats(zeros);
      const totals = [sums.byteOffset, compensations.byteOffset, kinds.byteOffset, counts.byteOffset] as const;
      return {
        add: (values, present) => wasm.addMeans(values, present, count, ...totals),
        check: () => {
          for (const [step, values] of added.entries()) {
            const expected = meansTwin(values);
            assert.equal(counts[step], values.length);
            assert.equal(kinds[step], expected === undefined ? 0 : expected.isMean ? 2 : 1);
            assertSame(sums[step], expected?.sum ?? 0, values);
            assertSame(compensations[step], expected?.compensation ?? 0, values);
            if (expected !== undefined) held[expected.isMean ? 'means' : 'sums']++;
          }
        },
      };
    });
    assert.ok(held.sums > 1000 && held.means > 300, JSON.stringify(held));
  });

  for (const sign of [1, -1]) {
    it(`keep the ${sign > 0 ? 'greatest' : 'least'} as the twin does`, () => {
      forGroups(({ columns, count, added }) => {
        const zeros = new Float64Array(count);
        const extremes = columns.floats(zeros);
        const there = columns.flags(zeros);
        return {
          add: (values, present) =>
            wasm.addExtremes(values, present, count, sign, extremes.byteOffset, there.byteOffset),
          check: () => {
            for (const [step, values] of added.entries()) {
              const expected = extremesTwin(values, sign);
              assert.equal(there[step], Number(expected !== undefined));
              assertSame(extremes[step], expected ?? 0, values);
            }
          },
        };
      });
    });
  }

  it('count what is there', () => {
    forGroups(({ columns, count, added }) => {
      const counts = columns.floats(new Float64Array(count));
      return {
        add: (_, present) => wasm.addCounts(present, count, counts.byteOffset),
        check: () => {
          assert.deepEqual(
            Array.from(counts),
            added.map((values) => values.length),
          );
        },
      };
    });
  });

  for (const sign of [1, -1]) {
    it(`find the steps that are ${sign > 0 ? 'above' : 'below'} their bounds, or NaN`, () => {
      const random = seededRandom(9);
      const found = { some: 0, none: 0 };
      for (let round = 0; round < 2000; round++) {
        const count = Math.floor(random() * 40);
        const columns = new KernelColumns();
        const oddness = ODDNESSES[round % 3]!;
        const bounds = Array.from({ length: count }, () => anyNumber(random, oddness));
        // Few are beyond.
        const column = bounds.map((bound) => {
          if (random() >= DENSITIES[round % 4]!) return undefined;
          return random() < 0.05 ? anyNumber(random, oddness) : bound - sign * Math.floor(random() * 3);
        });
        const [values, present] = addresses(columns, column);
        const from = Math.floor(random() * (count + 1));
        const { byteOffset } = columns.floats(bounds);
        const step = wasm.firstBeyond(values, present, byteOffset, sign, from, count);
        assert.equal(step, firstBeyondTwin(column, bounds, sign, from));
        found[step < count ? 'some' : 'none']++;
        columns.close();
      }
      assert.ok(found.some > 300 && found.none > 300, JSON.stringify(found));
    });
  }
});
