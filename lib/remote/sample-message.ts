import type { SampleColumns } from '../model/index.ts';
import type { ProtoReader } from './proto-reader.ts';

/** Reads a field `Sample` (prompb/types.proto; io/prometheus/write/v2/types.proto numbers it alike) behind `into`. */
export function readSample(reader: ProtoReader, into: SampleColumns): void {
  let value = 0;
  let timestampMs = 0;
  const outerEnd = reader.enter();
  while (reader.more) {
    const key = reader.key();
    if (key === 0x09) value = reader.double();
    else if (key === 0x10) timestampMs = reader.int64Clamped();
    else reader.skip(key);
  }
  reader.leave(outerEnd);
  into.push(timestampMs, value);
}
