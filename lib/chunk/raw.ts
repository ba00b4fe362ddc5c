import { assert } from '../model/index.ts';
import type { RawChunk } from '../storage/index.ts';
import { type Chunk, Encoding } from './chunk.ts';

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

/** A chunk in an encoding that is handed out, as all are that are written here. */
export function rawChunk({ minTimeMs, maxTimeMs, encoding, bytes }: Chunk): RawChunk {
  const name = rawEncoding(encoding);
  assert(name !== undefined, 'chunk: in an encoding that is not handed out');
  return { minTimeMs, maxTimeMs, encoding: name, bytes };
}

/** The encoding of a chunk that was handed out. */
export function storedEncoding(name: RawChunk['encoding']): Encoding {
  return ENCODINGS[name];
}
