import { createHash } from 'node:crypto';
import type { Clock, Logger } from '../lib/env/index.ts';
import { errorMessage, type Labels, PromletError } from '../lib/model/index.ts';
import type { TsdbSettings } from '../lib/tsdb/index.ts';
import type { ServedJobs } from './served-jobs.ts';

/** What of a configuration is put in force. */
export interface Served extends ServedJobs {
  readonly storage: TsdbSettings;
  readonly externalLabels: Labels;
  /** Absolute, or from where the program was started. */
  readonly queryLogFile: string | undefined;
}

export interface ConfigurationOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Reads a text and checks it against all that could refuse it; throws why not. Ends early when the signal says so. */
  readonly parse: (text: string, signal: AbortSignal) => Promise<Served>;
  /** Puts it in force, or throws before anything is changed. Must not fail for jobs that `parse` let through. */
  readonly apply: (served: Served) => Promise<void>;
}

export interface ConfigurationStatus {
  /** SHA-256 of the YAML in force, hex; '' before the first. */
  readonly hash: string;
  /** Where it came from: a file, a Secret, the last good copy. */
  readonly source: string;
  readonly appliedAtMs: number | undefined;
  /** Why the newest configuration is not in force; undefined when it is. */
  readonly lastError: string | undefined;
  /** Jobs of the configuration in force that are left out of it, by name, with the reason. */
  readonly jobErrors: ReadonlyMap<string, string>;
}

const NOTHING: ConfigurationStatus = {
  hash: '',
  source: '',
  appliedAtMs: undefined,
  lastError: undefined,
  jobErrors: new Map(),
};

/** The configuration in force. A bad new one changes nothing but `lastError`. */
export class Configuration {
  readonly #options: ConfigurationOptions;
  #text = '';
  #status = NOTHING;
  /** One at a time, in the order given. */
  #queue: Promise<unknown> = Promise.resolve();
  readonly #closing = new AbortController();

  constructor(options: ConfigurationOptions) {
    this.#options = options;
  }

  get status(): ConfigurationStatus {
    return this.#status;
  }

  /** The YAML in force, as it was given. */
  get text(): string {
    return this.#text;
  }

  /**
   * Puts a new configuration in force.
   * @returns false when it is in force already
   * @throws whatever speaks against it; the old one stays
   */
  replace(text: string, source: string): Promise<boolean> {
    const result = this.#queue.then(() => this.#replace(text, source));
    this.#queue = result.catch(() => undefined);
    return result;
  }

  /** Remembers that a new configuration could not even be read. */
  reject(error: unknown): void {
    const lastError = errorMessage(error);
    this.#status = { ...this.#status, lastError };
    this.#options.logger.error({ error: lastError }, 'configuration refused, the old one stays');
  }

  /** Applies nothing more from now on; resolves when what was under way has ended. */
  async close(): Promise<void> {
    this.#closing.abort(new PromletError('config/closed', 'the agent is stopping'));
    await this.#queue;
  }

  async #replace(text: string, source: string): Promise<boolean> {
    const { clock, logger, parse, apply } = this.#options;
    const { signal } = this.#closing;
    signal.throwIfAborted();
    const hash = createHash('sha256').update(text).digest('hex');
    if (hash === this.#status.hash) {
      this.#status = { ...this.#status, source, lastError: undefined };
      return false;
    }
    let served: Served;
    try {
      served = await parse(text, signal);
      signal.throwIfAborted();
      await apply(served);
    } catch (error) {
      if (!signal.aborted) this.reject(error);
      throw error;
    }
    const { jobs, jobErrors } = served;
    this.#text = text;
    this.#status = { hash, source, appliedAtMs: clock.now(), lastError: undefined, jobErrors };
    for (const [job, error] of jobErrors) logger.error({ job, error }, 'job left out of the configuration');
    logger.info({ source, hash, jobs: jobs.length, jobsLeftOut: jobErrors.size }, 'configuration applied');
    return true;
  }
}
