import { compareUtf8 } from '../../model/index.ts';
import type { HeadView } from './head-view.ts';

/** Series or pairs that are looked at in one read section. */
const SECTION_SIZE = 2048;
/** Bytes of a value that its key holds. */
const KEY_BYTES = 6;
/** Groups of series up to this size are sorted by insertion. */
const SMALL_GROUP = 12;
/** Ranks and indexes are packed into one float64. */
const PACKED = 2 ** 26;

/** Series of a head in the order of their labels. */
export interface LabelOrder {
  /** Indexes into the refs that were given, in the order of their labels; those removed meanwhile come first. */
  readonly order: Uint32Array;
  /** All names and values, sorted by UTF-8 bytes, unique. */
  readonly symbols: () => IterableIterator<string>;
}

/**
 * Sorts series by their labels, on any thread, in read sections of its own. The pairs that occur are ranked by name and value
 * once, and series are compared by the ranks of their pairs: no string per series or pair.
 */
export function orderByLabels(view: HeadView, refs: Uint32Array): LabelOrder {
  // Removals make addresses void; they come in bursts of some hundred sections, once in hours.
  for (;;) {
    const generation = view.read(() => view.generation);
    const sets = readPairSets(view, refs, generation);
    const texts = sets && readTexts(view, sets.pairs, generation);
    if (sets === undefined || texts === undefined) continue;
    const ranks = rankPairs(texts);
    for (let i = 0; i < sets.members.length; i++) sets.members[i] = ranks[sets.members[i]!]!;
    return { order: sortSequences(sets.starts, sets.members), symbols: () => symbolsOf(texts) };
  }
}

/** Of series i the pairs are `pairs[members[starts[i]…starts[i + 1]]]`. */
interface PairSets {
  readonly starts: Uint32Array;
  readonly members: Uint32Array;
  /** Addresses of the pairs that occur, each once. */
  readonly pairs: Uint32Array;
}

function readPairSets(view: HeadView, refs: Uint32Array, generation: number): PairSets | undefined {
  const starts = new Uint32Array(refs.length + 1);
  let members = new Uint32Array(refs.length * 8 + 64);
  for (let from = 0; from < refs.length; from += SECTION_SIZE) {
    const to = Math.min(refs.length, from + SECTION_SIZE);
    const isCurrent = view.read(() => {
      let end = starts[from]!;
      for (let i = from; i < to; i++) {
        const record = view.series.record(refs[i]!);
        if (record !== 0) {
          const pairs = view.pairsOfSeries(record);
          if (end + pairs.length > members.length) members = enlarged(members, end + pairs.length);
          for (let j = 0; j < pairs.length; j++) members[end++] = pairs[j]!;
        }
        starts[i + 1] = end;
      }
      return view.generation === generation;
    });
    if (!isCurrent) return undefined;
  }
  members = members.subarray(0, starts[refs.length]);
  return { starts, members, pairs: numberDistinct(members) };
}

/** Replaces each address by its number. @returns the address of each number */
function numberDistinct(addresses: Uint32Array): Uint32Array {
  let mask = 4095;
  // Address and number plus one, found by open addressing; at most half full.
  let table = new Uint32Array(2 * (mask + 1));
  let distinct = new Uint32Array(1024);
  let count = 0;
  const slotOf = (address: number): number => {
    let slot = Math.imul(address >>> 3, 0x9e3779b1) >>> 8;
    for (slot &= mask; table[2 * slot + 1] !== 0 && table[2 * slot] !== address; slot = (slot + 1) & mask);
    return slot;
  };
  for (let i = 0; i < addresses.length; i++) {
    const address = addresses[i]!;
    let slot = slotOf(address);
    if (table[2 * slot + 1] === 0) {
      if (count === distinct.length) distinct = enlarged(distinct, count + 1);
      distinct[count++] = address;
      if (count * 2 > mask) {
        mask = mask * 2 + 1;
        table = new Uint32Array(2 * (mask + 1));
        for (let j = 0; j < count; j++) {
          slot = slotOf(distinct[j]!);
          table[2 * slot] = distinct[j]!;
          table[2 * slot + 1] = j + 1;
        }
      } else {
        table[2 * slot] = address;
        table[2 * slot + 1] = count;
      }
      addresses[i] = count - 1;
    } else {
      addresses[i] = table[2 * slot + 1]! - 1;
    }
  }
  return distinct.slice(0, count);
}

