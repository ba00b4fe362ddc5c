import type { Logger } from '../../lib/env/index.ts';
import {
  isKubeError,
  type KubeClient,
  type KubeObject,
  Reflector,
  type ReflectorMetrics,
  type Resource,
  type StoreEvent,
} from '../../lib/kube/index.ts';
import { MONITOR_KINDS, type MonitorKind } from '../monitors/index.ts';

export interface MonitorWatchOptions {
  readonly client: Pick<KubeClient, 'list' | 'watch'>;
  readonly logger: Logger;
  readonly metrics: ReflectorMetrics;
  /** Empty: all namespaces. */
  readonly namespaces: readonly string[];
  readonly denyNamespaces: readonly string[];
  readonly onChange: () => void;
  readonly onDelete: (resource: Resource, key: string) => void;
}

/** One monitor as the API server has it. */
export interface WatchedMonitor {
  readonly kind: MonitorKind;
  readonly resource: Resource;
  readonly object: KubeObject;
}

interface Source {
  readonly kind: MonitorKind;
  readonly resource: Resource;
  readonly reflector: Reflector<KubeObject>;
}

/** Local copies of the monitors of all kinds. */
export class MonitorWatch {
  readonly #sources: readonly Source[];
  readonly #denied: ReadonlySet<string>;

  constructor(options: MonitorWatchOptions) {
    this.#denied = new Set(options.denyNamespaces);
    const scopes = options.namespaces.length === 0 ? [undefined] : options.namespaces;
    this.#sources = MONITOR_KINDS.flatMap((kind) => scopes.map((namespace) => createSource(kind, namespace, options)));
  }

  start(): void {
    for (const { reflector } of this.#sources) reflector.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#sources.map(({ reflector }) => reflector.stop()));
  }

  /**
   * Whether every kind was listed once, or does not exist in this cluster. Before that, a configuration would lack the
   * jobs of what is still to come.
   */
  get isComplete(): boolean {
    return this.#sources.every(({ reflector }) => reflector.hasSynced || isMissing(reflector));
  }

  /** All monitors in the order of their jobs: by kind, then by `namespace/name`. */
  monitors(): WatchedMonitor[] {
    return this.#sources
      .toSorted((a, b) => MONITOR_KINDS.indexOf(a.kind) - MONITOR_KINDS.indexOf(b.kind))
      .flatMap(({ kind, resource, reflector }) =>
        [...reflector.objects].map(([key, object]) => ({ key, kind, resource, object })),
      )
      .filter(({ object }) => !this.#denied.has(object.metadata.namespace ?? ''))
      .sort((a, b) => (a.kind === b.kind && a.key !== b.key ? (a.key < b.key ? -1 : 1) : 0));
  }
}

function createSource(kind: MonitorKind, namespace: string | undefined, options: MonitorWatchOptions): Source {
  const { group, version, plural } = kind.resource;
  const resource: Resource = { group, version, plural, kind: kind.resource.kind, namespaced: true };
  const { client, logger, metrics } = options;
  const reflector = new Reflector<KubeObject>({ client, resource, namespace, logger, metrics });
  reflector.subscribe((event) => {
    if (event.type === 'delete') options.onDelete(resource, event.key);
    if (!isStatusUpdate(event)) options.onChange();
  });
  void reflector.synced.then(options.onChange);
  return { kind, resource, reflector };
}

/** Only metadata or status changed, most often by our own hand: the generation counts changes of the spec. */
function isStatusUpdate(event: StoreEvent<KubeObject>): boolean {
  if (event.type !== 'update') return false;
  const { uid, generation } = event.object.metadata;
  const previous = event.previous.metadata;
  return generation !== undefined && generation === previous.generation && uid === previous.uid;
}

/** The CRD is not installed (yet). */
function isMissing(reflector: Reflector<KubeObject>): boolean {
  return isKubeError(reflector.lastError, 'kube/not-found');
}
