import { type Labels, type Matcher, PromletError } from '../../model/index.ts';
import {
  AppendResult,
  type Exemplar,
  type ExemplarQueryable,
  type SeriesExemplars,
  type SeriesRef,
} from '../../storage/index.ts';
import { ExemplarSlots } from './exemplar-slots.ts';

/** Characters that the names and values of an exemplar's labels may have together (OpenMetrics). */
const MAX_LABEL_CHARACTERS = 128;
const NONE = -1;

export interface ExemplarRingOptions {
  /** How many are kept; 0 keeps none. */
  readonly capacity: number;
  /** How much older than its series' newest an exemplar may be. 0: not at all. */
  readonly outOfOrderWindowMs: number;
  readonly labelsOf: (ref: SeriesRef) => Labels;
}

/**
 * The newest exemplars of all series (Prometheus tsdb/exemplar.go). Slots are taken in the order of arrival, so that the
 * next slot to be written holds the oldest arrival. Those of one series are linked in the order of their times, as a ring:
 * behind the newest comes the oldest.
 *
 *     slot      0    1    2    3    4            series 7: newest = 3
 *     series    7    9    7    7    -            next: 0 → 2 → 3 → 0
 *                              ▲    ▲ next slot
 */
export class ExemplarRing implements ExemplarQueryable {
  readonly #labelsOf: (ref: SeriesRef) => Labels;
  #outOfOrderWindowMs: number;
  #slots: ExemplarSlots;
  #nextSlot = 0;
  #size = 0;
  /** Series to the slot of its newest. */
  readonly #newest = new Map<SeriesRef, number>();
  /** Series that left the head before their exemplars did, by ref and by `labels.key`. */
  readonly #departed = new Map<SeriesRef, Labels>();
  readonly #departedRefs = new Map<string, SeriesRef>();
  appended = 0;
  outOfOrder = 0;

  constructor({ capacity, outOfOrderWindowMs, labelsOf }: ExemplarRingOptions) {
    this.#labelsOf = labelsOf;
    this.#outOfOrderWindowMs = outOfOrderWindowMs;
    this.#slots = new ExemplarSlots(capacity);
  }

  get capacity(): number {
    return this.#slots.capacity;
  }

  get size(): number {
    return this.#size;
  }

  get numSeries(): number {
    return this.#newest.size;
  }

  /** Time of the exemplar that came first; undefined while there is none. */
  get oldestTimeMs(): number | undefined {
    return this.#size === 0 ? undefined : this.#slots.times[this.#oldestSlot()]!;
  }

  set outOfOrderWindowMs(windowMs: number) {
    this.#outOfOrderWindowMs = windowMs;
  }

  /**
   * What `add` would answer, without counting.
   * @throws PromletError `storage/exemplar-labels` when the label set is longer than an exemplar's may be
   */
  check(ref: SeriesRef, exemplar: Exemplar): AppendResult {
    if (this.capacity === 0) return AppendResult.ok;
    checkLabels(exemplar.labels);
    const newest = this.#newestOf(ref);
    return newest === undefined ? AppendResult.ok : this.#compare(newest, exemplar);
  }