/** Texts of numbered pairs: name `names[nameOf[i]]`, value `bytes[valueAt[i]…valueEnd[i]]`. */
interface PairTexts {
  readonly names: readonly string[];
  readonly nameOf: Uint32Array;
  readonly bytes: Buffer;
  readonly valueAt: Uint32Array;
  readonly valueEnd: Uint32Array;
}

function readTexts(view: HeadView, pairs: Uint32Array, generation: number): PairTexts | undefined {
  const nameOf = new Uint32Array(pairs.length);
  const valueAt = new Uint32Array(pairs.length);
  const valueEnd = new Uint32Array(pairs.length);
  const numbers = new Map<number, number>();
  const names: string[] = [];
  let bytes = new Uint8Array(pairs.length * 16 + 1024);
  let length = 0;
  for (let from = 0; from < pairs.length; from += SECTION_SIZE) {
    const to = Math.min(pairs.length, from + SECTION_SIZE);
    const isCurrent = view.read(() => {
      let end = length;
      for (let i = from; i < to; i++) {
        const text = view.pairBytes(pairs[i]!);
        if (end + text.length > bytes.length) {
          const larger = new Uint8Array((end + text.length) * 2);
          larger.set(bytes.subarray(0, end));
          bytes = larger;
        }
        bytes.set(text, end);
        valueAt[i] = end;
        end += text.length;
        valueEnd[i] = end;
        nameOf[i] = view.nameOf(pairs[i]!);
      }
      return view.generation === generation;
    });
    if (!isCurrent) return undefined;
    for (let i = from; i < to; i++) {
      const nameAt = behindUvarint(bytes, valueAt[i]!);
      const nameEnd = nameAt + uvarintAt(bytes, valueAt[i]!);
      valueAt[i] = behindUvarint(bytes, nameEnd);
      let number = numbers.get(nameOf[i]!);
      if (number === undefined) {
        numbers.set(nameOf[i]!, (number = names.length));
        names.push(Buffer.from(bytes.buffer, nameAt, nameEnd - nameAt).toString());
      }
      nameOf[i] = number;
    }
    length = to === 0 ? 0 : valueEnd[to - 1]!;
  }
  return { names, nameOf, bytes: Buffer.from(bytes.buffer, 0, length), valueAt, valueEnd };
}

/** Of each pair its place in the order of names, then values, from 1 on. */
function rankPairs(texts: PairTexts): Uint32Array {
  const { names, nameOf } = texts;
  const byName = names.map((_, i) => i).sort((a, b) => compareUtf8(names[a]!, names[b]!));
  const nameRanks = new Uint32Array(names.length);
  byName.forEach((name, rank) => (nameRanks[name] = rank));
  const compare = valueComparer(texts);
  const order = Uint32Array.from(nameOf, (_, i) => i);
  order.sort((a, b) => nameRanks[nameOf[a]!]! - nameRanks[nameOf[b]!]! || compare(a, b));
  const ranks = new Uint32Array(order.length);
  for (let i = 0; i < order.length; i++) ranks[order[i]!] = i + 1;
  return ranks;
}

