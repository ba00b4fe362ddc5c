import type { Chunk } from '../../chunk/index.ts';

/** A chunk with bytes of its own, for when its source moves on before it is written. */
export function keep(chunk: Chunk): Chunk {
  return { ...chunk, bytes: new Uint8Array(chunk.bytes) };
}
