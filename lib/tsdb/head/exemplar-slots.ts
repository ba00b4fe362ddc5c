import { Labels } from '../../model/index.ts';
import type { Exemplar, SeriesRef } from '../../storage/index.ts';

/** What the slots of an exemplar ring hold, by column; `next` and `previous` are the ring's. */
export class ExemplarSlots {
  readonly capacity: number;
  /** 0: the slot is free. */
  readonly refs: Uint32Array;
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly hasTimes: Uint8Array;
  readonly next: Int32Array;
  readonly previous: Int32Array;
  /** `labels.key`: one text takes a third of what a label set does. */
  readonly labelKeys: string[] = [];

  constructor(capacity: number) {
    this.capacity = capacity;
    this.refs = new Uint32Array(capacity);
    this.times = new Float64Array(capacity);
    this.values = new Float64Array(capacity);
    this.hasTimes = new Uint8Array(capacity);
    this.next = new Int32Array(capacity);
    this.previous = new Int32Array(capacity);
  }

  set(slot: number, ref: SeriesRef, { labels, value, timestampMs, hasTimestamp }: Exemplar): void {
    this.refs[slot] = ref;
    this.times[slot] = timestampMs;
    this.values[slot] = value;
    this.hasTimes[slot] = hasTimestamp === false ? 0 : 1;
    this.labelKeys[slot] = labels.key;
  }

  get(slot: number): Exemplar {
    return {
      labels: Labels.fromKey(this.labelKeys[slot]!),
      value: this.values[slot]!,
      timestampMs: this.times[slot]!,
      hasTimestamp: this.hasTimes[slot] === 1,
    };
  }

  clear(slot: number): void {
    this.refs[slot] = 0;
    this.labelKeys[slot] = '';
  }
}
