import { isDeepStrictEqual } from 'node:util';
import type { ScrapeConfig, TargetGroup } from '../../lib/config/index.ts';
import { type Labels, PromletError } from '../../lib/model/index.ts';
import { type LoopContext, ScrapeLoop } from './scrape-loop.ts';
import { targetsFromGroups } from './target.ts';

/** The targets of one job and their loops (Prometheus `scrapePool`). */
export class ScrapePool {
  readonly #context: LoopContext;
  #config: ScrapeConfig;
  #groups: readonly TargetGroup[] = [];
  /** By target key. */
  readonly #loops = new Map<string, ScrapeLoop>();
  #dropped: readonly Labels[] = [];

  constructor(config: ScrapeConfig, context: LoopContext) {
    this.#config = config;
    this.#context = context;
  }

  get loops(): Iterable<ScrapeLoop> {
    return this.#loops.values();
  }

  get targetCount(): number {
    return this.#loops.size;
  }

  /** Discovered labels of targets that relabelling dropped; at most `keep_dropped_targets` are kept. */
  get dropped(): readonly Labels[] {
    const keep = this.#config.keep_dropped_targets;
    return keep > 0 ? this.#dropped.slice(0, keep) : this.#dropped;
  }

  get droppedCount(): number {
    return this.#dropped.length;
  }

  /** Targets that stay the same keep their loop, their connection unless it changed, and their cache. */
  reload(config: ScrapeConfig): void {
    if (isDeepStrictEqual(config, this.#config)) return;
    this.#config = config;
    for (const loop of this.#loops.values()) loop.reconfigure(config);
    this.sync(this.#groups);
  }

  /** Starts loops for new targets and stops those of targets that are gone. */
  sync(groups: readonly TargetGroup[]): void {
    this.#groups = groups;
    const { targets, dropped, failures } = targetsFromGroups(this.#config, groups);
    this.#dropped = dropped;
    for (const failure of failures) {
      this.#context.logger.error({ scrapePool: this.#config.job_name, error: failure }, 'creating target failed');
    }
    const wanted = new Set(targets.map((target) => target.key));
    for (const [key, loop] of this.#loops) {
      if (wanted.has(key)) continue;
      loop.stop();
      this.#loops.delete(key);
    }
    for (const target of targets) {
      if (this.#loops.has(target.key)) continue;
      const loop = new ScrapeLoop(target, this.#config, this.#context);
      this.#loops.set(target.key, loop);
      loop.start();
    }
    const limitError = this.#targetLimitError();
    for (const loop of this.#loops.values()) loop.forcedError = limitError;
  }

  /** Removes the job: its series get stale markers. */
  stop(): void {
    for (const loop of this.#loops.values()) loop.stop();
    this.#loops.clear();
  }

  abandon(): void {
    for (const loop of this.#loops.values()) loop.abandon();
    this.#loops.clear();
  }

  #targetLimitError(): PromletError | undefined {
    const limit = this.#config.target_limit || this.#context.limits.targetsPerJob;
    const count = this.#loops.size;
    if (limit === 0 || count <= limit) return undefined;
    this.#context.stats.exceededTargetLimit++;
    const message = `target_limit exceeded (number of targets: ${count}, limit: ${limit})`;
    return new PromletError('scrape/target-limit', message);
  }
}