/** Compares pairs by the bytes of their values. */
function valueComparer({ bytes, valueAt, valueEnd }: PairTexts): (a: number, b: number) => number {
  const keys = new Float64Array(valueAt.length);
  for (let i = 0; i < keys.length; i++) {
    let key = 0;
    for (let at = valueAt[i]!; at < valueAt[i]! + KEY_BYTES; at++)
      key = key * 256 + (at < valueEnd[i]! ? bytes[at]! : 0);
    keys[i] = key;
  }
  return (a, b) => {
    const byKey = keys[a]! - keys[b]!;
    if (byKey !== 0) return byKey;
    let x = valueAt[a]! + KEY_BYTES;
    let y = valueAt[b]! + KEY_BYTES;
    const xEnd = valueEnd[a]!;
    const yEnd = valueEnd[b]!;
    while (x < xEnd && y < yEnd) {
      const order = bytes[x++]! - bytes[y++]!;
      if (order !== 0) return order;
    }
    // A zero byte and no byte have the same key, so that lengths count from the beginning.
    return xEnd - valueAt[a]! - (yEnd - valueAt[b]!);
  };
}

/** Indexes of sequences of ranks in lexicographic order, a shorter one before those that go on from it. */
function sortSequences(starts: Uint32Array, ranks: Uint32Array): Uint32Array {
  const count = starts.length - 1;
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  const rankAt = (index: number, depth: number): number => {
    const at = starts[index]! + depth;
    return at < starts[index + 1]! ? ranks[at]! : 0;
  };
  const compareFrom = (a: number, b: number, depth: number): number => {
    for (; ; depth++) {
      const rank = rankAt(a, depth);
      const difference = rank - rankAt(b, depth);
      if (difference !== 0 || rank === 0) return difference;
    }
  };
  // Rank and index in one number, so that the sort needs no comparisons in JavaScript; then each run of one rank by the next.
  const packed = new Float64Array(count);
  const pending: { from: number; to: number; depth: number }[] = [{ from: 0, to: count, depth: 0 }];
  for (let group = pending.pop(); group !== undefined; group = pending.pop()) {
    const { from, to, depth } = group;
    if (to - from <= SMALL_GROUP) {
      for (let i = from + 1; i < to; i++) {
        const index = order[i]!;
        let j = i;
        for (; j > from && compareFrom(order[j - 1]!, index, depth) > 0; j--) order[j] = order[j - 1]!;
        order[j] = index;
      }
      continue;
    }
    for (let i = from; i < to; i++) packed[i] = rankAt(order[i]!, depth) * PACKED + order[i]!;
    packed.subarray(from, to).sort();
    let run = from;
    for (let i = from; i < to; i++) {
      order[i] = packed[i]! % PACKED;
      const rank = Math.floor(packed[i]! / PACKED);
      const isLast = i + 1 === to || Math.floor(packed[i + 1]! / PACKED) !== rank;
      if (!isLast) continue;
      if (rank !== 0 && i > run) pending.push({ from: run, to: i + 1, depth: depth + 1 });
      run = i + 1;
    }
  }
  return order;
}

/** Names and values, merged. */
function* symbolsOf(texts: PairTexts): IterableIterator<string> {
  const { bytes, valueAt, valueEnd } = texts;
  const names = [...texts.names].sort(compareUtf8);
  const values = Uint32Array.from(valueAt, (_, i) => i).sort(valueComparer(texts));
  let last: string | undefined;
  let nextName = 0;
  for (const pair of values) {
    const value = bytes.toString('utf8', valueAt[pair], valueEnd[pair]);
    for (; nextName < names.length && compareUtf8(names[nextName]!, value) <= 0; nextName++) {
      if (names[nextName] !== last) yield (last = names[nextName]!);
    }
    if (value !== last) yield (last = value);
  }
  for (; nextName < names.length; nextName++) if (names[nextName] !== last) yield (last = names[nextName]!);
}

function uvarintAt(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at++]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
  }
}

function behindUvarint(bytes: Uint8Array, at: number): number {
  while (bytes[at++]! >= 0x80);
  return at;
}

function enlarged(array: Uint32Array, needed: number): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(Math.max(needed, array.length * 2));
  out.set(array);
  return out;
}
