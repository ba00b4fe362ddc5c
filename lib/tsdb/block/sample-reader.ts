import { appendSamples, ChunkDecoder, type Interval } from '../../chunk/index.ts';
import { type Kernels, Scratch } from '../../kernels/index.ts';
import { errorMessage, PromletError, type SampleColumns } from '../../model/index.ts';
import type { ChunkReader } from './chunk-reader.ts';
import type { FoundChunks } from './series-batch.ts';

/** Samples that are put together before they are copied out: far more than most chunks have. */
const CAPACITY = 2048;
/** With less room than that they are copied out first. */
const MIN_ROOM = 240;
/** What is read of a chunk behind which no other of the series is known to lie: most are shorter. */
const CHUNK_BYTES = 1024;
/** Chunks of a series that lie together are not read in one piece that is larger. */
const MAX_PIECE_BYTES = 16 << 10;

/**
 * Reads the samples of chunks of one block. Most are XOR chunks that lie on one page and of which nothing is deleted: the kernel
 * finds, checks and decodes those where they lie, one behind the other in memory of the arena, in half the time of the general
 * way: 0.7 µs for a chunk of 120 samples of which 20 are wanted.
 */
export class SampleReader {
  readonly #kernels: Kernels;
  readonly #chunks: ChunkReader;
  readonly #blockDir: string;
  readonly #decoder: ChunkDecoder;
  readonly #columns: Scratch;

  constructor(kernels: Kernels, chunks: ChunkReader, blockDir: string) {
    this.#kernels = kernels;
    this.#chunks = chunks;
    this.#blockDir = blockDir;
    this.#decoder = new ChunkDecoder(kernels);
    this.#columns = new Scratch(kernels.arena);
  }

  /**
   * Appends the samples of chunks `from` to `end` within [minMs, maxMs], less what is deleted, behind those in `into`. Were chunks
   * to share a time, the first would keep it.
   * @throws PromletError `storage/bad-block`, `storage/block-read`
   */
  read(
    chunks: FoundChunks,
    from: number,
    end: number,
    minMs: number,
    maxMs: number,
    deleted: readonly Interval[],
    into: SampleColumns,
  ): void {
    const { wasm } = this.#kernels;
    const columns = this.#columns.reserve(CAPACITY * 16);
    let pieceBytes = chunks.areScattered && deleted.length === 0 ? this.#readPiece(chunks, from, end) : 0;
    const pieceAddress = this.#chunks.address;
    const pieceOffset = chunks.offsets[from]!;
    let held = 0;
    for (let i = from; i < end; i++) {
      let count = -1;
      if (deleted.length === 0) {
        if (CAPACITY - held < MIN_ROOM) held = this.#copy(held, into);
        const within = chunks.offsets[i]! - pieceOffset;
        const isThere = within < pieceBytes;
        const available = isThere ? pieceBytes - within : this.#chunks.stretch(chunks.segments[i]!, chunks.offsets[i]!);
        const times = columns + held * 8;
        if (available > 0) {
          count = wasm.readXorChunk(
            isThere ? pieceAddress + within : this.#chunks.address,
            available,
            minMs,
            Math.min(maxMs, chunks.maxTimesMs[i]!),
            times,
            times + CAPACITY * 8,
            CAPACITY - held,
          );
        }
      }
      if (count >= 0) held += count;
      else {
        held = this.#copy(held, into);
        // It may take the place of the piece.
        pieceBytes = 0;
        this.#readAny(i, minMs, maxMs, chunks, deleted, into);
      }
      minMs = Math.max(minMs, chunks.maxTimesMs[i]! + 1);
    }
    this.#copy(held, into);
  }

  /** Gives the scratch memory back; it is taken again when needed. */
  release(): void {
    this.#decoder.release();
    this.#columns.release();
  }

  /** Reads all chunks of a series when they follow each other. @returns how many bytes, from the first chunk on */
  #readPiece({ segments, offsets }: FoundChunks, from: number, end: number): number {
    for (let i = from + 1; i < end; i++) {
      if (segments[i] !== segments[from] || offsets[i]! <= offsets[i - 1]!) return 0;
    }
    const length = offsets[end - 1]! - offsets[from]! + CHUNK_BYTES;
    return length > MAX_PIECE_BYTES ? 0 : this.#chunks.piece(segments[from]!, offsets[from]!, length);
  }

  /** @returns 0: nothing is held any more */
  #copy(held: number, into: SampleColumns): 0 {
    if (held === 0) return 0;
    const { address: columns } = this.#columns;
    appendSamples(this.#kernels, columns, columns + CAPACITY * 8, held, into);
    return 0;
  }

  /** A chunk of any encoding, anywhere; of one that is damaged says how. */
  #readAny(
    i: number,
    minMs: number,
    maxMs: number,
    chunks: FoundChunks,
    deleted: readonly Interval[],
    into: SampleColumns,
  ): void {
    const { encoding, bytes } = this.#chunks.read(chunks.segments[i]!, chunks.offsets[i]!);
    let from = Math.max(minMs, chunks.minTimesMs[i]!);
    const end = Math.min(maxMs, chunks.maxTimesMs[i]!);
    try {
      for (const { minTimeMs, maxTimeMs } of deleted) {
        if (maxTimeMs < from) continue;
        if (minTimeMs > end) break;
        if (minTimeMs > from) this.#decoder.decode(encoding, bytes, from, minTimeMs - 1, into);
        from = maxTimeMs + 1;
      }
      if (from <= end) this.#decoder.decode(encoding, bytes, from, end, into);
    } catch (cause) {
      const where = `segment ${chunks.segments[i]! + 1} at ${chunks.offsets[i]!}`;
      throw new PromletError('storage/bad-block', `${this.#blockDir}: chunk in ${where}: ${errorMessage(cause)}`, {
        cause,
      });
    }
  }
}
