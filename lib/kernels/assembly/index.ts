// The one entry of the kernels module: every kernel that TypeScript calls is exported here.
export { crc32c } from './crc32c';
/** First byte after the module's own static data; the arena begins here. */
export function heapBase(): usize {
  return __heap_base;
}
