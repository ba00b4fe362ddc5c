import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { type Clock, systemClock } from '../../../lib/env/index.ts';
import { freePort } from '../ports.ts';
import { type Fault, Faults } from './faults.ts';
import { asJson, type KubeObject } from './object.ts';
import { Registry } from './registry.ts';
import { inVersion, type ResourceType, storageKey } from './resource-type.ts';
import { Resources, type WriteOptions } from './resources.ts';
import { type Backend, route, sendJson } from './routes.ts';
import { labelPredicate } from './selectors.ts';
import { ApiError, noSuchPath } from './status.ts';
import { objectKey, Store } from './store.ts';

export interface ApiServerOptions {
  /** Default: any that is free, and stays free for it while it is stopped. */
  port?: number;
  clock?: Clock;
}

/** An object as a test writes it down. */
export type Manifest = Pick<KubeObject, 'apiVersion' | 'kind'> & {
  metadata: Partial<KubeObject['metadata']>;
  [field: string]: unknown;
};

/** An in-memory Kubernetes API server on 127.0.0.1, and the handles by which tests drive it. */
export interface ApiServer {
  readonly url: string;
  readonly port: number;
  /** For the `KUBECONFIG` of a client; context and user are named `sandbox`. */
  kubeconfig(): string;
  /** Creates or replaces an object, its status included; a namespace that is missing is an error. Returns the stored. */
  apply(manifest: Manifest): KubeObject;
  /** The stored object, or undefined. */
  get(apiVersion: string, kind: string, name: string, namespace?: string): KubeObject | undefined;
  list(apiVersion: string, kind: string, options?: { namespace?: string; labelSelector?: string }): KubeObject[];
  /** Deletes with background propagation; an object that is missing is an error. */
  delete(apiVersion: string, kind: string, name: string, namespace?: string): void;
  /** Switches a fault on; the returned function switches it off. */
  inject(fault: Fault): () => void;
  /** Cuts the connection of every running watch. Returns how many there were. */
  dropWatches(): number;
  /** Forgets the history: every resource version so far is answered with 410. */
  compact(): void;
  /** An outage: no connection is left and none is accepted. Objects stay. */
  stop(): Promise<void>;
  /** Ends the outage, on the same port. */
  start(): Promise<void>;
  close(): Promise<void>;
}

const HELPER_WRITE: Omit<WriteOptions, 'warnings'> = {
  fieldManager: 'sandbox',
  fieldValidation: 'Strict',
  dryRun: false,
  force: true,
  subresource: '',
};

/** Starts the server with the namespaces `default`, `kube-system` and `kube-public`. */
export async function startApiServer({ port, clock = systemClock }: ApiServerOptions = {}): Promise<ApiServer> {
  const store = new Store();
  const registry = new Registry();
  const now = (): number => clock.now();
  const resources = new Resources(store, registry, now);
  const backend: Backend = { store, registry, resources, now, watches: new Set() };
  const faults = new Faults();
  let http = await listen(backend, faults, port ?? (await freePort()));
  const address = http.address() as AddressInfo;
  const url = `http://127.0.0.1:${address.port}`;

  const typeOf = (apiVersion: string, kind: string): ResourceType => {
    const type = registry.byKind(apiVersion, kind);
    if (type === undefined) throw noSuchPath();
    return type;
  };
  const apply = (manifest: Manifest): KubeObject => {
    const type = typeOf(manifest.apiVersion, manifest.kind);
    const { resourceVersion: _version, uid: _uid, managedFields: _fields, ...metadata } = manifest.metadata;
    const body = asJson({ ...manifest, metadata } as KubeObject);
    const namespace = type.namespaced ? (metadata.namespace ?? 'default') : undefined;
    const live = store.get(storageKey(type), objectKey(namespace, metadata.name ?? ''));
    const options = { ...HELPER_WRITE, warnings: [] };
    const current = { ...metadata, resourceVersion: live?.metadata.resourceVersion } as typeof metadata;
    const stored =
      live === undefined
        ? resources.create(type, namespace, body, options)
        : resources.update(
            type,
            namespace,
            live.metadata.name,
            asJson({ ...manifest, metadata: current } as KubeObject),
            options,
          );
    if (!type.hasStatus || manifest.status === undefined) return stored;
    const withStatus = asJson({ ...inVersion(stored, type), status: manifest.status });
    return resources.update(type, namespace, stored.metadata.name, withStatus, { ...options, subresource: 'status' });
  };
  for (const name of ['default', 'kube-system', 'kube-public']) {
    apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }

  const stop = (): Promise<void> => closed(http);
  return {
    url,
    port: address.port,
    kubeconfig: () => kubeconfigFor(url),
    apply,
    get(apiVersion, kind, name, namespace) {
      const type = typeOf(apiVersion, kind);
      const object = store.get(
        storageKey(type),
        objectKey(type.namespaced ? (namespace ?? 'default') : undefined, name),
      );
      return object && inVersion(object, type);
    },
    list(apiVersion, kind, { namespace, labelSelector = '' } = {}) {
      const type = typeOf(apiVersion, kind);
      const isWanted = labelPredicate(labelSelector);
      const objects = [...store.entries(storageKey(type), namespace)].map(([, object]) => inVersion(object, type));
      return objects.filter(isWanted);
    },
    delete(apiVersion, kind, name, namespace) {
      const type = typeOf(apiVersion, kind);
      const home = type.namespaced ? (namespace ?? 'default') : undefined;
      resources.delete(type, home, name, { propagationPolicy: 'Background', dryRun: false });
    },
    inject: (fault) => faults.add(fault),
    dropWatches() {
      const open = [...backend.watches];
      for (const response of open) response.destroy();
      return open.length;
    },
    compact: () => store.compact(),
    stop,
    async start() {
      if (!http.listening) http = await listen(backend, faults, address.port);
    },
    close: stop,
  };
}

async function listen(backend: Backend, faults: Faults, port: number): Promise<Server> {
  const http = createServer({ requestTimeout: 0, keepAliveTimeout: 60_000 }, (request, response) => {
    const serve = async (): Promise<void> => {
      const fault = faults.take({ method: request.method ?? 'GET', url: request.url ?? '/' });
      if (fault?.delayMs !== undefined) await new Promise((resolve) => void setTimeout(resolve, fault.delayMs));
      if (fault?.retryAfterSeconds !== undefined) response.setHeader('Retry-After', fault.retryAfterSeconds);
      if (fault?.error !== undefined) throw fault.error;
      await route(backend, request, response);
    };
    serve().catch((error: unknown) => sendError(response, error));
  });
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, '127.0.0.1', resolve);
  });
  return http;
}

function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  // A bug in this server must be seen by whoever runs the test.
  if (!(error instanceof ApiError)) console.error('sandbox API server:', error);
  const answer =
    error instanceof ApiError ? error : new ApiError(500, 'InternalError', `Internal error occurred: ${String(error)}`);
  sendJson(response, answer.code, answer.toStatus());
}

function closed(http: Server): Promise<void> {
  if (!http.listening) return Promise.resolve();
  return new Promise((resolve, reject) => {
    http.close((error) => (error === undefined ? resolve() : reject(error)));
    http.closeAllConnections();
  });
}

function kubeconfigFor(server: string): string {
  const name = 'sandbox';
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server } }],
    users: [{ name, user: { token: 'sandbox' } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: 'default' } }],
    'current-context': name,
  });
}
