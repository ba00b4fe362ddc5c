import type { SharedArena } from '../../kernels/index.ts';
import type { Metadata, SeriesRef } from '../../storage/index.ts';
import { RefColumn } from './ref-column.ts';

/**
 * What each series' metric last said of itself (`memSeries.meta` of tsdb/head.go). Series share equal texts: per series
 * there is one number.
 */
export class MetadataTable {
  readonly #ids: RefColumn;
  /** By id; id 0 is none. Freed ids are taken again. */
  readonly #entries: ({ readonly metadata: Metadata; users: number } | undefined)[] = [undefined];
  readonly #byKey = new Map<string, number>();
  readonly #freeIds: number[] = [];

  constructor(arena: SharedArena) {
    this.#ids = new RefColumn(arena);
  }

  /** Series with metadata. */
  get numSeries(): number {
    return this.#ids.size;
  }

  /** Different texts held. */
  get numEntries(): number {
    return this.#byKey.size;
  }

  get(ref: SeriesRef): Metadata | undefined {
    return this.#entries[this.#ids.get(ref)]?.metadata;
  }

  /** Whether `metadata` is what the series has. */
  has(ref: SeriesRef, metadata: Metadata): boolean {
    const id = this.#ids.get(ref);
    return id !== 0 && this.#byKey.get(keyOf(metadata)) === id;
  }

  set(ref: SeriesRef, metadata: Metadata): void {
    const key = keyOf(metadata);
    let id = this.#byKey.get(key);
    const old = this.#ids.get(ref);
    if (id !== undefined && id === old) return;
    if (id === undefined) {
      id = this.#freeIds.pop() ?? this.#entries.length;
      const { type, unit, help } = metadata;
      this.#entries[id] = { metadata: { type, unit, help }, users: 0 };
      this.#byKey.set(key, id);
    }
    this.#entries[id]!.users++;
    this.#ids.set(ref, id);
    this.#release(old);
  }

  /** Must be called when a series leaves the head. */
  delete(ref: SeriesRef): void {
    const old = this.#ids.get(ref);
    if (old === 0) return;
    this.#ids.set(ref, 0);
    this.#release(old);
  }

  /** Different metadata by metric name, as `/api/v1/metadata` lists them. */
  byMetric(nameOf: (ref: SeriesRef) => string): Map<string, Metadata[]> {
    const seen = new Map<string, Set<number>>();
    for (const [ref, id] of this.#ids.entries()) {
      const name = nameOf(ref);
      const ids = seen.get(name);
      if (ids === undefined) seen.set(name, new Set([id]));
      else ids.add(id);
    }
    const out = new Map<string, Metadata[]>();
    for (const [name, ids] of seen) {
      out.set(
        name,
        Array.from(ids, (id) => this.#entries[id]!.metadata),
      );
    }
    return out;
  }

  #release(id: number): void {
    const entry = this.#entries[id];
    if (entry === undefined || --entry.users > 0) return;
    this.#byKey.delete(keyOf(entry.metadata));
    this.#entries[id] = undefined;
    this.#freeIds.push(id);
  }
}

function keyOf({ type, unit, help }: Metadata): string {
  return `${type.length}:${type}${unit.length}:${unit}${help}`;
}
