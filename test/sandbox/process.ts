import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';

export interface ProcessOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** stdout and stderr are appended here. */
  readonly logFile: string;
}

/** A child process with its log in a file; stopped by its own pid, never by name. */
export class ManagedProcess {
  readonly name: string;
  readonly logFile: string;
  readonly #child: ChildProcess;
  #stdout = '';

  private constructor(options: ProcessOptions, child: ChildProcess, log: WriteStream) {
    this.name = options.name;
    this.logFile = options.logFile;
    this.#child = child;
    child.stdout!.on('data', (chunk: Buffer) => {
      if (this.#stdout.length < 4096) this.#stdout += chunk.toString();
      log.write(chunk);
    });
    child.stderr!.on('data', (chunk: Buffer) => log.write(chunk));
    child.once('close', () => log.end());
  }

  /** @throws when the program cannot be started at all */
  static async start(options: ProcessOptions): Promise<ManagedProcess> {
    const child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const log = createWriteStream(options.logFile, { flags: 'a' });
    const managed = new ManagedProcess(options, child, log);
    await once(child, 'spawn');
    return managed;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** null while it runs, and when a signal ended it. */
  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** Resolves with the first match of `pattern` on stdout; rejects when the process ends or time runs out first. */
  async waitForOutput(pattern: RegExp, timeoutMs: number): Promise<RegExpMatchArray> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const match = this.#stdout.match(pattern);
      if (match !== null) return match;
      if (!this.running) throw new Error(`${this.name} ended early, see ${this.logFile}`);
      if (Date.now() > deadline) throw new Error(`${this.name} printed no ${pattern} in time, see ${this.logFile}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Sends `signal` and waits for the end; SIGKILL follows after `graceMs`. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', graceMs = 10_000): Promise<void> {
    if (!this.running) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    const impatience = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    await ended;
    clearTimeout(impatience);
  }
}
