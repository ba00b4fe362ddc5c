import { type Clock, type Logger, type Random, systemClock, systemRandom } from '../env/index.ts';
import { assert, errorMessage } from '../model/index.ts';
import { KubeApiError } from './api-error.ts';
import { Backoff, sleep } from './backoff.ts';
import type { KubeClient, Selection } from './client.ts';
import { LIMITS } from './limits.ts';
import { type KubeObject, objectKey } from './objects.ts';
import type { Resource } from './resources.ts';

const BACKOFF = { initialMs: 500, maxMs: 30_000, resetMs: 120_000 };
/** A watch ends after 5 to 10 minutes (client-go's choice), so that load spreads over the API servers. */
const WATCH_TIMEOUT_MS = 300_000;
/** A real server sends a bookmark about once a minute; two missing ones mean the connection is dead. */
const IDLE_TIMEOUT_MS = 150_000;

/** What happened to one object. `key` is `namespace/name`. */
export type StoreEvent<T extends KubeObject> =
  | { readonly type: 'add'; readonly key: string; readonly object: T }
  | { readonly type: 'update'; readonly key: string; readonly object: T; readonly previous: T }
  | { readonly type: 'delete'; readonly key: string; readonly object: T };

/** Counts for the metrics of whoever runs the reflector. */
export interface ReflectorMetrics {
  onList(resource: Resource, ok: boolean): void;
  onWatchEnd(resource: Resource, ok: boolean): void;
}

export interface ReflectorOptions<T extends KubeObject> extends Selection {
  readonly client: Pick<KubeClient, 'list' | 'watch'>;
  readonly resource: Resource;
  readonly logger: Logger;
  /** Applied before an object is kept; drop what nobody reads. */
  readonly transform?: (object: T) => T;
  readonly metrics?: ReflectorMetrics;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly pageSize?: number;
  readonly watchTimeoutMs?: number;
  readonly idleTimeoutMs?: number;
}

/**
 * Keeps a local copy of a selection of objects: list, then watch, for ever.
 *
 *     list (paged) ─▶ watch from its version ─▶ ended by time: watch on
 *       ▲                                   └─▶ failed: back off, watch on from the last version seen
 *       └───────────────────────────────────── 410 Gone: list again
 *
 * While the server is away the copy stays as it was. Follows client-go `tools/cache/reflector.go`.
 */
