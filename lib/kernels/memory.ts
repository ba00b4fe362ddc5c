import { assert, PromletError } from '../model/index.ts';

/** Keep in step with compile.mjs: the module and the memory it imports must agree. */
const INITIAL_PAGES = 16;
const MAXIMUM_PAGES = 65_536;
const PAGE_SIZE_BYTES = 65_536;
/** Kernels read ahead of what they decode: this much memory always lies behind the last block. */
const READ_AHEAD_BYTES = 64;
/** Memory grows by at least this much at a time, so that views are renewed rarely. */
const GROWTH_BYTES = 1 << 20;

/** Blocks of up to so many bytes are cut from free ones of at least so many, if there are any. */
const LARGEST_SMALL_BYTES = 4 << 10;
const SMALLEST_LARGE_BYTES = 64 << 10;

/** Block sizes are 16 × 2^(k/2)-like steps: waste below a third, few free lists. */
const SIZE_CLASSES_BYTES: readonly number[] = buildSizeClasses();

function buildSizeClasses(): number[] {
  const sizes: number[] = [];
  for (let size = 16; size <= 1 << 26; size *= 2) sizes.push(size, size + size / 2);
  return sizes;
}

/**
 * A shared memory as typed arrays, on any thread that was given it. Memory grows, and a view does not grow with it: fetch
 * views again after whatever may have grown it; another thread's growth is seen after `refresh`.
 */
export class ArenaViews {
  readonly memory: WebAssembly.Memory;
  u8!: Uint8Array;
  u32!: Uint32Array;
  f64!: Float64Array;
  /** The whole memory, for reading text. */
  buffer!: Buffer;

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
    this.renew();
  }

  /** Renews the views when the memory has grown. */
  refresh(): void {
    if (this.memory.buffer.byteLength !== this.u8.length) this.renew();
  }

  protected renew(): void {
    const { buffer } = this.memory;
    this.u8 = new Uint8Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.buffer = Buffer.from(buffer);
  }
}

/**
 * The one shared linear memory: kernels, the head's chunks, scrape buffers. A bump allocator with a free list per size
 * class; freed blocks are reused within their class and never returned to the system. Large ones are cut up for small ones
 * before more memory is touched: the pages that came all at once when 100 targets were new left 16 MB behind.
 *
 *     0 ........ heapBase ............ top ........ length ........ maximum (reserved only)
 *     | statics  | blocks (in use, free) | untouched |
 *
 * One thread allocates (the writer); other threads only read. Views (`u8`, `u32`, `f64`) must be fetched again after any
 * call that may allocate: growing leaves an old view valid, but short.
 */
export class SharedArena extends ArenaViews {
  #top = 0;
  /** What is left of the large block that small ones are cut from. */
  #cutFrom = 0;
  #cutEnd = 0;
  /** Per size class, the address of the block freed last, 0 for none; a freed block begins with the address of the one before. */
  readonly #free = new Uint32Array(SIZE_CLASSES_BYTES.length);
  #usedBytes = 0;

  constructor() {
    super(new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: MAXIMUM_PAGES, shared: true }));
  }

  /** Bytes in blocks that are in use. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Bytes that blocks can still be cut from before the memory is at its maximum; freed blocks not counted. */
  get roomBytes(): number {
    return MAXIMUM_PAGES * PAGE_SIZE_BYTES - this.#top - READ_AHEAD_BYTES;
  }

  /** Called once by the loader, with the end of the module's static data. */
  start(heapBase: number): void {
    assert(this.#top === 0, 'arena: started twice');
    this.#top = (heapBase + 7) & ~7;
  }

  /**
   * A block of at least `sizeBytes`, aligned to 8 bytes, contents undefined.
   * @returns its address
   * @throws PromletError `kernels/out-of-memory` when the memory is at its maximum
   */
  allocate(sizeBytes: number): number {
    const sizeClass = sizeClassOf(sizeBytes);
    const size = SIZE_CLASSES_BYTES[sizeClass]!;
    const address = this.#takeFree(sizeClass) || this.#cut(size) || this.#takeUntouched(size);
    this.#usedBytes += size;
    return address;
  }

  /** Gives a block back; `sizeBytes` as it was asked for. Its contents are gone. */
  free(address: number, sizeBytes: number): void {
    const sizeClass = sizeClassOf(sizeBytes);
    this.#usedBytes -= SIZE_CLASSES_BYTES[sizeClass]!;
    this.u32[address >>> 2] = this.#free[sizeClass]!;
    this.#free[sizeClass] = address;
  }

  /** How much a block for `sizeBytes` really holds. */
  capacityOf(sizeBytes: number): number {
    return SIZE_CLASSES_BYTES[sizeClassOf(sizeBytes)]!;
  }

  /** @returns 0 when there is none */
  #takeFree(sizeClass: number): number {
    const address = this.#free[sizeClass]!;
    if (address !== 0) this.#free[sizeClass] = this.u32[address >>> 2]!;
    return address;
  }

  /** A small block of a free large one; what is too little for the next is lost. @returns 0 when there is none */
  #cut(size: number): number {
    if (size > LARGEST_SMALL_BYTES) return 0;
    if (this.#cutEnd - this.#cutFrom < size) {
      let sizeClass = sizeClassOf(SMALLEST_LARGE_BYTES);
      while (sizeClass < SIZE_CLASSES_BYTES.length && this.#free[sizeClass] === 0) sizeClass++;
      if (sizeClass === SIZE_CLASSES_BYTES.length) return 0;
      this.#cutFrom = this.#takeFree(sizeClass);
      this.#cutEnd = this.#cutFrom + SIZE_CLASSES_BYTES[sizeClass]!;
    }
    const address = this.#cutFrom;
    this.#cutFrom += size;
    return address;
  }

  #takeUntouched(size: number): number {
    const address = this.#top;
    this.#ensure(address + size + READ_AHEAD_BYTES);
    this.#top = address + size;
    return address;
  }

  #ensure(endBytes: number): void {
    const length = this.memory.buffer.byteLength;
    if (endBytes <= length) return;
    const pages = Math.ceil(Math.max(endBytes - length, GROWTH_BYTES) / PAGE_SIZE_BYTES);
    try {
      this.memory.grow(pages);
    } catch (cause) {
      throw new PromletError('kernels/out-of-memory', `the shared memory cannot grow beyond ${length} bytes`, {
        cause,
      });
    }
    this.renew();
  }
}

function sizeClassOf(sizeBytes: number): number {
  if (sizeBytes <= 16) return 0;
  const log = 31 - Math.clz32(sizeBytes - 1);
  // `2 ** log` is a call of the C library's pow, a fiftieth of a scrape; above the largest class either is too large.
  const base = 1 << Math.min(log, 30);
  const sizeClass = (log - 4) * 2 + (sizeBytes <= base + base / 2 ? 1 : 2);
  if (sizeClass >= SIZE_CLASSES_BYTES.length) {
    throw new PromletError('kernels/block-too-large', `a block of ${sizeBytes} bytes is above the arena's largest`);
  }
  return sizeClass;
}
