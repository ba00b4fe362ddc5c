/** XOR2 chunks in plain TypeScript, written from Prometheus tsdb/chunkenc/xor2.go independently of the kernel. */
import { isStaleNaN, STALE_NAN } from '../../model/index.ts';
import { BitReader, bitsOf, BitWriter, floatOf, type XorTwinValue } from './bits.ts';

/** One chunk under construction. */
export class Xor2Twin {
  readonly #out = new BitWriter();
  readonly #value: XorTwinValue = { bits: 0n, leading: 0xff, trailing: 0 };
  #count = 0;
  #time = 0n;
  #delta = 0n;
  #start = 0n;
  #startDifference = 0n;
  #starts = 0;

  get bytes(): Uint8Array {
    return Uint8Array.of(this.#count >>> 8, this.#count & 0xff, this.#starts, ...this.#out.bytes());
  }

  /** @param startMs 0 for none */
  append(timeMs: number, value: number, startMs = 0): void {
    const out = this.#out;
    const time = BigInt(timeMs);
    const start = BigInt(startMs);
    const delta = time - this.#time;
    if (this.#count === 0) {
      out.varint(time);
      out.write(bitsOf(value), 64);
      if (!isStaleNaN(value)) this.#value.bits = bitsOf(value);
      if (start !== 0n) {
        out.varint(time - start);
        this.#starts = 0x80;
      }
    } else {
      if (this.#count === 1) {
        out.uvarint(delta);
        this.#change(value);
      } else {
        this.#joint(delta - this.#delta, value);
      }
      this.#startTime(start);
      this.#delta = delta;
    }
    this.#time = time;
    this.#start = start;
    this.#count++;
  }

  #joint(dod: bigint, value: number): void {
    const out = this.#out;
    if (dod === 0n) {
      if (isStaleNaN(value)) return out.write(0b11111n, 5);
      if (bitsOf(value) === this.#value.bits) return out.write(0n, 1);
      out.write(0b10n, 2);
      const { newWindow, bits } = this.#changed(value);
      out.write(newWindow ? 1n : 0n, 1);
      out.text += bits;
      return;
    }
    if (dod >= -4096n && dod <= 4095n) {
      out.write(0b110n, 3);
      out.write(dod, 13);
    } else if (dod >= -524288n && dod <= 524287n) {
      out.write(0b1110n, 4);
      out.write(dod, 20);
    } else {
      out.write(0b11110n, 5);
      out.write(dod, 64);
    }
    this.#change(value);
  }

  #change(value: number): void {
    if (isStaleNaN(value)) return this.#out.write(0b111n, 3);
    if (bitsOf(value) === this.#value.bits) return this.#out.write(0n, 1);
    const { newWindow, bits } = this.#changed(value);
    if (newWindow) this.#out.write(0b110n, 3);
    else this.#out.write(0b10n, 2);
    this.#out.text += bits;
  }

  /** What `xor` writes of a changed value behind the two bits that say how. */
  #changed(value: number): { newWindow: boolean; bits: string } {
    const { text } = new BitWriter().xor(this.#value, value);
    return { newWindow: text[1] === '1', bits: text.slice(2) };
  }

  #startTime(start: bigint): void {
    const from = this.#starts & 0x7f;
    if (from === 0 && start === this.#start && this.#count !== 0x7f) return;
    const difference = this.#time - start;
    this.#out.varbit(from === 0 ? difference : difference - this.#startDifference);
    this.#startDifference = difference;
    if (from === 0) this.#starts |= this.#count;
  }
}

/** Decodes a chunk; the input is trusted. */
export function decodeXor2Twin(bytes: Uint8Array): { times: number[]; values: number[] } {
  const reader = new BitReader(bytes);
  const total = reader.number(16);
  const starts = reader.number(8);
  const value: XorTwinValue = { bits: 0n, leading: 0xff, trailing: 0 };
  const times: number[] = [];
  const values: number[] = [];
  let time = 0n;
  let delta = 0n;
  const change = (): boolean => {
    const ones = reader.ones(3);
    if (ones === 1 || ones === 2) reader.change(value, ones === 2);
    return ones === 3;
  };
  for (let i = 0; i < total; i++) {
    let stale = false;
    if (i === 0) {
      time = reader.varint();
      const bits = reader.take(64);
      stale = isStaleNaN(floatOf(bits));
      if (!stale) value.bits = bits;
      if (starts & 0x80) reader.varint();
    } else {
      if (i === 1) {
        delta = reader.uvarint();
        stale = change();
      } else {
        const ones = reader.ones(5);
        if (ones === 1) reader.change(value, reader.number(1) === 1);
        if (ones >= 2 && ones <= 4) {
          const size = [13, 20, 64][ones - 2]!;
          delta += BigInt.asIntN(size, reader.take(size));
          stale = change();
        }
        stale ||= ones === 5;
      }
      time += delta;
      if ((starts & 0x7f) > 0 && i >= (starts & 0x7f)) reader.varbit();
    }
    times.push(Number(time));
    values.push(stale ? STALE_NAN : floatOf(value.bits));
  }
  return { times, values };
}
