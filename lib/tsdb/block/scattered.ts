import { PAGE_BYTES } from './page-cache.ts';

/** What is supposed of a chunk, whose length its series does not state. */
const CHUNK_BYTES = 300;
/** Fewer are kept, for who asks again: a megabyte. */
const MANY_PAGES = 32;
/** Of what whole pages would bring in, at most so much is wanted where chunks are scattered: a tenth. */
const PAGES_SHARE = 10;

/**
 * Whether chunks are better read by themselves than by pages: to read one takes 0.8 µs, a page 5, and pages would push out what
 * other queries use. @param offsets by chunk @param chunkEnds by series: where its chunks end
 */
export function areScattered(offsets: Uint32Array, chunkEnds: readonly number[]): boolean {
  let pages = 0;
  let wantedBytes = 0;
  let page = -1;
  for (let i = 0, from = 0; i < chunkEnds.length; from = chunkEnds[i++]!) {
    const first = offsets[from]!;
    const last = offsets[chunkEnds[i]! - 1]!;
    wantedBytes += Math.max(0, last - first) + CHUNK_BYTES;
    const firstPage = Math.floor(first / PAGE_BYTES);
    if (firstPage !== page) pages++;
    page = Math.floor(last / PAGE_BYTES);
    pages += Math.max(0, page - firstPage);
  }
  return pages >= MANY_PAGES && wantedBytes * PAGES_SHARE < pages * PAGE_BYTES;
}
