import type { IncomingMessage } from 'node:http';
import { type Clock, type FileSystem, nodeFileSystem, systemClock } from '../env/index.ts';
import { PromletError } from '../model/index.ts';
import { createCredentials, inClusterConnection } from './credentials.ts';
import { type KubeConnection, loadKubeconfig } from './kubeconfig.ts';
import { LIMITS } from './limits.ts';
import type { KubeList, KubeObject, WatchEvent } from './objects.ts';
import { apiVersionOf, type Resource, resourcePath } from './resources.ts';
import { Transport, wrap } from './transport.ts';
import { readWatchEvents } from './watch-stream.ts';

export interface KubeClientOptions {
  /** URL of an API server that asks for no credentials (`kubectl proxy`, the sandbox). Wins over the rest. */
  readonly server?: string | undefined;
  /** Path of a kubeconfig. Without it and `server`: the service account of the pod we run in. */
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly userAgent?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly files?: FileSystem;
  readonly clock?: Clock;
}

export interface ObjectName {
  readonly name: string;
  /** Absent for resources that are not namespaced. */
  readonly namespace?: string | undefined;
}

export interface RequestOptions {
  readonly subresource?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Selection {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
}

export interface ListOptions extends Selection, Omit<RequestOptions, 'subresource'> {
  readonly limit?: number;
  readonly continue?: string | undefined;
  /** '0': any version the server has at hand; absent: the newest. */
  readonly resourceVersion?: string | undefined;
}

export interface WatchOptions extends Selection {
  /** The watch starts right behind this version. */
  readonly resourceVersion: string;
  /** The server ends the watch after this long. */
  readonly timeoutMs: number;
  /** No byte for this long ends the watch with `kube/timeout`. */
  readonly idleTimeoutMs: number;
  readonly signal: AbortSignal;
}

export interface ApplyOptions extends RequestOptions {
  /** Who owns the applied fields. */
  readonly fieldManager: string;
  /** Take over fields that another manager owns instead of failing with `kube/conflict`. */
  readonly force?: boolean;
}

export type PatchType = 'merge' | 'json' | 'strategic';

export interface DeleteOptions extends RequestOptions {
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

const PATCH_CONTENT_TYPES = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  // JSON is YAML.
  apply: 'application/apply-patch+yaml',
} as const;

/**
 * The API of one cluster, as JSON. Every method throws `KubeApiError` when the server refuses and `PromletError`
 * (`kube/unreachable`, `kube/timeout`, `kube/bad-response`) when there is no answer to speak of.
 */
export class KubeClient {
  /** The namespace of the kubeconfig's context or of our own pod. */
  readonly namespace: string;
  readonly server: string;
  readonly #transport: Transport;
  readonly #clock: Clock;

  constructor(connection: KubeConnection, transport: Transport, clock: Clock) {
    this.namespace = connection.namespace;
    this.server = connection.server;
    this.#transport = transport;
    this.#clock = clock;
  }

  get<T extends KubeObject>(resource: Resource, name: ObjectName, options: RequestOptions = {}): Promise<T> {
    return this.#object('GET', pathOf(resource, name, options), undefined, undefined, options);
  }

  /** One page; `metadata.continue` leads to the next. */
  async list<T extends KubeObject>(resource: Resource, options: ListOptions = {}): Promise<KubeList<T>> {
    const query = selectionQuery(options);
    if (options.limit !== undefined) query.set('limit', String(options.limit));
    if (options.continue !== undefined) query.set('continue', options.continue);
    if (options.resourceVersion !== undefined) query.set('resourceVersion', options.resourceVersion);
    const path = withQuery(resourcePath(resource, options), query);
    // Go's nil slice comes as null.
    const list = (await this.request('GET', path, undefined, options)) as { items?: unknown } | null;
    if (typeof list !== 'object' || list === null || !(Array.isArray(list.items) || list.items === null)) {
      throw new PromletError('kube/bad-response', `GET ${path}: the answer is not a list`);
    }
    return { metadata: {}, ...list, items: (list.items ?? []) as T[] };
  }

  /** Creates in `object.metadata.namespace`. */
  create<T extends KubeObject>(resource: Resource, object: T, options: RequestOptions = {}): Promise<T> {
    const { namespace, name } = object.metadata;
    const path = resourcePath(resource, {
      namespace,
      name: options.subresource === undefined ? undefined : name,
      subresource: options.subresource,
    });
    return this.#object('POST', path, typed(resource, object), undefined, options);
  }

  /** Replaces; with a `metadata.resourceVersion` only if nobody else did (else `kube/conflict`). */
  update<T extends KubeObject>(resource: Resource, object: T, options: RequestOptions = {}): Promise<T> {
    return this.#object('PUT', pathOf(resource, nameOf(object), options), typed(resource, object), undefined, options);
  }

  patch<T extends KubeObject>(
    resource: Resource,
    name: ObjectName,
    patch: unknown,
    options: RequestOptions & { readonly type?: PatchType } = {},
  ): Promise<T> {
    const contentType = PATCH_CONTENT_TYPES[options.type ?? 'merge'];
    return this.#object('PATCH', pathOf(resource, name, options), patch, contentType, options);
  }

  /** Server-side apply: creates the object or sets the fields given, and owns them. */
  apply<T extends KubeObject>(resource: Resource, object: T, options: ApplyOptions): Promise<T> {
    const query = new URLSearchParams({ fieldManager: options.fieldManager });
    if (options.force === true) query.set('force', 'true');
    const path = withQuery(pathOf(resource, nameOf(object), options), query);
    return this.#object('PATCH', path, typed(resource, object), PATCH_CONTENT_TYPES.apply, options);
  }

