import { join } from 'node:path';
import type { FileSystem } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import type { Chunk } from '../../chunk/index.ts';
import { writeUvarint } from './byte-reader.ts';
import {
  CHUNKS_MAGIC,
  CHUNKS_VERSION,
  CRC_BYTES,
  MAX_VARINT32_BYTES,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAX_BYTES,
  segmentName,
} from './format.ts';
import type { ChunkMetas } from './index-series.ts';
import { OutputFile } from './output-file.ts';

/** Writes chunk segments 000001, 000002, … (tsdb/chunks/chunks.go, `Writer`). */
export class ChunkSegmentWriter {
  readonly #fileSystem: FileSystem;
  readonly #kernels: Kernels;
  readonly #dir: string;
  readonly #maxBytes: number;
  readonly #segments: OutputFile[] = [];
  readonly #encoding = new Uint8Array(1);

  /** @param dir exists and is empty */
  constructor(fileSystem: FileSystem, kernels: Kernels, dir: string, maxBytes: number = SEGMENT_MAX_BYTES) {
    this.#fileSystem = fileSystem;
    this.#kernels = kernels;
    this.#dir = dir;
    this.#maxBytes = maxBytes;
  }

  /** Bytes of all segments so far. */
  get sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.offset, 0);
  }

  /**
   * Writes the chunks of one series and adds where they lie to `metas`. A segment takes as many as fit; a chunk that no
   * segment could hold gets one of its own (`WriteChunks`).
   * @throws PromletError `storage/block-write`
   */
  write(chunks: Iterable<Chunk>, metas: ChunkMetas): void {
    if (this.#segments.length === 0) this.#cut();
    // Sizes are estimated as Prometheus does, so that its segments and ours end with the same chunk.
    let used = this.#last.offset;
    let mayCut = used > SEGMENT_HEADER_BYTES;
    for (const chunk of chunks) {
      const size = MAX_VARINT32_BYTES + 1 + chunk.bytes.length + CRC_BYTES;
      if (mayCut && used + size > this.#maxBytes) {
        this.#cut();
        used = SEGMENT_HEADER_BYTES;
      }
      used += size;
      mayCut = true;
      metas.push(chunk.minTimeMs, chunk.maxTimeMs, this.#segments.length - 1, this.#last.offset);
      this.#writeChunk(chunk);
    }
  }

  /** Fsyncs and closes all segments. @throws PromletError `storage/block-write` */
  async finish(): Promise<void> {
    for (const segment of this.#segments) await segment.finish();
  }

  /** Gives up without finishing. */
  close(): void {
    for (const segment of this.#segments) segment.close();
  }

  get #last(): OutputFile {
    return this.#segments.at(-1)!;
  }

  #cut(): void {
    this.#segments.at(-1)?.seal();
    const segment = new OutputFile(
      this.#fileSystem,
      this.#kernels,
      join(this.#dir, segmentName(this.#segments.length + 1)),
    );
    this.#segments.push(segment);
    segment.writeU32(CHUNKS_MAGIC);
    // The version and three bytes of padding.
    segment.writeU32(CHUNKS_VERSION << 24);
  }

  #writeChunk({ encoding, bytes, crc }: Chunk): void {
    const segment = this.#last;
    const head = segment.reserve(MAX_VARINT32_BYTES);
    const { u8 } = this.#kernels.arena;
    segment.advance(writeUvarint(u8, head, bytes.length) - head);
    this.#encoding[0] = encoding;
    if (crc === undefined) {
      segment.writeU32(segment.writeSummed(bytes, segment.writeSummed(this.#encoding, 0)));
      return;
    }
    // What goes from block to block keeps its checksum, which tells of damage on the way, too.
    segment.write(this.#encoding);
    segment.write(bytes);
    segment.writeU32(crc);
  }
}
