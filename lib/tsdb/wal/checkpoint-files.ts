import { join } from 'node:path';
import type { FileSystem } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import { CommitFramer, type WalCommit } from './commit.ts';
import { SEGMENT_BYTES, segmentName } from './format.ts';
import { syncDirectory } from '../directory.ts';

/** Collected before it is written. */
const FLUSH_BYTES = 1 << 20;

export interface CheckpointFilesOptions {
  /** Of the checkpoint; empty. */
  readonly dir: string;
  readonly fileSystem: FileSystem;
  readonly kernels: Kernels;
  readonly compress: boolean;
  readonly segmentBytes?: number;
}

/** The segments of a checkpoint being written. Errors are the system's; nobody reads the files before `finish` is done. */
export class CheckpointFiles {
  readonly #options: CheckpointFilesOptions;
  readonly #framer: CommitFramer;
  readonly #segmentBytes: number;
  readonly #open: number[] = [];
  #end = 0;
  sizeBytes = 0;

  constructor(options: CheckpointFilesOptions) {
    this.#options = options;
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.#framer = new CommitFramer(options.kernels, options.compress);
    this.#create();
  }

  add(commit: WalCommit): void {
    this.#framer.add(commit);
    if (this.#framer.length > FLUSH_BYTES) this.#flush();
  }

  /** Makes all files durable, without holding up the thread. */
  async finish(): Promise<void> {
    this.#flush();
    const { dir, fileSystem } = this.#options;
    for (const file of this.#open) {
      await new Promise<void>((resolve, reject) => {
        fileSystem.fsync(file, (error) => (error ? reject(error) : resolve()));
      });
    }
    syncDirectory(fileSystem, dir);
  }

  close(): void {
    this.#framer.release();
    for (const file of this.#open.splice(0)) this.#options.fileSystem.closeSync(file);
  }

  #flush(): void {
    const { fileSystem } = this.#options;
    const { bytes } = this.#framer;
    const file = this.#open.at(-1)!;
    for (let done = 0; done < bytes.length;) {
      const written = fileSystem.writeSync(file, bytes, done, bytes.length - done, this.#end + done);
      if (written === 0) throw new Error('no bytes were taken');
      done += written;
    }
    this.#end += bytes.length;
    this.sizeBytes += bytes.length;
    if (this.#end >= this.#segmentBytes - 2 * FLUSH_BYTES) this.#create();
    else this.#framer.begin(this.#end);
  }

  #create(): void {
    const { dir, fileSystem } = this.#options;
    this.#open.push(fileSystem.openSync(join(dir, segmentName(this.#open.length)), 'wx', 0o666));
    this.#end = 0;
    this.#framer.begin(0);
  }
}
