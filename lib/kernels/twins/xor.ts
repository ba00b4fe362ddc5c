/**
 * The XOR chunk and the cutting of chunks in plain TypeScript, written from Prometheus tsdb/chunkenc/xor.go and
 * tsdb/head_append.go independently of the kernel: values as two 32-bit halves, one bit at a time.
 */
import { isStaleNaN, STALE_NAN_HIGH, STALE_NAN_LOW } from '../../model/index.ts';

const scratch = new DataView(new ArrayBuffer(8));
const TWO_32 = 4_294_967_296;
const SAMPLES_PER_CHUNK = 120;
const MAX_CHUNK_BYTES = 1005;

/** Bits, highest first. */
class BitWriter {
  bytes: number[] = [0, 0];
  #free = 0;

  bit(bit: number): void {
    if (this.#free === 0) {
      this.bytes.push(0);
      this.#free = 8;
    }
    this.#free--;
    if (bit) this.bytes[this.bytes.length - 1]! |= 1 << this.#free;
  }

  /** The low `count` bits of a 64-bit word in two halves. */
  bits(high: number, low: number, count: number): void {
    for (let i = count - 1; i >= 0; i--) this.bit(i >= 32 ? (high >>> (i - 32)) & 1 : (low >>> i) & 1);
  }

  /** An integer within ±2^53 as a uvarint. */
  uvarint(value: number): void {
    while (value >= 128) {
      this.bits(0, (value % 128) + 128, 8);
      value = Math.floor(value / 128);
    }
    this.bits(0, value, 8);
  }
}

/** One chunk under construction. */
export class XorTwin {
  readonly #out = new BitWriter();
  #count = 0;
  #time = 0;
  #delta = 0;
  #high = 0;
  #low = 0;
  #leading = 0xff;
  #trailing = 0;

  get bytes(): Uint8Array {
    this.#out.bytes[0] = this.#count >>> 8;
    this.#out.bytes[1] = this.#count & 0xff;
    return Uint8Array.from(this.#out.bytes);
  }

  get count(): number {
    return this.#count;
  }

  append(timeMs: number, value: number): void {
    const [high, low] = halves(value);
    const out = this.#out;
    const delta = timeMs - this.#time;
    if (this.#count === 0) {
      out.uvarint(timeMs >= 0 ? timeMs * 2 : -timeMs * 2 - 1);
      out.bits(high, low, 64);
    } else {
      if (this.#count === 1) out.uvarint(delta);
      else this.#deltaOfDelta(delta - this.#delta);
      this.#xor(high ^ this.#high, low ^ this.#low);
      this.#delta = delta;
    }
    this.#time = timeMs;
    this.#high = high;
    this.#low = low;
    this.#count++;
  }

  #deltaOfDelta(dod: number): void {
    const out = this.#out;
    const high = Math.floor(dod / TWO_32);
    const low = dod - high * TWO_32;
    if (dod === 0) return out.bit(0);
    for (const [prefix, prefixBits, size] of [
      [0b10, 2, 14],
      [0b110, 3, 17],
      [0b1110, 4, 20],
    ] as const) {
      if (dod >= -(2 ** (size - 1)) + 1 && dod <= 2 ** (size - 1)) {
        out.bits(0, prefix, prefixBits);
        return out.bits(high, low, size);
      }
    }
    out.bits(0, 0b1111, 4);
    out.bits(high, low, 64);
  }

  #xor(high: number, low: number): void {
    const out = this.#out;
    if (high === 0 && low === 0) return out.bit(0);
    out.bit(1);
    const leading = Math.min(31, high !== 0 ? Math.clz32(high) : 32);
    const trailing = low !== 0 ? 31 - Math.clz32(low & -low) : 63 - Math.clz32(high & -high);
    if (this.#leading !== 0xff && leading >= this.#leading && trailing >= this.#trailing) {
      out.bit(0);
    } else {
      this.#leading = leading;
      this.#trailing = trailing;
      out.bit(1);
      out.bits(0, leading, 5);
      out.bits(0, (64 - leading - trailing) & 63, 6);
    }
    for (let i = 63 - this.#leading; i >= this.#trailing; i--) {
      out.bit(i >= 32 ? (high >>> (i - 32)) & 1 : (low >>> i) & 1);
    }
  }
}

