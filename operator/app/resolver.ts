import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { errorMessage, PromletError } from '../../lib/model/index.ts';
import {
  type CredentialReference,
  type CredentialSource,
  type MonitorOptions,
  resolveMonitor,
} from '../monitors/index.ts';
import type { ConfigRenderer } from '../publish/index.ts';
import type { CredentialStore } from './credential-store.ts';
import type { WatchedMonitor } from './monitor-watch.ts';

/** Monitors handled before other work gets its turn. */
const BATCH = 16;

/** What a monitor adds to the configuration, or why it adds nothing. */
export interface Resolved {
  readonly monitor: WatchedMonitor;
  /** Items of `scrape_configs`, YAML. */
  readonly fragment: string;
  readonly rejection: string | undefined;
  /** Whether it depends on the monitor's spec alone. */
  readonly isKeepable: boolean;
}

/** Turns monitors into pieces of configuration; keeps the pieces of monitors that did not change. */
export class MonitorResolver {
  readonly #options: MonitorOptions;
  readonly #credentials: CredentialStore;
  readonly #renderer: ConfigRenderer;
  /** By `versionOf`; only monitors that take no credentials: their pieces hold as long as the spec does. */
  #kept = new Map<string, Resolved>();

  constructor(options: MonitorOptions, credentials: CredentialStore, renderer: ConfigRenderer) {
    this.#options = options;
    this.#credentials = credentials;
    this.#renderer = renderer;
  }

  /** One result per monitor, in the same order. @throws PromletError `kube/…` when Secrets cannot be asked for */
  async resolve(monitors: readonly WatchedMonitor[]): Promise<Resolved[]> {
    await this.#credentials.load(await this.#references(monitors));
    const lookup: CredentialSource = (reference) => this.#credentials.lookup(reference);
    const resolved: Resolved[] = [];
    const keep = new Map<string, Resolved>();
    for (const [i, monitor] of monitors.entries()) {
      if (i % BATCH === BATCH - 1) await yieldToEventLoop();
      const version = versionOf(monitor);
      const known = this.#kept.get(version);
      const result = known === undefined ? await this.#resolveOne(monitor, lookup) : { ...known, monitor };
      resolved.push(result);
      if (result.isKeepable && version !== '') keep.set(version, result);
    }
    this.#kept = keep;
    return resolved;
  }

  /** All that is named: a stand-in for every value lets a monitor name the next one too. */
  async #references(monitors: readonly WatchedMonitor[]): Promise<CredentialReference[]> {
    const references: CredentialReference[] = [];
    for (const [i, monitor] of monitors.entries()) {
      if (i % BATCH === BATCH - 1) await yieldToEventLoop();
      if (this.#kept.has(versionOf(monitor))) continue;
      references.push(...resolveMonitor(monitor.kind, monitor.object, this.#options, () => 'unknown').references);
    }
    return references;
  }

  async #resolveOne(monitor: WatchedMonitor, lookup: CredentialSource): Promise<Resolved> {
    const { jobs, rejection, references } = resolveMonitor(monitor.kind, monitor.object, this.#options, lookup);
    const isKeepable = references.length === 0;
    try {
      return { monitor, fragment: await this.#renderer.fragment(jobs), rejection, isKeepable };
    } catch (error) {
      if (!(error instanceof PromletError)) throw error;
      return { monitor, fragment: '', rejection: errorMessage(error), isKeepable };
    }
  }
}

/** Which spec this is; '' when the API server does not say. */
function versionOf({ resource, object: { metadata } }: WatchedMonitor): string {
  const { uid, generation } = metadata;
  return uid === undefined || generation === undefined ? '' : `${resource.plural}/${uid}/${generation}`;
}
