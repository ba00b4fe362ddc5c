import type { FileSystem } from '../../lib/env/index.ts';
import { PromletError } from '../../lib/model/index.ts';

const LF = 0x0a;
const WINDOW_BYTES = 1 << 20;
const MAX_LINE_BYTES = 16 << 20;

/**
 * Reads a text file line by line through a window of 1 MiB, which grows for a longer line. After `next()` the line is
 * `bytes` at [start, end), without its line feed, until the next call.
 */
export class LineReader {
  bytes: Buffer = Buffer.alloc(WINDOW_BYTES);
  start = 0;
  end = 0;
  /** Whether a line feed follows: only the last line may lack it. */
  complete = true;
  readonly path: string;
  readonly sizeBytes: number;
  readonly #fileSystem: FileSystem;
  readonly #descriptor: number;
  /** Of the window's first byte in the file. */
  #windowOffset = 0;
  #filled = 0;
  #next = 0;

  /** @throws the file system's error */
  constructor(fileSystem: FileSystem, path: string) {
    this.path = path;
    this.#fileSystem = fileSystem;
    this.#descriptor = fileSystem.openSync(path, 'r');
    this.sizeBytes = fileSystem.fstatSync(this.#descriptor).size;
  }

  /** Of the line in the file. */
  get offset(): number {
    return this.#windowOffset + this.start;
  }

  /** The next line will be the one that begins at `offset`. */
  seek(offset: number): void {
    this.#windowOffset = offset;
    this.#filled = 0;
    this.#next = 0;
  }

  /** @returns false at the end of the file. @throws PromletError `openmetrics/long-line` */
  next(): boolean {
    this.start = this.#next;
    for (let from = this.start; ;) {
      const at = this.bytes.subarray(0, this.#filled).indexOf(LF, from);
      if (at >= 0) {
        this.#take(at, true);
        return true;
      }
      from = this.#filled - this.start;
      if (!this.#fill()) break;
    }
    if (this.start === this.#filled) return false;
    this.#take(this.#filled, false);
    return true;
  }

  close(): void {
    this.#fileSystem.closeSync(this.#descriptor);
  }

  #take(end: number, complete: boolean): void {
    this.end = end;
    this.complete = complete;
    this.#next = complete ? end + 1 : end;
  }

  /** Moves the line to the front of the window and reads on behind what there is of it. @returns false at the end */
  #fill(): boolean {
    this.bytes.copyWithin(0, this.start, this.#filled);
    this.#windowOffset += this.start;
    this.#filled -= this.start;
    this.start = 0;
    if (this.#filled === this.bytes.length) this.#grow();
    const room = this.bytes.length - this.#filled;
    const position = this.#windowOffset + this.#filled;
    const read = this.#fileSystem.readSync(this.#descriptor, this.bytes, this.#filled, room, position);
    this.#filled += read;
    return read > 0;
  }

  #grow(): void {
    if (this.bytes.length >= MAX_LINE_BYTES) {
      const reason = `${this.path}: a line of more than ${MAX_LINE_BYTES} bytes at ${this.offset}`;
      throw new PromletError('openmetrics/long-line', reason);
    }
    const larger = Buffer.alloc(this.bytes.length * 2);
    this.bytes.copy(larger);
    this.bytes = larger;
  }
}
