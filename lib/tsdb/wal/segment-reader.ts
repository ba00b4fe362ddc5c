import type { FileSystem } from '../../env/index.ts';
import type { Kernels, Scratch } from '../../kernels/index.ts';
import { errorMessage } from '../../model/index.ts';
import { MAX_RECORD_BYTES } from '../limits.ts';
import {
  FLAG_SNAPPY,
  FLAG_ZSTD,
  FRAGMENT_FIRST,
  FRAGMENT_FULL,
  FRAGMENT_HEADER_BYTES,
  FRAGMENT_LAST,
  FRAGMENT_PADDING,
  FRAGMENT_TYPE_MASK,
  PAGE_BYTES,
} from './format.ts';

/** Pages read at a time. */
const WINDOW_PAGES = 32;

/** A stretch that was not readable. */
export interface Gap {
  readonly offsetBytes: number;
  lostBytes: number;
  readonly reason: string;
}

export interface SegmentScan {
  readonly sizeBytes: number;
  /** Behind the last complete record. */
  readonly goodEnd: number;
  readonly gaps: readonly Gap[];
  /** The file ends within a record, as after a `kill -9` during a write. */
  readonly torn: boolean;
}

export interface SegmentReaderHost {
  readonly fileSystem: FileSystem;
  readonly kernels: Kernels;
  readonly window: Scratch;
  readonly record: Scratch;
  /** Called after every page; what it returns is waited for before the next. */
  readonly pause: () => Promise<void> | undefined;
}

/**
 * Reads one segment in order, in bounded memory, and calls `visit` with each record as stored (compressed if `flags` say
 * so), lying in the arena. Damage is passed over: where the length of a bad fragment leads to a good one, reading goes on
 * there, else at the next page; a record that lost a fragment is lost whole.
 */
export async function readSegment(
  host: SegmentReaderHost,
  path: string,
  visit: (address: number, length: number, flags: number, offsetBytes: number) => void,
): Promise<SegmentScan> {
  const { fileSystem, kernels } = host;
  const { arena } = kernels;
  const file = fileSystem.openSync(path, 'r');
  const gaps: Gap[] = [];
  let goodEnd = 0;
  let offset = 0;
  let torn = false;
  /** The record under assembly: fragments so far, its bytes, where it began, how it is compressed. */
  let fragments = 0;
  let assembled = 0;
  let recordStart = 0;
  let recordFlags = 0;
  /** After damage, middle and last fragments belong to the record that was lost. */
  let skipping = false;

  const lose = (at: number, end: number, reason: string): void => {
    const start = fragments > 0 ? recordStart : at;
    fragments = 0;
    assembled = 0;
    const last = gaps.at(-1);
    if (last !== undefined && skipping && start <= last.offsetBytes + last.lostBytes) {
      last.lostBytes = Math.max(last.lostBytes, end - last.offsetBytes);
    } else {
      gaps.push({ offsetBytes: start, lostBytes: end - start, reason });
    }
    skipping = true;
  };

  try {
    for (;;) {
      const window = host.window.reserve(WINDOW_PAGES * PAGE_BYTES);
      const into = arena.u8.subarray(window, window + WINDOW_PAGES * PAGE_BYTES);
      const unreadable = new Map<number, string>();
      const size = readWindow(fileSystem, file, into, offset, unreadable);
      for (let pageStart = 0; pageStart < size; pageStart += PAGE_BYTES) {
        const page = window + pageStart;
        const pageLength = Math.min(PAGE_BYTES, size - pageStart);
        const pageOffset = offset + pageStart;
        const fault = unreadable.get(pageStart);
        if (fault !== undefined) {
          lose(pageOffset, pageOffset + pageLength, fault);
          continue;
        }
        let at = 0;
        while (at < pageLength) {
          const fault = faultOf(kernels, page, at, pageLength);
          if (fault === 'padding') break;
          if (fault === 'cut') {
            if (hasFragment(kernels, page, at + 1, pageLength)) {
              // A write that was cut off has nothing behind it: this is a length that is wrong.
              lose(pageOffset + at, pageOffset + pageLength, 'a fragment longer than its file, and others behind it');
              break;
            }
            torn = true;
            if (fragments === 0) recordStart = pageOffset + at;
            break;
          }
          const first = arena.u8[page + at]!;
          const length = (arena.u8[page + at + 1]! << 8) | arena.u8[page + at + 2]!;
          const next = at + FRAGMENT_HEADER_BYTES + length;
          if (fault !== undefined) {
            const resumed = next < pageLength && faultOf(kernels, page, next, pageLength) === undefined;
            lose(pageOffset + at, pageOffset + (resumed ? next : pageLength), fault);
            if (!resumed) break;
            at = next;
            continue;
          }
          const type = first & FRAGMENT_TYPE_MASK;
          const begins = type === FRAGMENT_FULL || type === FRAGMENT_FIRST;
          if (begins !== (fragments === 0)) {
            if (begins) {
              lose(pageOffset + at, pageOffset + at, 'a record without its last fragment');
            } else {
              lose(pageOffset + at, pageOffset + next, 'a fragment of a record that was lost');
              at = next;
              continue;
            }
          }
          const flags = first & ~FRAGMENT_TYPE_MASK;
          if (begins) {
            recordStart = pageOffset + at;
            recordFlags = flags;
            skipping = false;
          } else if (flags !== recordFlags) {
            lose(pageOffset + at, pageOffset + next, 'a record compressed in part');
            at = next;
            continue;
          }
          if (assembled + length > MAX_RECORD_BYTES) {
            lose(pageOffset + at, pageOffset + next, `a record longer than ${MAX_RECORD_BYTES} bytes`);
            at = next;
            continue;
          }
          fragments++;
          const data = page + at + FRAGMENT_HEADER_BYTES;
          at = next;
          if (type === FRAGMENT_FULL) {
            fragments = 0;
            visit(data, length, flags, recordStart);
            goodEnd = pageOffset + at;
            continue;
          }
          const record = host.record.grow(assembled + length, assembled);
          arena.u8.copyWithin(record + assembled, data, data + length);
          assembled += length;
          if (type === FRAGMENT_LAST) {
            const total = assembled;
            fragments = 0;
            assembled = 0;
            visit(record, total, flags, recordStart);
            goodEnd = pageOffset + at;
          }
        }
        const pause = host.pause();
        if (pause !== undefined) await pause;
      }
      offset += size;
      if (size < WINDOW_PAGES * PAGE_BYTES) break;
    }
  } finally {
    fileSystem.closeSync(file);
  }
  if (fragments > 0) torn = true;
  return { sizeBytes: offset, goodEnd, gaps, torn };
}

