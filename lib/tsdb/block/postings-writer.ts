import type { FileSystem } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import { ByteReader, writeU32 } from './byte-reader.ts';
import { MAX_VARINT32_BYTES, SERIES_ALIGN_BYTES } from './format.ts';
import type { OutputFile } from './output-file.ts';
import type { PairTable } from './pair-table.ts';
import type { PositionedFile } from './positioned-file.ts';
import { Window, WindowFile } from './window-file.ts';

/** Refs that are sorted into postings at a time: 16 MiB. The series section is read again for each batch. */
export const BATCH_REFS = 4 << 20;
/** Series read and refs written between two pauses: a few ms. */
const SLICE_SERIES = 4096;
const SLICE_REFS = 256 << 10;
/** Refs that are encoded at a time. */
const ENCODE_REFS = 4096;
/** Length and count in front of a list, its CRC behind. */
export const POSTINGS_OVERHEAD_BYTES = 12;

/** Lets other work run between two slices. */
export type Pause = () => Promise<void>;

export interface PostingsWriterOptions {
  readonly fileSystem: FileSystem;
  readonly kernels: Kernels;
  /** The index, its series written. */
  readonly file: OutputFile;
  /** Sorted. */
  readonly pairs: PairTable;
  /** Of all series, in order. */
  readonly refs: Uint32Array;
  /** More memory, fewer passes over the series. */
  readonly batchRefs: number;
}

/**
 * Writes the postings of an index that has its series (tsdb/index/index.go, `writePostingsToTmpFiles`): the list of all
 * series, then that of each pair in order. Which series have a pair is read from the index again, for as many pairs at a
 * time as have refs for one batch; memory does not grow with the number of labels.
 */
export class PostingsWriter {
  readonly #options: PostingsWriterOptions;
  /** Refs written since the last pause. */
  #unpaused = 0;

  constructor(options: PostingsWriterOptions) {
    this.#options = options;
  }

  /** @throws PromletError `storage/block-write`, `storage/block-read` */
  async write(pause: Pause): Promise<void> {
    const { fileSystem, kernels, file, pairs, refs, batchRefs } = this.#options;
    this.#writeList(refs);
    file.flush();
    const window = new Window(kernels);
    const written = new WindowFile(fileSystem, file.path, window);
    try {
      for (let first = 0; first < pairs.count;) {
        let end = first;
        let total = 0;
        while (end < pairs.count && (end === first || total + pairs.uses[end]! <= batchRefs))
          total += pairs.uses[end++]!;
        const lists = await this.#collect(written, first, end, total, pause);
        for (let pair = first, from = 0; pair < end; pair++) {
          this.#writeList(lists.subarray(from, (from += pairs.uses[pair]!)));
          if (this.#unpaused >= SLICE_REFS) {
            this.#unpaused = 0;
            await pause();
          }
        }
        first = end;
      }
    } finally {
      written.close();
      window.release();
    }
  }

  /** The refs of pairs `first`..`end`, `total` in all, list behind list. */
  async #collect(
    written: PositionedFile,
    first: number,
    end: number,
    total: number,
    pause: Pause,
  ): Promise<Uint32Array> {
    const { pairs, refs } = this.#options;
    const ends = new Uint32Array(end - first);
    for (let pair = first, at = 0; pair < end; pair++) {
      ends[pair - first] = at;
      at += pairs.uses[pair]!;
    }
    const lists = new Uint32Array(total);
    const reader = new ByteReader();
    for (const [i, ref] of refs.entries()) {
      if (i % SLICE_SERIES === SLICE_SERIES - 1) await pause();
      this.#loadEntry(written, ref, reader);
      for (let left = reader.uvarint(); left > 0; left--) {
        const name = reader.uvarint();
        const index = pairs.indexOf(name, reader.uvarint()) - first;
        if (index >= 0 && index < ends.length) lists[ends[index]!++] = ref;
      }
    }
    return lists;
  }

  #loadEntry(written: PositionedFile, ref: number, reader: ByteReader): void {
    const { arena } = this.#options.kernels;
    const offset = ref * SERIES_ALIGN_BYTES;
    const head = Math.min(MAX_VARINT32_BYTES, written.sizeBytes - offset);
    const length = reader.load(arena, written, offset, head).uvarint();
    reader.load(arena, written, reader.offset, length);
  }

  #writeList(refs: Uint32Array): void {
    const { file, kernels } = this.#options;
    const { arena, wasm } = kernels;
    file.writeU32(4 + 4 * refs.length);
    let address = file.reserve(4);
    writeU32(arena.u8, address, refs.length);
    let crc = wasm.crc32c(0, address, 4);
    file.advance(4);
    for (let i = 0; i < refs.length;) {
      const end = Math.min(refs.length, i + ENCODE_REFS);
      const sizeBytes = 4 * (end - i);
      address = file.reserve(sizeBytes);
      const { u8 } = arena;
      for (let at = address; i < end; i++) at = writeU32(u8, at, refs[i]!);
      crc = wasm.crc32c(crc, address, sizeBytes);
      file.advance(sizeBytes);
    }
    file.writeU32(crc >>> 0);
    this.#unpaused += refs.length + 1;
  }
}