  /**
   * Keeps an exemplar, in place of the one that came first when the ring is full.
   * @returns `ok`; `duplicate` of the series' newest, or of another one's time among the older; `outOfOrder`
   * @throws PromletError `storage/exemplar-labels`
   */
  add(ref: SeriesRef, exemplar: Exemplar): AppendResult {
    const slots = this.#slots;
    if (slots.capacity === 0) return AppendResult.ok;
    const result = this.check(ref, exemplar);
    if (result !== AppendResult.ok) {
      if (result === AppendResult.outOfOrder) this.outOfOrder++;
      return result;
    }
    const { timestampMs } = exemplar;
    const before = this.#predecessor(ref, timestampMs);
    if (before !== this.#newest.get(ref) && slots.times[before] === timestampMs) return AppendResult.duplicate;

    const slot = this.#nextSlot;
    this.#nextSlot = (slot + 1) % slots.capacity;
    if (slots.refs[slot] !== 0) this.#remove(slot);
    // Found anew: what was removed may have been it.
    this.#link(slot, ref, this.#predecessor(ref, timestampMs), timestampMs);
    slots.set(slot, ref, exemplar);
    this.#size++;
    this.appended++;
    return AppendResult.ok;
  }

  exemplars(minMs: number, maxMs: number, matcherSets: readonly (readonly Matcher[])[]): SeriesExemplars[] {
    const { times, next } = this.#slots;
    const found: SeriesExemplars[] = [];
    for (const [ref, newest] of this.#newest) {
      const oldest = next[newest]!;
      if (times[oldest]! > maxMs || times[newest]! < minMs) continue;
      const labels = this.#labels(ref);
      if (!matcherSets.some((matchers) => matchers.every((matcher) => matcher.matches(labels.get(matcher.name))))) {
        continue;
      }
      const exemplars: Exemplar[] = [];
      for (let slot = oldest; times[slot]! <= maxMs; slot = next[slot]!) {
        if (times[slot]! >= minMs) exemplars.push(this.#slots.get(slot));
        if (slot === newest) break;
      }
      if (exemplars.length > 0) found.push({ labels, exemplars });
    }
    return found.sort((a, b) => a.labels.compare(b.labels));
  }

  /** Changes how many are kept; when they are fewer, those that came first go. */
  resize(capacity: number): void {
    const old = this.#slots;
    if (capacity === old.capacity) return;
    while (this.#size > capacity) this.#remove(this.#oldestSlot());
    const slots = new ExemplarSlots(capacity);
    const moved = new Int32Array(old.capacity).fill(NONE);
    let at = 0;
    for (let slot = this.#oldestSlot(); at < this.#size; slot = (slot + 1) % old.capacity) moved[slot] = at++;
    for (let slot = 0; slot < old.capacity; slot++) {
      const to = moved[slot]!;
      if (to === NONE) continue;
      slots.set(to, old.refs[slot]!, old.get(slot));
      slots.next[to] = moved[old.next[slot]!]!;
      slots.previous[to] = moved[old.previous[slot]!]!;
    }
    for (const [ref, newest] of this.#newest) this.#newest.set(ref, moved[newest]!);
    this.#slots = slots;
    this.#nextSlot = capacity === 0 ? 0 : this.#size % capacity;
  }

  /** Must be called before a series leaves the head: its exemplars stay until others take their place. */
  seriesLeaves(ref: SeriesRef): void {
    if (!this.#newest.has(ref)) return;
    const labels = this.#labelsOf(ref);
    this.#departed.set(ref, labels);
    this.#departedRefs.set(labels.key, ref);
  }

  #labels(ref: SeriesRef): Labels {
    return this.#departed.get(ref) ?? this.#labelsOf(ref);
  }

  /** Slot of a series' newest. A series that left and came back under another ref takes its exemplars over. */
  #newestOf(ref: SeriesRef): number | undefined {
    const newest = this.#newest.get(ref);
    if (newest !== undefined || this.#departed.size === 0) return newest;
    const { key } = this.#labelsOf(ref);
    const former = this.#departedRefs.get(key);
    if (former === undefined) return undefined;
    const { refs, next } = this.#slots;
    const formerNewest = this.#newest.get(former)!;
    let slot = formerNewest;
    do {
      refs[slot] = ref;
      slot = next[slot]!;
    } while (slot !== formerNewest);
    this.#forget(former);
    this.#newest.set(ref, formerNewest);
    return formerNewest;
  }

  /** Where an exemplar stands to the newest of its series. */
  #compare(newest: number, exemplar: Exemplar): AppendResult {
    const { times, values, hasTimes } = this.#slots;
    const { timestampMs, value } = exemplar;
    const newestMs = times[newest]!;
    const newestValue = values[newest]!;
    const order = compareText(exemplar.labels.key, this.#slots.labelKeys[newest]!);
    // An exemplar that a page repeats without a time of its own gets a new time with every scrape.
    const timed = exemplar.hasTimestamp !== false || hasTimes[newest] === 1;
    if (order === 0 && value === newestValue && (!timed || timestampMs === newestMs)) return AppendResult.duplicate;
    if (timestampMs < newestMs && timestampMs <= newestMs - this.#outOfOrderWindowMs) return AppendResult.outOfOrder;
    if (timestampMs === newestMs && (value < newestValue || (value === newestValue && order < 0))) {
      return AppendResult.outOfOrder;
    }
    return AppendResult.ok;
  }

  /** The slot behind which a time belongs: the newest that is not later; before all of them, the newest; NONE without any. */
  #predecessor(ref: SeriesRef, timestampMs: number): number {
    const newest = this.#newest.get(ref);
    if (newest === undefined) return NONE;
    const { times, previous } = this.#slots;
    let slot = newest;
    do {
      if (times[slot]! <= timestampMs) return slot;
      slot = previous[slot]!;
    } while (slot !== newest);
    return newest;
  }

  #link(slot: number, ref: SeriesRef, before: number, timestampMs: number): void {
    const { next, previous, times } = this.#slots;
    if (before === NONE) {
      next[slot] = slot;
      previous[slot] = slot;
      this.#newest.set(ref, slot);
      return;
    }
    const after = next[before]!;
    next[before] = slot;
    previous[slot] = before;
    next[slot] = after;
    previous[after] = slot;
    if (before === this.#newest.get(ref) && timestampMs >= times[before]!) this.#newest.set(ref, slot);
  }

  #remove(slot: number): void {
    const { refs, next, previous } = this.#slots;
    const ref = refs[slot]!;
    const before = previous[slot]!;
    if (before === slot) {
      this.#forget(ref);
    } else {
      const after = next[slot]!;
      next[before] = after;
      previous[after] = before;
      if (this.#newest.get(ref) === slot) this.#newest.set(ref, before);
    }
    this.#slots.clear(slot);
    this.#size--;
  }

  #forget(ref: SeriesRef): void {
    this.#newest.delete(ref);
    const labels = this.#departed.get(ref);
    if (labels === undefined) return;
    this.#departed.delete(ref);
    this.#departedRefs.delete(labels.key);
  }

  #oldestSlot(): number {
    const { capacity } = this.#slots;
    return capacity === 0 ? 0 : (this.#nextSlot - this.#size + capacity) % capacity;
  }
}

function checkLabels({ pairs }: Labels): void {
  let characters = 0;
  for (const text of pairs) {
    characters += characterCount(text);
    if (characters > MAX_LABEL_CHARACTERS) {
      throw new PromletError(
        'storage/exemplar-labels',
        `label length for exemplar exceeds maximum of ${MAX_LABEL_CHARACTERS} UTF-8 characters`,
      );
    }
  }
}

/** Code points; what is surely too long is not walked. */
function characterCount(text: string): number {
  if (text.length > 2 * MAX_LABEL_CHARACTERS) return text.length;
  let count = text.length;
  for (let i = 1; i < text.length; i++) {
    const low = text.charCodeAt(i) & 0xfc00;
    if (low === 0xdc00 && (text.charCodeAt(i - 1) & 0xfc00) === 0xd800) count--;
  }
  return count;
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
