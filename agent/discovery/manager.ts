import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ScrapeConfig, type TargetGroup, unsupportedMechanisms } from '../../lib/config/index.ts';
import type { Clock, Logger, Random, Timer } from '../../lib/env/index.ts';
import type { KubeClient } from '../../lib/kube/index.ts';
import { errorMessage, Labels, PromletError } from '../../lib/model/index.ts';
import { checkKubernetesConfig, KubernetesProvider } from './kubernetes.ts';
import type { Provider } from './provider.ts';
import { SharedReflectors } from './shared-reflectors.ts';

/** Ways of discovery that are served. */
const MECHANISMS = ['static', 'kubernetes'];
/** Changes that come together (a rollout, a first list) are passed on as one. */
const DEBOUNCE_MS = 100;
/** Targets are written down this long after a change, so that a rollout is one write. */
const REMEMBER_AFTER_MS = 1_000;

/** Keeps what was discovered over a restart: without it, an agent that starts while the API server is away scrapes nothing. */
export interface TargetMemory {
  load(): ReadonlyMap<string, readonly TargetGroup[]>;
  /** Resolves when it is done; logs what goes wrong itself. */
  save(groupsByJob: ReadonlyMap<string, readonly TargetGroup[]>): Promise<void>;
}

export interface DiscoveryOptions {
  /** The node whose pods are discovered; undefined where there is no Kubernetes. */
  readonly nodeName: string | undefined;
  /** Called when a configuration first needs the API server. */
  readonly client: () => Promise<KubeClient>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly memory?: TargetMemory;
  /** Gets all groups of a job: of each when a configuration is applied, later of those that changed. */
  readonly onGroups: (jobName: string, groups: readonly TargetGroup[]) => void;
}

/** Runs the service discovery of all jobs and passes on what they find. */
export class DiscoveryManager {
  readonly #options: DiscoveryOptions;
  #jobs = new Map<string, readonly Provider[]>();
  /** What was last passed on, or remembered; a job keeps it until all its providers know their targets. */
  readonly #groups: Map<string, readonly TargetGroup[]>;
  #client: KubeClient | undefined;
  #reflectors: SharedReflectors | undefined;
  #pending: Timer | undefined;
  #remembering: Timer | undefined;
  #saving: Promise<void> | undefined;
  #stopped = false;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#groups = new Map(options.memory?.load());
  }

  /**
   * Whether `apply` would take this job.
   * @throws PromletError `discovery/unsupported`, or why there is no API server to ask
   */
  async check(config: ScrapeConfig): Promise<void> {
    const unsupported = unsupportedMechanisms(config, MECHANISMS);
    if (unsupported.length > 0) throw new PromletError('discovery/unsupported', unsupported.join('; '));
    for (const kubernetes of config.kubernetes_sd_configs) {
      checkKubernetesConfig(kubernetes, this.#options.nodeName);
      this.#client ??= await this.#options.client();
    }
  }

  /** Replaces all jobs. What does not depend on others is passed on before it resolves. Check first. */
  async apply(configs: readonly ScrapeConfig[]): Promise<void> {
    const previous = this.#jobs;
    const jobs = new Map(configs.map((config) => [config.job_name, this.#providersOf(config)]));
    this.#jobs = jobs;
    this.#pending?.cancel();
    this.#pending = undefined;
    for (const job of this.#groups.keys()) if (!jobs.has(job)) this.#forget(job);
    await this.#passOn(true);
    for (const providers of previous.values()) for (const provider of providers) await provider.stop();
  }

  /** Why discovery may be out of date; empty when all is well. */
  errors(): string[] {
    return this.#reflectors?.errors() ?? [];
  }

  /** Passes on nothing more: that targets are not discovered any longer does not mean that they are gone. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#pending?.cancel();
    this.#saveIfDue();
    await this.#saving;
    const jobs = this.#jobs;
    this.#jobs = new Map();
    for (const providers of jobs.values()) for (const provider of providers) await provider.stop();
  }

  #providersOf(config: ScrapeConfig): Provider[] {
    const providers: Provider[] = [];
    if (config.static_configs.length > 0) providers.push(staticProvider(config));
    for (const kubernetes of config.kubernetes_sd_configs) {
      const client = this.#client!;
      this.#reflectors ??= new SharedReflectors({ ...this.#options, client });
      const options = { config: kubernetes, nodeName: this.#options.nodeName!, client, reflectors: this.#reflectors };
      providers.push(new KubernetesProvider({ ...options, onChange: this.#changed }));
    }
    return providers;
  }

  readonly #changed = (): void => {
    if (this.#stopped) return;
    this.#pending ??= this.#options.clock.setTimer(() => {
      this.#pending = undefined;
      this.#passOn(false).catch((error: unknown) => {
        this.#options.logger.error({ error: errorMessage(error) }, 'passing on discovered targets failed');
      });
    }, DEBOUNCE_MS);
  };

  /**
   * Passes on what changed, or all; scraping gets its turn between two jobs, as making targets of hundreds takes a while.
   * Ends early when other jobs were applied meanwhile: that passes on everything itself.
   */
  async #passOn(all: boolean): Promise<void> {
    const jobs = this.#jobs;
    for (const [job, providers] of jobs) {
      const known = this.#groups.get(job);
      const groups = collect(providers) ?? known ?? [];
      const changed = known === undefined || !sameGroups(groups, known);
      if (changed) {
        this.#groups.set(job, groups);
        this.#remember();
      }
      if (!changed && !all) continue;
      this.#options.onGroups(job, groups);
      await nextTurn();
      if (this.#stopped || this.#jobs !== jobs) return;
    }
  }

  #forget(job: string): void {
    this.#groups.delete(job);
    this.#remember();
  }

  #remember(): void {
    const { memory, clock } = this.#options;
    if (memory === undefined) return;
    this.#remembering ??= clock.setTimer(() => this.#saveIfDue(), REMEMBER_AFTER_MS);
  }

  #saveIfDue(): void {
    if (this.#remembering === undefined) return;
    this.#remembering.cancel();
    this.#remembering = undefined;
    this.#saving = this.#options.memory?.save(this.#groups);
  }
}

/** Groups are immutable, and those of unchanged pods are not built again. */
function sameGroups(a: readonly TargetGroup[], b: readonly TargetGroup[]): boolean {
  return a.length === b.length && a.every((group, i) => group === b[i]);
}

/** undefined as long as one provider does not know its targets. Sources are made unique within the job. */
function collect(providers: readonly Provider[]): TargetGroup[] | undefined {
  const all: TargetGroup[] = [];
  for (const [i, provider] of providers.entries()) {
    const groups = provider.groups();
    if (groups === undefined) return undefined;
    for (const group of groups) all.push(i === 0 ? group : { ...group, source: `${i}/${group.source}` });
  }
  return all;
}

function staticProvider(config: ScrapeConfig): Provider {
  const groups = config.static_configs.map(({ targets, labels }, i) => ({
    source: `static/${i}`,
    labels: Labels.of(labels ?? {}),
    targets: targets.map((target) => Labels.of({ __address__: target })),
  }));
  return { groups: () => groups, stop: () => Promise.resolve() };
}
