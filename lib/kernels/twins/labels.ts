/** HalfSipHash with one round per word and three at the end (Aumasson, Bernstein: SipHash, 32-bit variant). */
export function hashBytesTwin(key0: number, key1: number, bytes: Uint8Array): number {
  const v = [key0, key1, 0x6c796765 ^ key0, 0x74656462 ^ key1] as [number, number, number, number];
  const rotate = (word: number, count: number): number => (word << count) | (word >>> (32 - count));
  const round = (): void => {
    v[0] = (v[0] + v[1]) | 0;
    v[1] = rotate(v[1], 5) ^ v[0];
    v[0] = rotate(v[0], 16);
    v[2] = (v[2] + v[3]) | 0;
    v[3] = rotate(v[3], 8) ^ v[2];
    v[0] = (v[0] + v[3]) | 0;
    v[3] = rotate(v[3], 7) ^ v[0];
    v[2] = (v[2] + v[1]) | 0;
    v[1] = rotate(v[1], 13) ^ v[2];
    v[2] = rotate(v[2], 16);
  };
  const padded = new Uint8Array((bytes.length & ~3) + 4);
  padded.set(bytes);
  padded[padded.length - 1] = bytes.length;
  const words = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += 4) {
    const word = words.getInt32(at, true);
    v[3] ^= word;
    round();
    v[0] ^= word;
  }
  v[2] ^= 0xff;
  for (let i = 0; i < 3; i++) round();
  return (v[1] ^ v[3]) >>> 0;
}
