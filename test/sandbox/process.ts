import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { PATIENCE_MS } from '../tools/prometheus-api.ts';

const MAX_KEPT_OUTPUT = 1 << 16;

export interface ProcessOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** stdout and stderr are appended here. */
  readonly logFile: string;
}

type Child = ChildProcessByStdio<null, Socket, null>;

const children = new Set<Child>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/**
 * A child process with its log in a file; stopped by its own pid, never by name. It does not keep this process running, nor
 * outlive its exit.
 */
export class ManagedProcess {
  readonly name: string;
  readonly logFile: string;
  readonly #child: Child;
  #stdout = '';

  private constructor(options: ProcessOptions, child: Child, log: number) {
    this.name = options.name;
    this.logFile = options.logFile;
    this.#child = child;
    children.add(child);
    child.once('exit', () => children.delete(child));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (this.#stdout.length < MAX_KEPT_OUTPUT) this.#stdout += text;
      writeSync(log, text);
    });
    child.unref();
    child.stdout.unref();
    child.once('close', () => closeSync(log));
  }

  /** @throws when the program cannot be started at all */
  static async start(options: ProcessOptions): Promise<ManagedProcess> {
    const log = openSync(options.logFile, 'a');
    const child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', log],
    }) as Child;
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
  async waitForOutput(pattern: RegExp, timeoutMs = PATIENCE_MS): Promise<RegExpMatchArray> {
    return this.#until(`printed no ${pattern}`, timeoutMs, () => this.#stdout.match(pattern) ?? undefined);
  }

  /** Resolves when `url`, served by the process, answers 200; rejects when the process ends or time runs out first. */
  async waitUntilOk(url: string, timeoutMs = PATIENCE_MS): Promise<void> {
    await this.#until(`did not answer ${url} with 200`, timeoutMs, async () => {
      try {
        const answer = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
        await answer.arrayBuffer();
        return answer.ok || undefined;
      } catch {
        return undefined;
      }
    });
  }

  async #until<T>(fault: string, timeoutMs: number, attempt: () => T | Promise<T>): Promise<T & {}> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      // Asked first: what it did before it ended counts.
      const { running } = this;
      const result = await attempt();
      if (result !== undefined && result !== null) return result;
      if (!running) throw new Error(`${this.name} ended early, see ${this.logFile}`);
      if (performance.now() > deadline)
        throw new Error(`${this.name} ${fault} in ${timeoutMs} ms, see ${this.logFile}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /**
   * Sends `signal` and waits for the end.
   * @throws when it took longer than `graceMs`; SIGKILL has ended it then
   */
  async stop(signal: NodeJS.Signals = 'SIGTERM', graceMs = PATIENCE_MS): Promise<void> {
    if (!this.running) return;
    const ended = once(this.#child, 'exit');
    let isOverdue = false;
    const impatience = setTimeout(() => {
      isOverdue = true;
      this.#child.kill('SIGKILL');
    }, graceMs);
    this.#child.kill(signal);
    await ended;
    clearTimeout(impatience);
    if (isOverdue) throw new Error(`${this.name} did not end within ${graceMs} ms of ${signal}, see ${this.logFile}`);
  }
}
