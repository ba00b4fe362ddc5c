// Postings of a block's index (tsdb/docs/format/index.md): big-endian u32, ascending.

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
