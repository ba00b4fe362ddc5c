import { type ArenaViews, layout, type SharedArena } from '../../kernels/index.ts';
import type { Chunk, Encoding } from '../../chunk/index.ts';

const {
  CHUNK_DATA,
  CHUNK_FILE,
  CHUNK_FILE_OFFSET,
  CHUNK_LENGTH,
  CHUNK_LENGTH_BITS,
  CHUNK_MAPPED,
  CHUNK_MAX_TIME,
  CHUNK_MIN_TIME,
  CHUNK_OLDER,
  CHUNK_SLACK,
  MAPPED_CHUNK_SIZE,
} = layout;

const LENGTH_MASK = 2 ** CHUNK_LENGTH_BITS - 1;

/** Where in `chunks_head/` a chunk lies. */
export interface ChunkFilePlace {
  readonly file: number;
  readonly offsetBytes: number;
}

/** Whether a place is behind another one. */
export function isBehind(place: ChunkFilePlace, other: ChunkFilePlace): boolean {
  return place.file > other.file || (place.file === other.file && place.offsetBytes > other.offsetBytes);
}

/** Reads a chunk from `chunks_head/`. @throws PromletError when it cannot be read or is damaged */
export type ReadMappedChunk = (place: ChunkFilePlace) => Chunk;

/** Puts a completed chunk into a block of its own, before `older` (0: none). @returns the block */
export function storeChunk(
  arena: SharedArena,
  { encoding, bytes, minTimeMs, maxTimeMs }: Chunk,
  older: number,
): number {
  const block = arena.allocate(CHUNK_DATA + bytes.length + CHUNK_SLACK);
  writeHeader(arena, block, older, ((encoding << CHUNK_LENGTH_BITS) | bytes.length) >>> 0, minTimeMs, maxTimeMs);
  arena.u8.set(bytes, block + CHUNK_DATA);
  return block;
}

/** As `storeChunk`, for a chunk whose bytes are on file. */
export function storeMappedChunk(
  arena: SharedArena,
  { encoding, minTimeMs, maxTimeMs }: Omit<Chunk, 'bytes'>,
  { file, offsetBytes }: ChunkFilePlace,
  older: number,
): number {
  const block = arena.allocate(MAPPED_CHUNK_SIZE);
  writeHeader(arena, block, older, (CHUNK_MAPPED | (encoding << CHUNK_LENGTH_BITS)) >>> 0, minTimeMs, maxTimeMs);
  arena.u32[(block + CHUNK_FILE) >>> 2] = file;
  arena.u32[(block + CHUNK_FILE_OFFSET) >>> 2] = offsetBytes;
  return block;
}

export function freeChunk(arena: SharedArena, block: number): void {
  const state = arena.u32[(block + CHUNK_LENGTH) >>> 2]!;
  arena.free(block, isMapped(arena, block) ? MAPPED_CHUNK_SIZE : CHUNK_DATA + (state & LENGTH_MASK) + CHUNK_SLACK);
}

export function isMapped({ u32 }: ArenaViews, block: number): boolean {
  return (u32[(block + CHUNK_LENGTH) >>> 2]! & CHUNK_MAPPED) !== 0;
}

/** Of a chunk that is mapped. */
export function filePlace({ u32 }: ArenaViews, block: number): ChunkFilePlace {
  return { file: u32[(block + CHUNK_FILE) >>> 2]!, offsetBytes: u32[(block + CHUNK_FILE_OFFSET) >>> 2]! };
}

/** What the header of a block says of its chunk. */
export function chunkHeader({ u32, f64 }: ArenaViews, block: number): Omit<Chunk, 'bytes'> {
  return {
    encoding: ((u32[(block + CHUNK_LENGTH) >>> 2]! & ~CHUNK_MAPPED) >>> CHUNK_LENGTH_BITS) as Encoding,
    minTimeMs: f64[(block + CHUNK_MIN_TIME) / 8]!,
    maxTimeMs: f64[(block + CHUNK_MAX_TIME) / 8]!,
  };
}

/** The chunk in a block; its bytes are a view of the arena, or what `readMapped` gives. */
export function chunkIn(views: ArenaViews, block: number, readMapped: ReadMappedChunk): Chunk {
  if (isMapped(views, block)) return readMapped(filePlace(views, block));
  const { u32, u8 } = views;
  const length = u32[(block + CHUNK_LENGTH) >>> 2]! & LENGTH_MASK;
  return { ...chunkHeader(views, block), bytes: u8.subarray(block + CHUNK_DATA, block + CHUNK_DATA + length) };
}

function writeHeader(
  { u32, f64 }: SharedArena,
  block: number,
  older: number,
  state: number,
  minTimeMs: number,
  maxTimeMs: number,
): void {
  u32[(block + CHUNK_OLDER) >>> 2] = older;
  u32[(block + CHUNK_LENGTH) >>> 2] = state;
  f64[(block + CHUNK_MIN_TIME) / 8] = minTimeMs;
  f64[(block + CHUNK_MAX_TIME) / 8] = maxTimeMs;
}
