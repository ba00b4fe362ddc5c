import type { Logger } from '../lib/env/index.ts';
import { errorMessage } from '../lib/model/index.ts';
import type { ConfigSource } from './config-source.ts';
import type { Configuration } from './configuration.ts';
import type { LastGoodConfig } from './last-good-config.ts';

export interface ConfigLoaderOptions {
  readonly source: ConfigSource;
  readonly configuration: Configuration;
  /** Kept for a source that may be away at the next start; undefined for a file. */
  readonly lastGood: LastGoodConfig | undefined;
  readonly logger: Logger;
}

/** Brings the configuration from its source into force, at start and whenever it changes. */
export class ConfigLoader {
  readonly #options: ConfigLoaderOptions;
  /** Changes of the source being followed; the last one ends last. */
  #following: Promise<void> | undefined;

  constructor(options: ConfigLoaderOptions) {
    this.#options = options;
  }

  /**
   * A file must be good now; a source that is watched may come later, until then the last good configuration counts.
   * @throws whatever is wrong with the file
   */
  async start(): Promise<void> {
    const { source, lastGood } = this.#options;
    if (lastGood === undefined) {
      await this.reload();
      return;
    }
    await this.#applyLastGood(lastGood);
    source.start(() => {
      this.#following = this.#follow();
    });
  }

  /**
   * Reads the source again.
   * @returns false when nothing has changed
   * @throws why the newest configuration is not in force; the old one stays
   */
  async reload(): Promise<boolean> {
    const { source, configuration } = this.#options;
    let text: string;
    try {
      text = await source.read();
    } catch (error) {
      configuration.reject(error);
      throw error;
    }
    const isNew = await configuration.replace(text, source.name);
    if (isNew) await this.#keep(text);
    return isNew;
  }

  /** Close the configuration first: what is being loaded then ends early. */
  async stop(): Promise<void> {
    await this.#options.source.stop();
    await this.#following;
  }

  async #applyLastGood(lastGood: LastGoodConfig): Promise<void> {
    const { configuration, logger } = this.#options;
    try {
      const text = lastGood.load();
      if (text !== undefined) await configuration.replace(text, `last good copy ${lastGood.path}`);
    } catch (error) {
      logger.error({ path: lastGood.path, error: errorMessage(error) }, 'last good configuration not usable');
    }
  }

  /** `reload` has recorded and logged what is wrong; the next change is the next try. */
  async #follow(): Promise<void> {
    await this.reload().catch(() => undefined);
  }

  /** That it cannot be kept must not stop it from being used. */
  async #keep(text: string): Promise<void> {
    const { lastGood, logger } = this.#options;
    try {
      await lastGood?.save(text);
    } catch (error) {
      logger.error({ path: lastGood?.path, error: errorMessage(error) }, 'last good configuration not kept');
    }
  }
}
