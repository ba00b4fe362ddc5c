import assert from 'node:assert/strict';
import { createKernels } from '../../../lib/kernels/index.ts';
import { STALE_NAN } from '../../../lib/model/index.ts';

const { arena, wasm } = createKernels();

export { wasm };

const GUARD = 0xa5;
const GUARD_BYTES = 16;

/** Columns where kernels reach them, each with bytes behind it that no kernel may write to. */
export class KernelColumns {
  readonly #blocks: { readonly address: number; readonly bytes: number; readonly sizeBytes: number }[] = [];

  floats(from: ArrayLike<number>): Float64Array {
    const view = new Float64Array(arena.memory.buffer, this.#take(8 * from.length), from.length);
    view.set(from);
    return view;
  }

  flags(from: ArrayLike<number>): Uint8Array {
    const view = new Uint8Array(arena.memory.buffer, this.#take(from.length), from.length);
    view.set(from);
    return view;
  }

  /** @returns the address of so many bytes that may be written to */
  scratch(bytes: number): number {
    return this.#take(bytes);
  }

  /** Gives all columns back. */
  close(): void {
    for (const { address, bytes, sizeBytes } of this.#blocks) {
      assert.ok(arena.u8.subarray(address + bytes, address + bytes + GUARD_BYTES).every((byte) => byte === GUARD));
      arena.free(address, sizeBytes);
    }
    this.#blocks.length = 0;
  }

  #take(bytes: number): number {
    const sizeBytes = bytes + GUARD_BYTES;
    const address = arena.allocate(sizeBytes);
    arena.u8.fill(GUARD, address + bytes, address + sizeBytes);
    this.#blocks.push({ address, bytes, sizeBytes });
    return address;
  }
}

/** Both NaN, infinities, zeros, subnormals, the largest. */
export const ODD_NUMBERS: readonly number[] = [
  NaN,
  STALE_NAN,
  Infinity,
  -Infinity,
  0,
  -0,
  5e-324,
  -5e-324,
  2.2e-308,
  1.7e308,
  -1.7e308,
];

/** The sums of which overflow and come back, by the order. */
export const LARGE_NUMBERS: readonly number[] = [1.7e308, -1.7e308, 1e308, -1e308];

/** A number of any size, or with a likelihood of `oddness` one of the odd ones. */
export function anyNumber(random: () => number, oddness: number, odd = ODD_NUMBERS): number {
  if (random() < oddness) return odd[Math.floor(random() * odd.length)]!;
  return (random() - 0.5) * 10 ** Math.floor(random() * 20);
}
