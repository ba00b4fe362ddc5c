import type { Chunk } from '../chunk/chunk.ts';

/** A chunk with bytes of its own, for when its source moves on before it is written. */
export function keep({ minTimeMs, maxTimeMs, encoding, bytes }: Chunk): Chunk {
  return { minTimeMs, maxTimeMs, encoding, bytes: new Uint8Array(bytes) };
}
