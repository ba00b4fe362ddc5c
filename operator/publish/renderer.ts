import { type ConfigDraft, parseConfig, type ScrapeConfigDraft, serializeConfig } from '../../lib/config/index.ts';
import { assert } from '../../lib/model/index.ts';

export interface GlobalOptions {
  /** ms */
  readonly scrapeIntervalMs: number;
  /** Prometheus's default when absent; ms. */
  readonly scrapeTimeoutMs?: number | undefined;
  /** For federation and remote storage; empty is left out. */
  readonly externalLabels: Readonly<Record<string, string>>;
}

const JOBS_HEADER = 'scrape_configs:\n';

/**
 * Writes the agents' configuration piece by piece, so that of ten thousand monitors only the one that changed is
 * written anew. Every agent gets the same configuration and serves its discovery node-locally.
 *
 *     global: …                                  ─ head
 *     scrape_configs:
 *       - job_name: serviceMonitor/a/b/0 …       ─ fragment of monitor a/b
 *       - job_name: podMonitor/a/c/0 …           ─ fragment of monitor a/c
 */
export class ConfigRenderer {
  readonly #global: NonNullable<ConfigDraft['global']>;

  constructor(options: GlobalOptions) {
    this.#global = {
      scrape_interval: options.scrapeIntervalMs,
      scrape_timeout: options.scrapeTimeoutMs,
      external_labels: options.externalLabels,
    };
  }

  /**
   * The jobs of one monitor as items of `scrape_configs`; '' for none. They are read back the way an agent will read
   * them, so that whatever slipped through the checks before is refused here and not by every agent.
   * @throws ConfigError
   */
  async fragment(jobs: readonly ScrapeConfigDraft[]): Promise<string> {
    if (jobs.length === 0) return '';
    const yaml = await serializeConfig({ global: this.#global, scrape_configs: jobs });
    await parseConfig(yaml);
    const start = yaml.indexOf(`\n${JOBS_HEADER}`);
    assert(start >= 0, 'renderer: scrape_configs begin a line');
    return yaml.slice(start + 1 + JOBS_HEADER.length);
  }

  /** The whole configuration. */
  async join(fragments: readonly string[]): Promise<string> {
    const head = await serializeConfig({ global: this.#global });
    const jobs = fragments.join('');
    return jobs === '' ? head : head + JOBS_HEADER + jobs;
  }
}
