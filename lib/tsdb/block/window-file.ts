import type { FileSystem } from '../../env/index.ts';
import { type Kernels, Scratch } from '../../kernels/index.ts';
import { badBlock } from './format.ts';
import { openRegularFile, type PositionedFile, readFully } from './positioned-file.ts';

const WINDOW_BYTES = 256 << 10;

/** Memory that files take turns in: the one that was read last has it. */
export class Window {
  readonly kernels: Kernels;
  readonly scratch: Scratch;
  owner: WindowFile | undefined;

  constructor(kernels: Kernels) {
    this.kernels = kernels;
    this.scratch = new Scratch(kernels.arena);
  }

  release(): void {
    this.owner = undefined;
    this.scratch.release();
  }
}

/**
 * A file read from front to back through a window of 256 KiB: opening a block and compaction read so, and leave the page
 * cache to queries. Reading elsewhere is right too, but moves the window.
 */
export class WindowFile implements PositionedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly handle: number;
  readonly #fileSystem: FileSystem;
  readonly #window: Window;
  /** What of the file lies in the window while this file owns it. */
  #start = 0;
  #length = 0;
  #closed = false;

  /** @throws PromletError `storage/block-read`, `storage/bad-block` */
  constructor(fileSystem: FileSystem, path: string, window: Window) {
    const { handle, sizeBytes } = openRegularFile(fileSystem, path);
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.handle = handle;
    this.#fileSystem = fileSystem;
    this.#window = window;
  }

  at(offset: number, length: number): number {
    const window = this.#window;
    if (window.owner !== this || offset < this.#start || offset + length > this.#start + this.#length) {
      this.#move(offset, length);
    }
    return window.scratch.address + (offset - this.#start);
  }

  stretch(offset: number): number {
    return Math.min(WINDOW_BYTES, this.sizeBytes - offset);
  }

  /** The window stays with whoever gave it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#window.owner === this) this.#window.owner = undefined;
    this.#fileSystem.closeSync(this.handle);
  }

  #move(offset: number, length: number): void {
    if (offset + length > this.sizeBytes) throw badBlock(this.path, offset, `${length} bytes are not there to be read`);
    const window = this.#window;
    const wanted = Math.min(Math.max(length, WINDOW_BYTES), this.sizeBytes - offset);
    window.owner = undefined;
    const address = window.scratch.reserve(wanted);
    readFully(this.#fileSystem, this, window.kernels.arena, address, wanted, offset);
    window.owner = this;
    this.#start = offset;
    this.#length = wanted;
  }
}
