import { createHash } from 'node:crypto';
import type { PrometheusConfig } from '../lib/config/index.ts';
import type { Clock, Logger } from '../lib/env/index.ts';
import { errorMessage } from '../lib/model/index.ts';

export interface ConfigurationOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Text → configuration, checked against all that could refuse it; throws why not. */
  readonly parse: (text: string) => Promise<PrometheusConfig>;
  /** Puts it in force. Must not fail for a configuration that `parse` let through. */
  readonly apply: (config: PrometheusConfig) => Promise<void>;
}

export interface ConfigurationStatus {
  /** SHA-256 of the YAML in force, hex; '' before the first. */
  readonly hash: string;
  /** Where it came from: a file, a Secret, the last good copy. */
  readonly source: string;
  readonly appliedAtMs: number | undefined;
  /** Why the newest configuration is not in force; undefined when it is. */
  readonly lastError: string | undefined;
}

/** The configuration in force. A bad new one changes nothing but `lastError`. */
export class Configuration {
  readonly #options: ConfigurationOptions;
  #text = '';
  #status: ConfigurationStatus = { hash: '', source: '', appliedAtMs: undefined, lastError: undefined };
  /** One at a time, in the order given. */
  #queue: Promise<unknown> = Promise.resolve();

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

  async #replace(text: string, source: string): Promise<boolean> {
    const { clock, logger, parse, apply } = this.#options;
    const hash = createHash('sha256').update(text).digest('hex');
    if (hash === this.#status.hash) {
      this.#status = { ...this.#status, source, lastError: undefined };
      return false;
    }
    try {
      await apply(await parse(text));
    } catch (error) {
      this.reject(error);
      throw error;
    }
    this.#text = text;
    this.#status = { hash, source, appliedAtMs: clock.now(), lastError: undefined };
    logger.info({ source, hash }, 'configuration applied');
    return true;
  }
}
