import { type ArenaViews, layout } from '../../kernels/index.ts';
import { Encoding } from '../../chunk/index.ts';
import { chunkHeader } from './chunk-block.ts';

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
  HEAD_DIRECTORY,
  HEAD_PAGE_COUNT,
  NO_XOR_WINDOW,
  OPEN_CHUNK_ENCODING,
  SERIES_CHUNK,
  SERIES_CHUNK_BITS,
  SERIES_CHUNK_MIN_TIME,
  SERIES_LABELS,
  SERIES_LAST_TIME,
  SERIES_LEADING,
  SERIES_OLDER_CHUNK,
  SERIES_PAGE_BITS,
  SERIES_PAGE_COUNT,
  SERIES_SIZE,
} = layout;

const TWO_32 = 4_294_967_296;
/** Links that are followed before it is asked whether they are real: what is read while the writer is at work may lead in circles. */
const LINKS_PER_CHECK = 1024;
const LENGTH_MASK = 2 ** CHUNK_LENGTH_BITS - 1;

/** One chunk of a series: its bytes in the arena, or its place in a file of `chunks_head/`. */
export interface ChunkPlace {
  /** Address of the block. */
  block: number;
  encoding: Encoding;
  minTimeMs: number;
  maxTimeMs: number;
  /** Address and length of the bytes as Prometheus stores them; of no meaning when mapped. */
  data: number;
  lengthBytes: number;
  /** Whether the chunk lies at `fileOffsetBytes` of file `fileNumber` only. */
  mapped: boolean;
  fileNumber: number;
  fileOffsetBytes: number;
}

/** Reads series records and chunk headers (layout.ts) on any thread; what the writer changes meanwhile reads as garbage. */
export class SeriesReader {
  protected readonly views: ArenaViews;
  protected readonly root: number;

  readonly #check: () => void;

  /**
   * @param root address of the head's root
   * @param check throws when what was read may be garbage
   */
  constructor(views: ArenaViews, root: number, check: () => void) {
    this.views = views;
    this.root = root;
    this.#check = check;
  }

  /** The address of the record of `ref`, 0 when there is no such series. */
  record(ref: number): number {
    const { u32 } = this.views;
    const page = ref >>> SERIES_PAGE_BITS;
    if (page >= u32[(this.root + HEAD_PAGE_COUNT) >>> 2]!) return 0;
    const base = u32[(u32[(this.root + HEAD_DIRECTORY) >>> 2]! + page * 4) >>> 2];
    if (!base) return 0;
    const record = base + (ref & (SERIES_PAGE_COUNT - 1)) * SERIES_SIZE;
    return u32[(record + SERIES_LABELS) >>> 2] ? record : 0;
  }

  /** Address of the labels (layout.ts) of a record. */
  labels(record: number): number {
    return this.views.u32[(record + SERIES_LABELS) >>> 2]!;
  }

  /** Of the newest sample, -2^63 while there is none. */
  lastTimeMs(record: number): number {
    return this.time(record + SERIES_LAST_TIME);
  }

  hasChunks(record: number): boolean {
    const { u32 } = this.views;
    return u32[(record + SERIES_CHUNK) >>> 2] !== 0 || u32[(record + SERIES_OLDER_CHUNK) >>> 2] !== 0;
  }

  /** Encoding of the newest chunk; undefined while there is none. */
  newestEncoding(record: number): Encoding | undefined {
    const { u32 } = this.views;
    if (u32[(record + SERIES_CHUNK) >>> 2] !== 0) return this.openEncoding(record);
    const block = u32[(record + SERIES_OLDER_CHUNK) >>> 2]!;
    return block === 0 ? undefined : chunkHeader(this.views, block).encoding;
  }