  async delete(resource: Resource, name: ObjectName, options: DeleteOptions = {}): Promise<void> {
    const { propagationPolicy, preconditions } = options;
    const body =
      propagationPolicy === undefined && preconditions === undefined
        ? undefined
        : { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy, preconditions };
    await this.request('DELETE', pathOf(resource, name, options), body, options);
  }

  /** Changes as they happen, until the server or `signal` ends the stream. An ERROR event is thrown. */
  async *watch<T extends KubeObject>(resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const query = selectionQuery(options);
    query.set('watch', 'true');
    query.set('allowWatchBookmarks', 'true');
    query.set('resourceVersion', options.resourceVersion);
    query.set('timeoutSeconds', String(Math.ceil(options.timeoutMs / 1000)));
    const path = withQuery(resourcePath(resource, options), query);
    const what = `GET ${path}`;
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, options.signal]);
    const silence = watchdog(this.#clock, options.idleTimeoutMs, () => stop.abort());
    let response: IncomingMessage | undefined;
    try {
      response = await this.#transport.open({ method: 'GET', path, timeoutMs: 0 }, signal);
      yield* readWatchEvents<T>(response, what, silence.fed);
    } catch (error) {
      if (silence.barked) {
        throw new PromletError('kube/timeout', `${what}: silent for ${options.idleTimeoutMs} ms`, { cause: error });
      }
      throw wrap(error, what);
    } finally {
      silence.stop();
      response?.destroy();
    }
  }

  /** Any path of the API: discovery, reviews, `/version`. @returns the parsed JSON */
  async request(method: string, path: string, body?: unknown, options: RequestOptions = {}): Promise<unknown> {
    return this.#exchange(method, path, body, undefined, options);
  }

  close(): void {
    this.#transport.close();
  }

  async #object<T extends KubeObject>(
    method: string,
    path: string,
    body: unknown,
    contentType: string | undefined,
    options: RequestOptions,
  ): Promise<T> {
    const value = (await this.#exchange(method, path, body, contentType, options)) as T | null;
    if (typeof value !== 'object' || value === null || typeof value.metadata !== 'object') {
      throw new PromletError('kube/bad-response', `${method} ${path}: the answer is not an object of the API`);
    }
    return value;
  }

  async #exchange(
    method: string,
    path: string,
    body: unknown,
    contentType: string | undefined,
    options: RequestOptions,
  ): Promise<unknown> {
    const text = await this.#transport.send({
      method,
      path,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(contentType === undefined ? {} : { contentType }),
      timeoutMs: options.timeoutMs ?? LIMITS.requestTimeoutMs,
      signal: options.signal,
    });
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new PromletError('kube/bad-response', `${method} ${path}: the answer is not JSON`, { cause });
    }
  }
}

/**
 * A client on the API server that the options name.
 * @throws PromletError `kube/bad-config`; the server itself is not contacted yet
 */
export async function createKubeClient(options: KubeClientOptions = {}): Promise<KubeClient> {
  const files = options.files ?? nodeFileSystem;
  const connection = connectionOf(options, files);
  const clock = options.clock ?? systemClock;
  const credentials = createCredentials(connection.user, files, clock);
  return new KubeClient(connection, new Transport(connection, credentials, options.userAgent ?? 'promlet'), clock);
}

function connectionOf(options: KubeClientOptions, files: FileSystem): KubeConnection {
  if (options.server !== undefined) return anonymousConnection(options.server);
  if (options.kubeconfig !== undefined) return loadKubeconfig(options.kubeconfig, files, options.context);
  return inClusterConnection(options.env ?? process.env, files);
}

function anonymousConnection(server: string): KubeConnection {
  return {
    server: server.replace(/\/+$/, ''),
    caPem: undefined,
    tlsServerName: undefined,
    skipTlsVerify: false,
    namespace: 'default',
    user: { name: 'anonymous' },
  };
}

function nameOf(object: KubeObject): ObjectName {
  const { name, namespace } = object.metadata;
  if (name === undefined || name === '') throw new PromletError('kube/bad-request', 'the object has no name');
  return { name, namespace };
}

function pathOf(resource: Resource, name: ObjectName, options: RequestOptions): string {
  return resourcePath(resource, { ...name, subresource: options.subresource });
}

/** Objects may leave out what the resource says anyway. */
function typed<T extends KubeObject>(resource: Resource, object: T): T {
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object };
}

function selectionQuery(selection: Selection): URLSearchParams {
  const query = new URLSearchParams();
  if (selection.fieldSelector !== undefined) query.set('fieldSelector', selection.fieldSelector);
  if (selection.labelSelector !== undefined) query.set('labelSelector', selection.labelSelector);
  return query;
}

function withQuery(path: string, query: URLSearchParams): string {
  return query.size === 0 ? path : `${path}?${query.toString()}`;
}

/** Calls `onSilence` once when it was not fed for `timeoutMs`. */
function watchdog(clock: Clock, timeoutMs: number, onSilence: () => void) {
  const start = () =>
    clock.setTimer(() => {
      dog.barked = true;
      onSilence();
    }, timeoutMs);
  let timer = start();
  const dog = {
    barked: false,
    fed: (): void => {
      timer.cancel();
      timer = start();
    },
    stop: (): void => timer.cancel(),
  };
  return dog;
}
