import type { RawChunk } from '../storage/index.ts';
import { Encoding } from './chunk.ts';

const ENCODINGS: Readonly<Record<RawChunk['encoding'], Encoding>> = {
  xor: Encoding.xor,
  histogram: Encoding.histogram,
  float_histogram: Encoding.floatHistogram,
  xor2: Encoding.xor2,
};
const NAMES = new Map(Object.entries(ENCODINGS).map(([name, encoding]) => [encoding, name as RawChunk['encoding']]));

/** How a chunk is named that is handed out as it is stored; undefined when it must be encoded anew for that. */
export function rawEncoding(encoding: Encoding): RawChunk['encoding'] | undefined {
  return NAMES.get(encoding);
}

/** The encoding of a chunk that was handed out. */
export function storedEncoding(name: RawChunk['encoding']): Encoding {
  return ENCODINGS[name];
}
