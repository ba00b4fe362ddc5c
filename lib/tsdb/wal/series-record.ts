import type { SharedArena } from '../../kernels/index.ts';
import { Labels, LabelsBuilder } from '../../model/index.ts';
import { RECORD_SERIES } from './format.ts';
import type { Scratch } from './scratch.ts';

const REF_BYTES = 8;
const MAX_VARINT_BYTES = 5;

/**
 * Writes a series record (type 1) into `out`: type u8, then per series ref u64 be, label count uvarint, and per label
 * name and value, each a uvarint length and UTF-8 bytes (tsdb/record/record.go).
 * @returns its length
 */
export function encodeSeries(
  arena: SharedArena,
  refs: readonly number[],
  labelsOf: (ref: number) => Labels,
  out: Scratch,
): number {
  let address = out.reserve(4096);
  let bytes = Buffer.from(arena.memory.buffer);
  bytes[address] = RECORD_SERIES;
  let length = 1;
  for (const ref of refs) {
    const { pairs } = labelsOf(ref);
    let needed = length + REF_BYTES + MAX_VARINT_BYTES;
    for (const text of pairs) needed += MAX_VARINT_BYTES + text.length * 3;
    if (needed > out.capacity) {
      address = out.grow(needed, length);
      bytes = Buffer.from(arena.memory.buffer);
    }
    let at = address + length;
    bytes.writeUInt32BE(0, at);
    bytes.writeUInt32BE(ref, at + 4);
    at = writeUvarint(bytes, at + REF_BYTES, pairs.length / 2);
    for (const text of pairs) {
      at = writeUvarint(bytes, at, Buffer.byteLength(text));
      at += bytes.write(text, at, 'utf8');
    }
    length = at - address;
  }
  return length;
}

/** @returns false when the record is malformed; what came before is then already visited */
export function decodeSeries(record: Uint8Array, visit: (ref: number, labels: Labels) => void): boolean {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  const end = bytes.length;
  let at = 1;
  let failed = false;
  const uvarint = (): number => {
    let value = 0;
    for (let scale = 1; at < end && scale <= 2 ** 28; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    failed = true;
    return 0;
  };
  while (at < end) {
    if (at + REF_BYTES > end) return false;
    const ref = bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
    at += REF_BYTES;
    const count = uvarint();
    // Two lengths per label: more cannot be there.
    if (failed || count * 2 > end - at) return false;
    const pairs: string[] = [];
    for (let i = 0; i < count * 2; i++) {
      const length = uvarint();
      if (failed || length > end - at) return false;
      pairs.push(bytes.toString('utf8', at, at + length));
      at += length;
    }
    visit(ref, ordered(pairs));
  }
  return true;
}

/** Labels as the model wants them, also where another writer's order or empty values differ. */
function ordered(pairs: string[]): Labels {
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i + 1] === '' || (i > 0 && pairs[i]! <= pairs[i - 2]!)) {
      const builder = new LabelsBuilder();
      for (let j = 0; j < pairs.length; j += 2) builder.set(pairs[j]!, pairs[j + 1]!);
      return builder.labels();
    }
  }
  return new Labels(pairs);
}

function writeUvarint(bytes: Buffer, at: number, value: number): number {
  while (value >= 0x80) {
    bytes[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  bytes[at++] = value;
  return at;
}
