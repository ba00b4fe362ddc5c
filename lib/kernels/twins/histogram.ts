/**
 * Histogram chunks in plain TypeScript, written from Prometheus tsdb/chunkenc/{histogram,float_histogram,histogram_meta,st}.go
 * independently of the kernels: an integer bucket is its distance to the bucket before, as there.
 */
import { type HistogramSpan, isStaleNaN } from '../../model/index.ts';
import { BitReader, bitsOf, BitWriter, floatOf, type XorTwinValue } from './bits.ts';

export interface TwinLayout {
  /** chunkenc.Encoding: 2 integers, 3 floats; 5 and 6 the same with start times. */
  readonly encoding: number;
  /** The counter reset header. */
  readonly header: number;
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly positiveSpans: readonly HistogramSpan[];
  readonly negativeSpans: readonly HistogramSpan[];
  readonly customValues: readonly number[];
}

export interface TwinSample {
  readonly timeMs: number;
  readonly count: number;
  readonly zeroCount: number;
  readonly sum: number;
  /** Absolute counts; none in a stale marker. */
  readonly positive: readonly number[];
  readonly negative: readonly number[];
  /** 0 for none. */
  readonly startMs?: number;
}

const isFloat = (encoding: number): boolean => encoding === 3 || encoding === 6;
const buckets = (spans: readonly HistogramSpan[]): number => spans.reduce((sum, { length }) => sum + length, 0);
const xorValue = (): XorTwinValue => ({ bits: 0n, leading: 0xff, trailing: 0 });

export function encodeHistogramsTwin(layout: TwinLayout, samples: readonly TwinSample[]): Uint8Array {
  const out = new BitWriter();
  writeLayout(out, layout);
  const starts = new StartTimes();
  const time = new DeltaOfDelta();
  const cells: (DeltaOfDelta | XorTwinValue)[] = [];
  const write = (index: number, first: boolean, value: number, unsigned = false): void => {
    if (isFloat(layout.encoding) || index === 2) {
      const state = (cells[index] ??= xorValue()) as XorTwinValue;
      if (first) out.write((state.bits = bitsOf(value)), 64);
      else out.xor(state, value);
      return;
    }
    const dod = ((cells[index] ??= new DeltaOfDelta()) as DeltaOfDelta).next(BigInt(value));
    if (first && unsigned) out.varbitUint(BigInt(value));
    else out.varbit(first ? BigInt(value) : dod);
  };
  samples.forEach((sample, i) => {
    const first = i === 0;
    const { timeMs, count, zeroCount, sum, positive, negative } = sample;
    const stale = isStaleNaN(sum);
    const dod = time.next(BigInt(timeMs));
    out.varbit(first ? BigInt(timeMs) : dod);
    if (stale && !first && !isFloat(layout.encoding)) {
      out.varbit(0n);
      out.varbit(0n);
      (cells[0] as DeltaOfDelta).next(0n);
      (cells[1] as DeltaOfDelta).next(0n);
    } else {
      write(0, first, stale ? 0 : count, true);
      write(1, first, stale ? 0 : zeroCount, true);
    }
    write(2, first, sum);
    let index = 3;
    for (const side of [positive, negative]) {
      let before = 0;
      for (const value of side) {
        write(index++, first, isFloat(layout.encoding) ? value : value - before);
        before = value;
      }
    }
    if (layout.encoding >= 5) starts.write(out, i, timeMs, samples[i - 1]?.timeMs ?? 0, sample.startMs ?? 0);
  });
  const bytes = out.bytes();
  bytes[0] = samples.length >>> 8;
  bytes[1] = samples.length & 0xff;
  bytes[2] = layout.encoding >= 5 ? starts.header : layout.header;
  if (layout.encoding >= 5) bytes[0] |= layout.header;
  return bytes;
}

