// Texts as JSON strings. Held against lib/api/json-strings.ts.

const QUOTE: u8 = 0x22;
/** `",` */
const BEHIND: u16 = 0x2c22;
const ONES: u64 = 0x0101010101010101;
const HIGHEST: u64 = 0x8080808080808080;
const SPACES: u64 = ONES * 0x20;
const QUOTES: u64 = ONES * 0x22;
const BACKSLASHES: u64 = ONES * 0x5c;

/** Not 0 when one of eight bytes is not ASCII, or stands for a control character, `"` or a backslash. */
// @ts-ignore: decorator
@inline
function oddBytes(bytes: u64): u64 {
  const quotes = bytes ^ QUOTES;
  const backslashes = bytes ^ BACKSLASHES;
  const odd =
    ((bytes - SPACES) & ~bytes) | ((quotes - ONES) & ~quotes) | ((backslashes - ONES) & ~backslashes) | bytes;
  return odd & HIGHEST;
}

/**
 * Writes `"text",` for up to `count` texts that lie at `texts` one behind the other, and each of which ends as far behind the
 * place `start` as `ends` (u32) says. Stops before one that JSON writes in another way. Reads and writes over up to 7 bytes behind.
 * The u32 at `end` becomes the address behind the last. @returns how many
 */
export function printTexts(texts: usize, start: u32, ends: usize, count: u32, out: usize, end: usize): u32 {
  let printed: u32 = 0;
  for (; printed < count; printed++) {
    const textEnd = load<u32>(ends + (<usize>printed << 2));
    const length = <usize>(textEnd - start);
    const at = out + 1;
    let odd: u64 = 0;
    let done: usize = 0;
    for (; done + 8 <= length; done += 8) {
      const bytes = load<u64>(texts + done);
      store<u64>(at + done, bytes);
      odd |= oddBytes(bytes);
    }
    if (done < length) {
      const bytes = load<u64>(texts + done);
      store<u64>(at + done, bytes);
      const behind = u64.MAX_VALUE << (<u64>(length - done) << 3);
      odd |= oddBytes((bytes & ~behind) | (SPACES & behind));
    }
    if (odd != 0) break;
    store<u8>(out, QUOTE);
    store<u16>(at + length, BEHIND);
    out = at + length + 2;
    texts += length;
    start = textEnd;
  }
  store<u32>(end, <u32>out);
  return printed;
}
