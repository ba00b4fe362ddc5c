import type { AppendFiles, Logger } from '../lib/env/index.ts';
import type { EndedQuery } from '../lib/api/index.ts';
import { errorMessage, PromletError } from '../lib/model/index.ts';

/** More than this waiting to be written is too much: a disk that hangs must not fill the memory. */
const MAX_WAITING_LENGTH = 4 << 20;
/** Of tracing, which there is none of. */
const NO_SPAN = { spanID: '0'.repeat(16), traceID: '0'.repeat(32) };

export interface QueryLogOptions {
  readonly files: AppendFiles;
  readonly logger: Logger;
  /** ms since the epoch. */
  readonly now: () => number;
}

/**
 * Prometheus's query log (`global.query_log_file`, util/logging/file.go): one line of JSON for each query. Lines are written
 * without anybody waiting for them; those that cannot be are lost and counted.
 */
export class QueryLog {
  readonly #options: QueryLogOptions;
  #path: string | undefined;
  #descriptor: number | undefined;
  #waiting = '';
  /** The write under way. */
  #writing: Promise<void> | undefined;
  #isFailing = false;
  /** Lines that were lost. */
  failures = 0;

  constructor(options: QueryLogOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#descriptor !== undefined;
  }

  /**
   * Goes on in this file, or in none. The file is opened anew even if it is the same: it may have been moved away.
   * @throws PromletError `config/query-log`; the log goes on as before
   */
  async use(path: string | undefined): Promise<void> {
    const next = path === undefined ? undefined : await this.#open(path);
    await this.#flushed();
    const previous = this.#descriptor;
    this.#descriptor = next;
    this.#path = path;
    if (previous !== undefined) await this.#close(previous);
  }

  /** Opens the file anew. @throws PromletError `config/query-log` */
  reopen(): Promise<void> {
    return this.use(this.#path);
  }

  async close(): Promise<void> {
    await this.use(undefined);
  }

  write(query: EndedQuery): void {
    if (this.#descriptor === undefined) return;
    if (this.#waiting.length > MAX_WAITING_LENGTH) {
      this.#fail(new Error('more is to be written than can be'));
      return;
    }
    this.#waiting += lineOf(query, this.#options.now());
    this.#writing ??= this.#writeAll().finally(() => (this.#writing = undefined));
  }

  async #flushed(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting !== '' && this.#descriptor !== undefined) {
      const bytes = Buffer.from(this.#waiting);
      this.#waiting = '';
      try {
        await this.#write(this.#descriptor, bytes);
        this.#isFailing = false;
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  async #write(descriptor: number, bytes: Buffer): Promise<void> {
    const { files } = this.#options;
    for (let from = 0; from < bytes.length;) {
      from += await new Promise<number>((resolve, reject) => {
        files.write(descriptor, bytes, from, bytes.length - from, null, (error, written) => {
          if (error) reject(error);
          else resolve(written);
        });
      });
    }
  }

  /** Says so once, until lines are written again. */
  #fail(error: unknown): void {
    this.failures++;
    if (!this.#isFailing) {
      this.#options.logger.error({ path: this.#path, error: errorMessage(error) }, 'cannot write the query log');
    }
    this.#isFailing = true;
  }

  #open(path: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#options.files.open(path, 'a', 0o666, (cause, descriptor) => {
        if (cause === null) resolve(descriptor);
        else reject(new PromletError('config/query-log', `can't create json log file: ${cause.message}`, { cause }));
      });
    });
  }

  #close(descriptor: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.files.close(descriptor, (error) => {
        if (error) this.#options.logger.warn({ error: error.message }, 'closing the query log failed');
        resolve();
      });
    });
  }
}

/** As `Engine.exec` of promql/engine.go writes it. */
function lineOf({ task, stats, error, origin }: EndedQuery, nowMs: number): string {
  const entry = {
    time: new Date(nowMs).toISOString(),
    level: 'INFO',
    source: 'query-log.ts',
    msg: 'promql query logged',
    params: {
      end: new Date(task.endMs).toISOString(),
      query: task.query,
      start: new Date(task.startMs).toISOString(),
      step: Math.trunc(task.stepMs / 1000),
    },
    ...(error !== undefined && { error }),
    stats,
    ...NO_SPAN,
    ...(origin && { httpRequest: origin }),
  };
  return `${JSON.stringify(entry)}\n`;
}