type Fault = 'padding' | 'cut' | (string & {}) | undefined;

/** Whether a whole fragment with data begins anywhere from `from` on. */
function hasFragment(kernels: Kernels, page: number, from: number, pageLength: number): boolean {
  const { u8 } = kernels.arena;
  for (let at = from; at + FRAGMENT_HEADER_BYTES < pageLength; at++) {
    const isEmpty = u8[page + at + 1] === 0 && u8[page + at + 2] === 0;
    if (!isEmpty && faultOf(kernels, page, at, pageLength) === undefined) return true;
  }
  return false;
}

/** What is wrong with the fragment at `at` of a page; `cut` when the file ends before the fragment does. */
function faultOf(kernels: Kernels, page: number, at: number, pageLength: number): Fault {
  const { u8 } = kernels.arena;
  const start = page + at;
  const type = u8[start]! & FRAGMENT_TYPE_MASK;
  if (u8[start] === FRAGMENT_PADDING) {
    for (let i = start; i < page + pageLength; i++) if (u8[i] !== 0) return 'padding that is not zero';
    return 'padding';
  }
  const isLastPage = pageLength < PAGE_BYTES;
  if (at + FRAGMENT_HEADER_BYTES > pageLength) return isLastPage ? 'cut' : 'a fragment header across pages';
  const length = (u8[start + 1]! << 8) | u8[start + 2]!;
  if (at + FRAGMENT_HEADER_BYTES + length > PAGE_BYTES) return 'a fragment longer than its page';
  if (at + FRAGMENT_HEADER_BYTES + length > pageLength) return 'cut';
  const flags = u8[start]! & ~FRAGMENT_TYPE_MASK;
  const knownFlags = flags === 0 || flags === FLAG_SNAPPY || flags === FLAG_ZSTD;
  if (type < FRAGMENT_FULL || type > FRAGMENT_LAST || !knownFlags) return 'an unknown fragment type';
  const stored = (u8[start + 3]! << 24) | (u8[start + 4]! << 16) | (u8[start + 5]! << 8) | u8[start + 6]!;
  return kernels.wasm.crc32c(0, start + FRAGMENT_HEADER_BYTES, length) === stored ? undefined : 'a wrong checksum';
}

/**
 * Reads pages. What the disk cannot give goes to `unreadable`, by where the page begins in `into`.
 * @returns how many bytes the pages have
 */
function readWindow(
  fileSystem: FileSystem,
  file: number,
  into: Uint8Array,
  position: number,
  unreadable: Map<number, string>,
): number {
  try {
    return readFully(fileSystem, file, into, position);
  } catch (error) {
    if (!isDiskError(error)) throw error;
  }
  const size = Math.min(into.length, Math.max(0, fileSystem.fstatSync(file).size - position));
  for (let at = 0; at < size; at += PAGE_BYTES) {
    try {
      readFully(fileSystem, file, into.subarray(at, Math.min(at + PAGE_BYTES, size)), position + at);
    } catch (error) {
      if (!isDiskError(error)) throw error;
      unreadable.set(at, `a page that cannot be read: ${errorMessage(error)}`);
    }
  }
  return size;
}

function isDiskError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EIO';
}

function readFully(fileSystem: FileSystem, file: number, into: Uint8Array, position: number): number {
  let done = 0;
  while (done < into.length) {
    const read = fileSystem.readSync(file, into, done, into.length - done, position + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}