export function decodeHistogramsTwin(
  encoding: number,
  bytes: Uint8Array,
): { layout: TwinLayout; samples: TwinSample[] } {
  const reader = new BitReader(bytes);
  const [first, second, third] = [reader.number(8), reader.number(8), reader.number(8)];
  const total = ((encoding >= 5 ? first & 0x3f : first) << 8) | second;
  const layout = readLayout(reader, encoding, (encoding >= 5 ? first : third) & 0xc0);
  const startsFrom = encoding >= 5 ? third & 0x7f : 0;
  const sizes = [buckets(layout.positiveSpans), buckets(layout.negativeSpans)];
  const time = new DeltaOfDelta();
  const cells: (DeltaOfDelta | XorTwinValue)[] = [];
  const read = (index: number, unsigned = false): number => {
    const known = cells[index];
    if (isFloat(encoding) || index === 2) {
      const state = (cells[index] ??= xorValue()) as XorTwinValue;
      if (known === undefined) state.bits = reader.take(64);
      else reader.xor(state);
      return floatOf(state.bits);
    }
    const state = (cells[index] ??= new DeltaOfDelta()) as DeltaOfDelta;
    if (known === undefined) state.value = unsigned ? reader.varbitUint() : reader.varbit();
    else state.advance(reader.varbit());
    return Number(state.value);
  };
  const samples: TwinSample[] = [];
  for (let i = 0; i < total; i++) {
    if (i === 0) time.value = reader.varbit();
    else time.advance(reader.varbit());
    const count = read(0, true);
    const zeroCount = read(1, true);
    const sum = read(2);
    let index = 3;
    const [positive, negative] = sizes.map((size) => {
      let before = 0;
      return Array.from({ length: i > 0 && isStaleNaN(sum) ? 0 : size }, () => {
        const value = read(index++);
        before = isFloat(encoding) ? value : before + value;
        return before;
      });
    });
    if (i === 0 && encoding >= 5 && third & 0x80) reader.varint();
    if (startsFrom > 0 && i >= startsFrom) reader.varbit();
    samples.push({ timeMs: Number(time.value), count, zeroCount, sum, positive: positive!, negative: negative! });
  }
  return { layout, samples };
}

function writeLayout(out: BitWriter, layout: TwinLayout): void {
  out.write(0n, 24);
  const exponent = Math.log2(layout.zeroThreshold);
  if (layout.zeroThreshold === 0) out.write(0n, 8);
  else if (Number.isInteger(exponent) && 2 ** exponent === layout.zeroThreshold && exponent >= -243 && exponent <= 10) {
    out.write(BigInt(exponent + 244), 8);
  } else {
    out.write(255n, 8);
    out.write(bitsOf(layout.zeroThreshold), 64);
  }
  out.varbit(BigInt(layout.schema));
  for (const spans of [layout.positiveSpans, layout.negativeSpans]) {
    out.varbitUint(BigInt(spans.length));
    for (const { offset, length } of spans) {
      out.varbitUint(BigInt(length));
      out.varbit(BigInt(offset));
    }
  }
  if (layout.schema !== -53) return;
  out.varbitUint(BigInt(layout.customValues.length));
  for (const bound of layout.customValues) {
    const thousandths = Math.round(bound * 1000);
    if (bound * 1000 >= 0 && bound * 1000 <= 33554430 && thousandths / 1000 === bound) {
      out.varbitUint(BigInt(thousandths) + 1n);
    } else {
      out.write(0n, 1);
      out.write(bitsOf(bound), 64);
    }
  }
}

function readLayout(reader: BitReader, encoding: number, header: number): TwinLayout {
  const threshold = reader.number(8);
  const zeroThreshold =
    threshold === 0 ? 0 : threshold === 255 ? floatOf(reader.take(64)) : 0.5 * 2 ** (threshold - 243);
  const schema = Number(reader.varbit());
  const [positiveSpans, negativeSpans] = [0, 1].map(() =>
    Array.from({ length: Number(reader.varbitUint()) }, () => {
      const length = Number(reader.varbitUint());
      return { offset: Number(reader.varbit()), length };
    }),
  );
  const customValues = Array.from({ length: schema === -53 ? Number(reader.varbitUint()) : 0 }, () => {
    const thousandths = reader.varbitUint();
    return thousandths === 0n ? floatOf(reader.take(64)) : Number(thousandths - 1n) / 1000;
  });
  return {
    encoding,
    header,
    schema,
    zeroThreshold,
    positiveSpans: positiveSpans!,
    negativeSpans: negativeSpans!,
    customValues,
  };
}

class DeltaOfDelta {
  value = 0n;
  #delta = 0n;
  #started = false;

  /** Takes a new value; the first has no delta. @returns the delta of the delta */
  next(value: bigint): bigint {
    const delta = this.#started ? value - this.value : 0n;
    this.#started = true;
    const dod = delta - this.#delta;
    this.#delta = delta;
    this.value = value;
    return dod;
  }

  advance(dod: bigint): void {
    this.#delta += dod;
    this.value += this.#delta;
  }
}

/** `stEncoder` of st.go. */
class StartTimes {
  header = 0;
  #last = 0;
  #difference = 0n;

  write(out: BitWriter, index: number, timeMs: number, timeBeforeMs: number, startMs: number): void {
    const changeFrom = this.header & 0x7f;
    if (index === 0) {
      if (startMs !== 0) {
        out.varint(BigInt(timeMs - startMs));
        this.header = 0x80;
      }
    } else if (changeFrom > 0 || startMs !== this.#last || index === 0x7f) {
      const difference = BigInt(timeBeforeMs - startMs);
      out.varbit(changeFrom > 0 ? difference - this.#difference : difference);
      this.#difference = difference;
      if (changeFrom === 0) this.header |= index;
    }
    this.#last = startMs;
  }
}
