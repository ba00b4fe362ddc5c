/** One sample of a WAL record; `startMs` 0 means none. */
export interface RecordSample {
  readonly ref: number;
  readonly timeMs: number;
  readonly value: number;
  readonly startMs?: number;
}

/** A samples record in plain TypeScript (tsdb/record/record.go): version 1 is type 2, version 2 is type 11. */
export function encodeSamplesTwin(samples: readonly RecordSample[], version: 1 | 2): Uint8Array {
  const out: number[] = [version === 1 ? 2 : 11];
  const first = samples[0];
  if (first === undefined) return Uint8Array.from(out);
  if (version === 1) {
    word(out, first.ref);
    word(out, first.timeMs);
  }
  samples.forEach((sample, i) => {
    const before = samples[i - 1];
    const start = sample.startMs ?? 0;
    if (version === 1) {
      varint(out, sample.ref - first.ref);
      varint(out, sample.timeMs - first.timeMs);
    } else if (before === undefined) {
      varint(out, sample.ref);
      varint(out, sample.timeMs);
      varint(out, start);
    } else {
      varint(out, sample.ref - before.ref);
      varint(out, sample.timeMs - first.timeMs);
      if (start === 0) out.push(0);
      else if (start === (before.startMs ?? 0)) out.push(1);
      else {
        out.push(2);
        varint(out, start - (first.startMs ?? 0));
      }
    }
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, sample.value);
    out.push(...new Uint8Array(view.buffer));
  });
  return Uint8Array.from(out);
}

/** A signed integer within ±2^53 as 8 bytes, highest first. */
function word(out: number[], value: number): void {
  const view = new DataView(new ArrayBuffer(8));
  view.setInt32(0, Math.floor(value / 2 ** 32));
  view.setUint32(4, value % 2 ** 32 < 0 ? (value % 2 ** 32) + 2 ** 32 : value % 2 ** 32);
  out.push(...new Uint8Array(view.buffer));
}

/** A zigzag varint of an integer within ±2^52. */
function varint(out: number[], value: number): void {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  while (rest >= 128) {
    out.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
}
