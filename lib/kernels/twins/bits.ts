/**
 * The bit streams of chunks in plain TypeScript, written from Prometheus tsdb/chunkenc/{bstream,varbit,xor}.go independently
 * of the kernels: text of zeros and ones, BigInt.
 */
import { isStaleNaN, STALE_NAN_HIGH, STALE_NAN_LOW } from '../../model/index.ts';

const scratch = new DataView(new ArrayBuffer(8));

/** Ones in front and size of the fields of a varbit; the last two take 56 and 64 bits. */
const VARBIT_SIZES = [0, 3, 6, 9, 12, 18, 25, 56, 64];

export function bitsOf(value: number): bigint {
  if (isStaleNaN(value)) return (BigInt(STALE_NAN_HIGH) << 32n) | BigInt(STALE_NAN_LOW);
  scratch.setFloat64(0, value);
  return scratch.getBigUint64(0);
}

export function floatOf(bits: bigint): number {
  scratch.setBigUint64(0, bits);
  return scratch.getFloat64(0);
}

/** A value told by XOR against the one before, with the window of bits that it uses. */
export interface XorTwinValue {
  bits: bigint;
  leading: number;
  trailing: number;
}

export class BitWriter {
  text = '';

  write(value: bigint, count: number): void {
    if (count > 0) this.text += BigInt.asUintN(count, value).toString(2).padStart(count, '0');
  }

  uvarint(value: bigint): void {
    for (; value >= 128n; value >>= 7n) this.write((value & 127n) | 128n, 8);
    this.write(value, 8);
  }

  varint(value: bigint): void {
    this.uvarint(value >= 0n ? value * 2n : -value * 2n - 1n);
  }

  varbit(value: bigint): void {
    this.#field(value, (size) => value > -(2n ** BigInt(size - 1)) && value <= 2n ** BigInt(size - 1));
  }

  varbitUint(value: bigint): void {
    this.#field(value, (size) => value < 2n ** BigInt(size));
  }

  xor(state: XorTwinValue, value: number): this {
    const difference = state.bits ^ bitsOf(value);
    state.bits = bitsOf(value);
    if (difference === 0n) {
      this.write(0n, 1);
      return this;
    }
    const text = difference.toString(2).padStart(64, '0');
    const leading = Math.min(31, text.indexOf('1'));
    const trailing = 63 - text.lastIndexOf('1');
    if (state.leading !== 0xff && leading >= state.leading && trailing >= state.trailing) {
      this.write(0b10n, 2);
    } else {
      state.leading = leading;
      state.trailing = trailing;
      this.write(0b11n, 2);
      this.write(BigInt(leading), 5);
      this.write(BigInt((64 - leading - trailing) % 64), 6);
    }
    this.text += text.slice(state.leading, 64 - state.trailing);
    return this;
  }

  bytes(): Uint8Array {
    const text = this.text.padEnd(Math.ceil(this.text.length / 8) * 8, '0');
    return Uint8Array.from({ length: text.length / 8 }, (_, i) => Number.parseInt(text.slice(i * 8, i * 8 + 8), 2));
  }

  #field(value: bigint, fits: (size: number) => boolean): void {
    if (value === 0n) return this.write(0n, 1);
    let ones = 1;
    while (ones < 8 && !fits(VARBIT_SIZES[ones]!)) ones++;
    this.text += '1'.repeat(ones) + (ones < 8 ? '0' : '');
    this.write(value, VARBIT_SIZES[ones]!);
  }
}

/** Reads trusted bytes. */
export class BitReader {
  readonly #text: string;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.#text = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  }

  take(count: number): bigint {
    if (count === 0) return 0n;
    this.position += count;
    return BigInt(`0b${this.#text.slice(this.position - count, this.position)}`);
  }

  number(count: number): number {
    return Number(this.take(count));
  }

  /** How many ones follow, at most `most`; the zero behind fewer is passed over. */
  ones(most: number): number {
    let count = 0;
    while (count < most && this.number(1) === 1) count++;
    return count;
  }

  uvarint(): bigint {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      const byte = this.take(8);
      value |= (byte & 127n) << shift;
      if (byte < 128n) return value;
    }
  }

  varint(): bigint {
    const zigzag = this.uvarint();
    return zigzag % 2n === 0n ? zigzag / 2n : -(zigzag + 1n) / 2n;
  }

  varbit(): bigint {
    const size = VARBIT_SIZES[this.ones(8)]!;
    const raw = this.take(size);
    if (size === 64) return BigInt.asIntN(64, raw);
    return size > 0 && raw > 2n ** BigInt(size - 1) ? raw - 2n ** BigInt(size) : raw;
  }

  varbitUint(): bigint {
    return this.take(VARBIT_SIZES[this.ones(8)]!);
  }

  /** The bits of a change in a new window, or in the one there is. */
  change(state: XorTwinValue, newWindow: boolean): void {
    if (newWindow) {
      state.leading = this.number(5);
      state.trailing = 64 - state.leading - (this.number(6) || 64);
    } else if (state.leading === 0xff) {
      state.leading = state.trailing = 0;
    }
    state.bits ^= this.take(64 - state.leading - state.trailing) << BigInt(state.trailing);
  }

  xor(state: XorTwinValue): void {
    const ones = this.ones(2);
    if (ones > 0) this.change(state, ones === 2);
  }
}
