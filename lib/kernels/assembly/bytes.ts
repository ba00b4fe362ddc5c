// What typed arrays do to shared memory one element at a time: 0.5 to 1 µs for 1,441 steps, ten times as long as here.

/** Fills bytes with zeros. */
export function clearBytes(address: usize, length: u32): void {
  memory.fill(address, 0, length);
}

/** Copies bytes, also to where some of them lie. */
export function copyBytes(from: usize, to: usize, length: u32): void {
  memory.copy(to, from, length);
}
