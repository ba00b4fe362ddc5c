import type { FileSystem } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import { errorMessage, PromletError } from '../../model/index.ts';
import { writeU32 } from './byte-reader.ts';

const BUFFER_BYTES = 256 << 10;

/** A new file written from front to back through a buffer in the arena, where kernels compute checksums. */
export class OutputFile {
  readonly path: string;
  readonly handle: number;
  readonly #fileSystem: FileSystem;
  readonly #kernels: Kernels;
  /** 0 when it was given back. */
  #buffer: number;
  #used = 0;
  #flushed = 0;
  #open = true;

  /** @throws PromletError `storage/block-write` when it exists or cannot be made */
  constructor(fileSystem: FileSystem, kernels: Kernels, path: string) {
    this.path = path;
    this.#fileSystem = fileSystem;
    this.#kernels = kernels;
    try {
      this.handle = fileSystem.openSync(path, 'wx+', 0o666);
    } catch (cause) {
      throw this.#fault(cause);
    }
    this.#buffer = kernels.arena.allocate(BUFFER_BYTES);
  }

  /** Offset of what is written next. */
  get offset(): number {
    return this.#flushed + this.#used;
  }

  /** Address of room for `maxBytes`, at most BUFFER_BYTES, that `advance` is told the use of. */
  reserve(maxBytes: number): number {
    if (this.#used + maxBytes > BUFFER_BYTES) this.flush();
    return this.#buffer + this.#used;
  }

  advance(count: number): void {
    this.#used += count;
  }

  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) done += this.#copy(bytes, done);
  }

  /** @returns the CRC-32C of what `crc` is of, and these bytes behind it */
  writeSummed(bytes: Uint8Array, crc: number): number {
    for (let done = 0; done < bytes.length;) {
      const count = this.#copy(bytes, done);
      crc = this.#kernels.wasm.crc32c(crc, this.#buffer + this.#used - count, count);
      done += count;
    }
    return crc >>> 0;
  }

  writeU32(value: number): void {
    const address = this.reserve(4);
    writeU32(this.#kernels.arena.u8, address, value);
    this.advance(4);
  }

  /** Zeros until the offset is a multiple of `alignment`. */
  pad(alignment: number): void {
    const count = (alignment - (this.offset % alignment)) % alignment;
    const address = this.reserve(count);
    this.#kernels.arena.u8.fill(0, address, address + count);
    this.advance(count);
  }

  /** Overwrites what was written before. */
  patch(bytes: Uint8Array, offset: number): void {
    this.flush();
    this.#writeFully(bytes, offset);
  }

  /** @throws PromletError `storage/block-write` */
  flush(): void {
    if (this.#used === 0) return;
    const { u8 } = this.#kernels.arena;
    this.#writeFully(u8.subarray(this.#buffer, this.#buffer + this.#used), this.#flushed);
    this.#flushed += this.#used;
    this.#used = 0;
  }

  /** Flushes and gives the buffer back: nothing more is written. */
  seal(): void {
    this.flush();
    this.#releaseBuffer();
  }

  /** Seals, fsyncs in the background and closes. @throws PromletError `storage/block-write` */
  async finish(): Promise<void> {
    this.seal();
    await new Promise<void>((resolve, reject) => {
      this.#fileSystem.fsync(this.handle, (error) => (error === null ? resolve() : reject(this.#fault(error))));
    });
    this.close();
  }

  /** Gives everything up that is held; what was not flushed is lost. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#releaseBuffer();
    this.#fileSystem.closeSync(this.handle);
  }

  /** Copies bytes from `done` on behind what the buffer holds, as many as fit. @returns how many */
  #copy(bytes: Uint8Array, done: number): number {
    if (this.#used === BUFFER_BYTES) this.flush();
    const count = Math.min(bytes.length - done, BUFFER_BYTES - this.#used);
    const part = count === bytes.length ? bytes : bytes.subarray(done, done + count);
    this.#kernels.arena.u8.set(part, this.#buffer + this.#used);
    this.#used += count;
    return count;
  }

  #releaseBuffer(): void {
    if (this.#buffer !== 0) this.#kernels.arena.free(this.#buffer, BUFFER_BYTES);
    this.#buffer = 0;
  }

  #writeFully(bytes: Uint8Array, offset: number): void {
    try {
      for (let done = 0; done < bytes.length;) {
        const count = this.#fileSystem.writeSync(this.handle, bytes, done, bytes.length - done, offset + done);
        if (count === 0) throw new Error('no bytes were taken');
        done += count;
      }
    } catch (cause) {
      throw this.#fault(cause);
    }
  }

  #fault(cause: unknown): PromletError {
    return new PromletError('storage/block-write', `cannot write ${this.path}: ${errorMessage(cause)}`, { cause });
  }
}
