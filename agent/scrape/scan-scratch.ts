import type { Random } from '../../lib/env/index.ts';
import { type Kernels, scanLayout as layout } from '../../lib/kernels/index.ts';
import { ExpositionParser } from './exposition.ts';

/** The memory that all caches of a thread share. A page is read under `acquire`, as its reading may pause. */
export class ScanScratch {
  readonly kernels: Kernels;
  readonly parser = new ExpositionParser();
  /** State block of the kernel; the 16 bytes behind it take a hash. */
  readonly state: number;
  refs = 0;
  values = 0;
  capacity = 0;
  results = new Uint8Array(0);
  /** Open-addressed table of `ScrapeCache`, hash of a line to record index + 1; 0 is empty. Its length is a power of two. */
  table = new Uint32Array(0);
  #held = false;
  readonly #waiting: (() => void)[] = [];

  /** @param random seeds the hash of lines, so that nobody can prepare lines that collide */
  constructor(kernels: Kernels, random: Random) {
    this.kernels = kernels;
    const { arena } = kernels;
    this.state = arena.allocate(layout.STATE_BYTES + 16);
    for (let i = 0; i < 4; i++) arena.u32[(this.state + layout.STATE_SEED) / 4 + i] = random() * 0x1_0000_0000;
  }

  /** Waits until nobody else reads a page; first come, first served. */
  async acquire(): Promise<void> {
    if (this.#held) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#held = true;
  }

  /** Hands over to the next who waits. */
  release(): void {
    const next = this.#waiting.shift();
    // It stays held while the next one's turn comes.
    if (next === undefined) this.#held = false;
    else next();
  }

  /** Samples collected by the last read. */
  get count(): number {
    return this.get(layout.STATE_COUNT);
  }

  /** Where `hashLine` puts a hash that is only compared. */
  get hash(): number {
    return this.state + layout.STATE_BYTES;
  }

  /** Points the kernel at the page [address, end) with empty columns. */
  begin(address: number, end: number, page: number): void {
    this.set(layout.STATE_POSITION, address);
    this.set(layout.STATE_END, end);
    this.set(layout.STATE_COUNT, 0);
    this.set(layout.STATE_SCRAPED, 0);
    this.set(layout.STATE_TYPE, 0);
    this.set(layout.STATE_SCRAPE, page);
  }

  push(ref: number, value: number): void {
    const count = this.count;
    this.reserve(count + 1);
    const { u32, f64 } = this.kernels.arena;
    u32[this.refs / 4 + count] = ref;
    f64[this.values / 8 + count] = value;
    this.set(layout.STATE_COUNT, count + 1);
  }

  get refColumn(): Uint32Array {
    return this.kernels.arena.u32.subarray(this.refs / 4, this.refs / 4 + this.capacity);
  }

  get valueColumn(): Float64Array {
    return this.kernels.arena.f64.subarray(this.values / 8, this.values / 8 + this.capacity);
  }

  get(offset: number): number {
    return this.kernels.arena.u32[(this.state + offset) / 4]!;
  }

  set(offset: number, value: number): void {
    this.kernels.arena.u32[(this.state + offset) / 4] = value;
  }

  /** Room for `capacity` samples; keeps those collected. */
  reserve(capacity: number): void {
    if (capacity <= this.capacity) return;
    const { arena } = this.kernels;
    const grown = Math.max(1024, 2 ** Math.ceil(Math.log2(capacity)));
    const refs = arena.allocate(grown * 4);
    const values = arena.allocate(grown * 8);
    if (this.capacity > 0) {
      arena.u8.copyWithin(refs, this.refs, this.refs + this.capacity * 4);
      arena.u8.copyWithin(values, this.values, this.values + this.capacity * 8);
      arena.free(this.refs, this.capacity * 4);
      arena.free(this.values, this.capacity * 8);
    }
    this.refs = refs;
    this.values = values;
    this.capacity = grown;
    this.results = new Uint8Array(grown);
    this.set(layout.STATE_REFS, refs);
    this.set(layout.STATE_VALUES, values);
  }
}
