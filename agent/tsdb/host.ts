import type { Clock, FileSystem, Random } from '../../lib/env/index.ts';

/** What a tsdb command works with. */
export interface TsdbHost {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  /** Standard output; what is written may be held back until `flush`. */
  readonly out: TextOutput;
  /** Standard error. */
  readonly err: TextOutput;
  /** Directory for scratch files. */
  readonly tempDir: string;
}

export interface TextOutput {
  write(text: string): void;
  flush(): void;
}

/** Text is gathered to this size: a dump writes millions of short lines. */
const BUFFER_CHARS = 1 << 16;

/** Writes to a file descriptor at once and in order, as filters of a shell expect. */
export class DescriptorOutput implements TextOutput {
  readonly #fileSystem: Pick<FileSystem, 'writeSync'>;
  readonly #descriptor: number;
  #pending = '';

  constructor(fileSystem: Pick<FileSystem, 'writeSync'>, descriptor: number) {
    this.#fileSystem = fileSystem;
    this.#descriptor = descriptor;
  }

  write(text: string): void {
    this.#pending += text;
    if (this.#pending.length >= BUFFER_CHARS) this.flush();
  }

  flush(): void {
    const bytes = Buffer.from(this.#pending);
    this.#pending = '';
    for (let at = 0; at < bytes.length;) at += this.#writeSome(bytes, at);
  }

  /** A pipe that another program made non-blocking may be full for a moment. */
  #writeSome(bytes: Uint8Array, at: number): number {
    try {
      return this.#fileSystem.writeSync(this.#descriptor, bytes, at, bytes.length - at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      return 0;
    }
  }
}
