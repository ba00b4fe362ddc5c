// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), slicing by 8. Twin: ../twins/crc32c.ts.
const POLYNOMIAL: u32 = 0x82f63b78;
const TABLES: StaticArray<u32> = buildTables();

function buildTables(): StaticArray<u32> {
  const tables = new StaticArray<u32>(8 * 256);
  for (let i: u32 = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    unchecked((tables[i] = crc));
  }
  for (let i = 0; i < 256; i++) {
    let crc = unchecked(tables[i]);
    for (let slice = 1; slice < 8; slice++) {
      crc = unchecked(tables[crc & 0xff]) ^ (crc >>> 8);
      unchecked((tables[slice * 256 + i] = crc));
    }
  }
  return tables;
}

/** CRC-32C of `length` bytes at `at`, continuing from `seed` (0 to begin). */
export function crc32c(seed: u32, at: usize, length: u32): u32 {
  let crc = ~seed;
  const end = at + length;
  const end8 = at + (length & ~7);
  while (at < end8) {
    const low = load<u32>(at) ^ crc;
    const high = load<u32>(at, 4);
    crc =
      unchecked(TABLES[7 * 256 + (low & 0xff)]) ^
      unchecked(TABLES[6 * 256 + ((low >>> 8) & 0xff)]) ^
      unchecked(TABLES[5 * 256 + ((low >>> 16) & 0xff)]) ^
      unchecked(TABLES[4 * 256 + (low >>> 24)]) ^
      unchecked(TABLES[3 * 256 + (high & 0xff)]) ^
      unchecked(TABLES[2 * 256 + ((high >>> 8) & 0xff)]) ^
      unchecked(TABLES[256 + ((high >>> 16) & 0xff)]) ^
      unchecked(TABLES[high >>> 24]);
    at += 8;
  }
  while (at < end) crc = unchecked(TABLES[(crc ^ load<u8>(at++)) & 0xff]) ^ (crc >>> 8);
  return ~crc;
}