  /** Whether a chunk of the series overlaps [minMs, maxMs]. */
  hasSamples(record: number, minMs: number, maxMs: number): boolean {
    const { u32, f64 } = this.views;
    if (u32[(record + SERIES_CHUNK) >>> 2] !== 0) {
      if (this.lastTimeMs(record) < minMs) return false;
      if (this.time(record + SERIES_CHUNK_MIN_TIME) <= maxMs) return true;
    }
    let block = u32[(record + SERIES_OLDER_CHUNK) >>> 2];
    for (let links = 1; block; links++) {
      if (links % LINKS_PER_CHECK === 0) this.#check();
      if (f64[(block + CHUNK_MAX_TIME) / 8]! < minMs) return false;
      if (f64[(block + CHUNK_MIN_TIME) / 8]! <= maxMs) return true;
      block = u32[(block + CHUNK_OLDER) >>> 2];
    }
    return false;
  }

  /** The chunks of a series that overlap [minMs, maxMs], oldest first, into `out`. @returns how many */
  chunkPlaces(record: number, minMs: number, maxMs: number, out: ChunkPlace[]): number {
    const { u32, f64 } = this.views;
    let count = 0;
    const open = u32[(record + SERIES_CHUNK) >>> 2];
    if (open) {
      const minTimeMs = this.time(record + SERIES_CHUNK_MIN_TIME);
      const maxTimeMs = this.lastTimeMs(record);
      if (minTimeMs <= maxMs && maxTimeMs >= minMs) {
        const place = (out[count++] ??= newPlace());
        place.block = open;
        place.encoding = this.openEncoding(record);
        place.minTimeMs = minTimeMs;
        place.maxTimeMs = maxTimeMs;
        place.data = open + CHUNK_DATA;
        place.lengthBytes = (u32[(record + SERIES_CHUNK_BITS) >>> 2]! + 7) >>> 3;
        place.mapped = false;
      }
    }
    let block = u32[(record + SERIES_OLDER_CHUNK) >>> 2];
    for (let links = 1; block; links++) {
      if (links % LINKS_PER_CHECK === 0) this.#check();
      const minTimeMs = f64[(block + CHUNK_MIN_TIME) / 8]!;
      const maxTimeMs = f64[(block + CHUNK_MAX_TIME) / 8]!;
      if (maxTimeMs < minMs) break;
      if (minTimeMs <= maxMs) this.#placeOf(block, minTimeMs, maxTimeMs, (out[count++] ??= newPlace()));
      block = u32[(block + CHUNK_OLDER) >>> 2];
    }
    for (let i = 0, j = count - 1; i < j; i++, j--) [out[i], out[j]] = [out[j]!, out[i]!];
    return count;
  }

  /** Encoding of the open chunk. */
  openEncoding(record: number): Encoding {
    const leading = this.views.u8[record + SERIES_LEADING]!;
    const other = leading >= OPEN_CHUNK_ENCODING && leading !== NO_XOR_WINDOW;
    return other ? ((leading - OPEN_CHUNK_ENCODING) as Encoding) : Encoding.xor;
  }

  #placeOf(block: number, minTimeMs: number, maxTimeMs: number, place: ChunkPlace): void {
    const { u32 } = this.views;
    const word = u32[(block + CHUNK_LENGTH) >>> 2]!;
    place.block = block;
    place.encoding = ((word & ~CHUNK_MAPPED) >>> CHUNK_LENGTH_BITS) as Encoding;
    place.minTimeMs = minTimeMs;
    place.maxTimeMs = maxTimeMs;
    place.data = block + CHUNK_DATA;
    place.lengthBytes = word & LENGTH_MASK;
    place.mapped = (word & CHUNK_MAPPED) !== 0;
    if (!place.mapped) return;
    place.fileNumber = u32[(block + CHUNK_FILE) >>> 2]!;
    place.fileOffsetBytes = u32[(block + CHUNK_FILE_OFFSET) >>> 2]!;
  }

  /** An i64 of milliseconds as a number; i64.min reads as -2^63. */
  protected time(address: number): number {
    const { u32 } = this.views;
    return (u32[(address >>> 2) + 1]! | 0) * TWO_32 + u32[address >>> 2]!;
  }
}

function newPlace(): ChunkPlace {
  return {
    block: 0,
    encoding: Encoding.xor,
    minTimeMs: 0,
    maxTimeMs: 0,
    data: 0,
    lengthBytes: 0,
    mapped: false,
    fileNumber: 0,
    fileOffsetBytes: 0,
  };
}
