// Postings of a block's index (tsdb/docs/format/index.md): length, count, big-endian u32 that ascend, CRC.
import { crc32c } from './crc32c';

/** Whether `count` refs from `at` on ascend and the first is `least` or above. */
export function postingsAscend(at: usize, count: u32, least: f64): bool {
  if (count === 0) return true;
  let last = bswap<u32>(load<u32>(at));
  if (<f64>last < least) return false;
  const end = at + ((<usize>count) << 2);
  for (at += 4; at < end; at += 4) {
    const ref = bswap<u32>(load<u32>(at));
    if (ref <= last) return false;
    last = ref;
  }
  return true;
}

/**
 * Reads the list at `list`, of which `available` bytes are in memory, to `out`, where there is room for so many refs.
 * @returns how many, or -1 when it has to be looked at closer: it is not all there, does not fit, or is damaged
 */
export function readPostings(list: usize, available: u32, out: usize, room: u32): i32 {
  if (available < 12) return -1;
  const length = bswap<u32>(load<u32>(list));
  const count = bswap<u32>(load<u32>(list, 4));
  // The count first: what is below is then without a carry.
  if (count > room || count > available >>> 2 || length != 4 + (count << 2) || length + 8 > available) return -1;
  if (crc32c(0, list + 4, length) != bswap<u32>(load<u32>(list + 4 + <usize>length))) return -1;
  if (!postingsAscend(list + 8, count, 0)) return -1;
  for (let i: usize = 0, end = <usize>count << 2; i < end; i += 4) {
    store<u32>(out + i, bswap<u32>(load<u32>(list + 8 + i)));
  }
  return <i32>count;
}