export class Reflector<T extends KubeObject> {
  /** Resolves with the first complete list; never rejects. */
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions<T>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #backoff: Backoff;
  readonly #objects = new Map<string, T>();
  readonly #listeners = new Set<(event: StoreEvent<T>) => void>();
  readonly #stop = new AbortController();
  #markSynced: () => void = () => undefined;
  #hasSynced = false;
  #running: Promise<void> | undefined;
  #lastError: Error | undefined;
  /** Of the last list or event; '' before the first list and after it became too old. */
  #resourceVersion = '0';

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#backoff = new Backoff({ ...BACKOFF, clock: this.#clock, random: this.#random });
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
  }

  /** Current objects by `namespace/name`. Live: it changes with every event. */
  get objects(): ReadonlyMap<string, T> {
    return this.#objects;
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Why the last list or watch failed; undefined since one succeeded. */
  get lastError(): Error | undefined {
    return this.#lastError;
  }

  /** Calls `listener` after each change of `objects`, once per subscription. @returns how to stop this one */
  subscribe(listener: (event: StoreEvent<T>) => void): () => void {
    // A function of its own: the same listener may subscribe twice (two jobs of one manager), and end once.
    const subscription = (event: StoreEvent<T>): void => listener(event);
    this.#listeners.add(subscription);
    return () => void this.#listeners.delete(subscription);
  }

  start(): void {
    assert(this.#running === undefined, 'reflector: started twice');
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let mustList = true;
    while (!signal.aborted) {
      try {
        if (mustList) await this.#list();
        mustList = false;
        await this.#watch();
      } catch (error) {
        if (signal.aborted) return;
        mustList = this.#noteFailure(error) || mustList;
        await sleep(this.#clock, this.#delayAfter(error), signal);
      }
    }
  }

  /** @returns whether the version we hold is of no use any more */
  #noteFailure(error: unknown): boolean {
    const { resource, logger } = this.#options;
    this.#lastError = error instanceof Error ? error : new Error(errorMessage(error));
    if (isVersionUnusable(error)) {
      logger.info(
        { resource: resource.plural, reason: errorMessage(error) },
        'resource version expired, listing again',
      );
      this.#resourceVersion = '';
      return true;
    }
    logger.warn({ resource: resource.plural, error: errorMessage(error) }, 'list or watch failed');
    return false;
  }

  #delayAfter(error: unknown): number {
    const delayMs = this.#backoff.next();
    return error instanceof KubeApiError ? Math.max(delayMs, error.retryAfterMs ?? 0) : delayMs;
  }

  async #list(): Promise<void> {
    const { client, resource, namespace, fieldSelector, labelSelector, metrics } = this.#options;
    const items: T[] = [];
    let next: string | undefined;
    try {
      do {
        const page = await client.list<T>(resource, {
          namespace,
          fieldSelector,
          labelSelector,
          limit: this.#options.pageSize ?? LIMITS.listPageSize,
          // A continue token already fixes the version. '0' and older ones let the server answer from its cache.
          ...(next === undefined ? { resourceVersion: this.#resourceVersion } : { continue: next }),
          signal: this.#stop.signal,
        });
        items.push(...page.items);
        next = page.metadata.continue === '' ? undefined : page.metadata.continue;
        if (next === undefined) this.#resourceVersion = page.metadata.resourceVersion ?? '';
      } while (next !== undefined);
    } catch (error) {
      metrics?.onList(resource, false);
      throw error;
    }
    metrics?.onList(resource, true);
    this.#lastError = undefined;
    this.#replace(items);
    this.#hasSynced = true;
    this.#markSynced();
  }

  async #watch(): Promise<void> {
    const { client, resource, namespace, fieldSelector, labelSelector, metrics } = this.#options;
    const timeoutMs = (this.#options.watchTimeoutMs ?? WATCH_TIMEOUT_MS) * (1 + this.#random());
    const startedMs = this.#clock.monotonicMs();
    let events = 0;
    try {
      const stream = client.watch<T>(resource, {
        namespace,
        fieldSelector,
        labelSelector,
        resourceVersion: this.#resourceVersion,
        timeoutMs,
        idleTimeoutMs: this.#options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
        signal: this.#stop.signal,
      });
      for await (const event of stream) {
        events++;
        this.#lastError = undefined;
        if (event.type === 'DELETED') this.#remove(objectKey(event.object));
        else if (event.type !== 'BOOKMARK') this.#put(event.object);
        this.#resourceVersion = event.object.metadata.resourceVersion ?? this.#resourceVersion;
      }
    } catch (error) {
      metrics?.onWatchEnd(resource, false);
      throw error;
    }
    metrics?.onWatchEnd(resource, true);
    // A server that ends watches at once would be asked in a tight loop.
    if (events === 0 && this.#clock.monotonicMs() - startedMs < 1000) {
      await sleep(this.#clock, this.#backoff.next(), this.#stop.signal);
    }
  }

  #replace(items: readonly T[]): void {
    const gone = new Set(this.#objects.keys());
    for (const item of items) {
      gone.delete(objectKey(item));
      this.#put(item);
    }
    for (const key of gone) this.#remove(key);
  }

  #put(received: T): void {
    const key = objectKey(received);
    const previous = this.#objects.get(key);
    const version = received.metadata.resourceVersion;
    if (previous !== undefined && version !== undefined && previous.metadata.resourceVersion === version) return;
    const object = this.#options.transform?.(received) ?? received;
    this.#objects.set(key, object);
    this.#emit(previous === undefined ? { type: 'add', key, object } : { type: 'update', key, object, previous });
  }

  #remove(key: string): void {
    const object = this.#objects.get(key);
    if (object === undefined) return;
    this.#objects.delete(key);
    this.#emit({ type: 'delete', key, object });
  }

  #emit(event: StoreEvent<T>): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** 410 on a list or a watch, or a server that is behind the version we saw (client-go isTooLargeResourceVersionError). */
function isVersionUnusable(error: unknown): boolean {
  if (!(error instanceof KubeApiError)) return false;
  return error.code === 'kube/gone' || error.httpStatus === 410 || /too large resource version/i.test(error.message);
}