/** One series of the head: its chunks as `memSeries.append` cuts them. */
export class SeriesTwin {
  readonly chunks: XorTwin[] = [];
  readonly #blockDurationMs: number;
  #minTime = 0;
  #lastTime = -Infinity;
  #nextAt = 0;

  constructor(blockDurationMs: number) {
    this.#blockDurationMs = blockDurationMs;
  }

  /** @returns false when the sample is not newer than the newest */
  append(timeMs: number, value: number): boolean {
    if (timeMs <= this.#lastTime) return false;
    let chunk = this.chunks.at(-1);
    if (chunk === undefined || chunk.bytes.length > MAX_CHUNK_BYTES) chunk = this.#cut(timeMs);
    if (chunk.count === SAMPLES_PER_CHUNK / 4) {
      const parts = (this.#nextAt - this.#minTime) / ((this.#lastTime - this.#minTime + 1) * 4);
      if (parts > 1) this.#nextAt = Math.trunc(this.#minTime + (this.#nextAt - this.#minTime) / Math.floor(parts));
    }
    if (timeMs >= this.#nextAt || chunk.count >= SAMPLES_PER_CHUNK * 2) chunk = this.#cut(timeMs);
    chunk.append(timeMs, value);
    this.#lastTime = timeMs;
    return true;
  }

  #cut(timeMs: number): XorTwin {
    const width = this.#blockDurationMs;
    this.#minTime = timeMs;
    this.#nextAt = Math.trunc(timeMs / width) * width + width;
    const chunk = new XorTwin();
    this.chunks.push(chunk);
    return chunk;
  }
}

/** Decodes a chunk; the input is trusted. */
export function decodeXorTwin(bytes: Uint8Array): { times: number[]; values: number[] } {
  const times: number[] = [];
  const values: number[] = [];
  const total = (bytes[0]! << 8) | bytes[1]!;
  let position = 16;
  const bit = (): number => (bytes[position >>> 3]! >>> (7 - (position++ & 7))) & 1;
  const take = (count: number): number => {
    let value = 0;
    for (let i = 0; i < count; i++) value = value * 2 + bit();
    return value;
  };
  const uvarint = (): number => {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = take(8);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  let time = 0;
  let delta = 0;
  let high = 0;
  let low = 0;
  let leading = 0;
  let trailing = 0;
  for (let i = 0; i < total; i++) {
    if (i === 0) {
      const zigzag = uvarint();
      time = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
      high = take(32);
      low = take(32);
    } else {
      if (i === 1) {
        delta = uvarint();
      } else if (bit()) {
        let ones = 1;
        while (ones < 4 && bit()) ones++;
        const size = [0, 14, 17, 20, 0][ones]!;
        if (size === 0) {
          const top = take(32) | 0;
          delta += top * TWO_32 + take(32);
        } else {
          const raw = take(size);
          delta += raw > 2 ** (size - 1) ? raw - 2 ** size : raw;
        }
      }
      time += delta;
      if (bit()) {
        if (bit()) {
          leading = take(5);
          trailing = 64 - leading - (take(6) || 64);
        }
        for (let at = 63 - leading; at >= trailing; at--) {
          if (bit()) {
            if (at >= 32) high ^= 1 << (at - 32);
            else low ^= 1 << at;
          }
        }
      }
    }
    times.push(time);
    scratch.setUint32(0, high);
    scratch.setUint32(4, low);
    values.push(scratch.getFloat64(0));
  }
  return { times, values };
}

function halves(value: number): [high: number, low: number] {
  if (isStaleNaN(value)) return [STALE_NAN_HIGH | 0, STALE_NAN_LOW];
  scratch.setFloat64(0, value);
  return [scratch.getInt32(0), scratch.getInt32(4)];
}
