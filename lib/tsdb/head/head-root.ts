import { layout, type SharedArena } from '../../kernels/index.ts';
import type { Random } from '../../env/index.ts';

const {
  HEAD_GENERATION,
  HEAD_HASH_KEY,
  HEAD_MAX_TIME,
  HEAD_MIN_TIME,
  HEAD_OOO_MAX_TIME,
  HEAD_OOO_MIN_TIME,
  HEAD_OUT_OF_ORDER,
  HEAD_SEQUENCE,
  HEAD_SIZE,
  HEAD_TOMBSTONES,
} = layout;

/** The root of a head (layout.ts), and the writer's side of its seqlock. */
export class HeadRoot {
  readonly #arena: SharedArena;
  readonly address: number;
  #depth = 0;

  /** @param random keys the hash of labels */
  constructor(arena: SharedArena, random: Random) {
    this.#arena = arena;
    this.address = arena.allocate(HEAD_SIZE);
    const { u8, u32, f64 } = arena;
    u8.fill(0, this.address, this.address + HEAD_SIZE);
    for (let i = 0; i < 2; i++) u32[((this.address + HEAD_HASH_KEY) >>> 2) + i] = random() * 2 ** 32;
    f64[(this.address + HEAD_MIN_TIME) / 8] = Infinity;
    f64[(this.address + HEAD_MAX_TIME) / 8] = -Infinity;
    f64[(this.address + HEAD_OOO_MIN_TIME) / 8] = Infinity;
    f64[(this.address + HEAD_OOO_MAX_TIME) / 8] = -Infinity;
  }

  /** Where readers find the out-of-order samples, and what was deleted. */
  setColumns(outOfOrder: number, tombstones: number): void {
    this.#arena.u32[(this.address + HEAD_OUT_OF_ORDER) >>> 2] = outOfOrder;
    this.#arena.u32[(this.address + HEAD_TOMBSTONES) >>> 2] = tombstones;
  }

  /**
   * Before anything below the root changes, blocks that are freed included; readers on other threads then read again.
   * Sections nest. Keep them short: a reader gets nowhere meanwhile.
   */
  beginWrite(): void {
    if (this.#depth++ === 0) Atomics.add(this.#arena.u32, (this.address + HEAD_SEQUENCE) >>> 2, 1);
  }

  endWrite(): void {
    if (--this.#depth === 0) Atomics.add(this.#arena.u32, (this.address + HEAD_SEQUENCE) >>> 2, 1);
  }

  /** Within a section: addresses of series, pairs or names that readers may have kept are void. */
  invalidate(): void {
    this.#arena.u32[(this.address + HEAD_GENERATION) >>> 2]!++;
  }

  get minTimeMs(): number {
    return this.#arena.f64[(this.address + HEAD_MIN_TIME) / 8]!;
  }

  set minTimeMs(timeMs: number) {
    this.#arena.f64[(this.address + HEAD_MIN_TIME) / 8] = timeMs;
  }

  get maxTimeMs(): number {
    return this.#arena.f64[(this.address + HEAD_MAX_TIME) / 8]!;
  }

  set maxTimeMs(timeMs: number) {
    this.#arena.f64[(this.address + HEAD_MAX_TIME) / 8] = timeMs;
  }
}
