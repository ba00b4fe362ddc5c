import type { KubeObject } from './object.ts';
import { type ResourceType, storageKey } from './resource-type.ts';
import { expired } from './status.ts';

export interface StoreEvent {
  /** Version of the store right after the change. */
  resourceVersion: number;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  resource: string;
  key: string;
  /** The new object; for DELETED the last state, with the resource version of the deletion. */
  object: KubeObject;
  /** The object before the change; undefined for ADDED. */
  previous: KubeObject | undefined;
}

/** Events kept for watches and for continued lists, as etcd keeps revisions between two compactions. */
const MAX_HISTORY = 20_000;

/** One kind of stored objects; `keys` is sorted and rebuilt when an object came or went. */
interface Shelf {
  objects: Map<string, KubeObject>;
  keys: string[] | undefined;
}

/** Objects are stored by resource and by `namespace/name` (cluster-scoped: `/name`). */
export function objectKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}

/**
 * All objects, a version that grows with every write, and the last changes in order. Values are immutable: a write
 * replaces the object, so a reader may keep what it got.
 */
export class Store {
  readonly #shelves = new Map<string, Shelf>();
  readonly #subscribers = new Map<string, Set<(event: StoreEvent) => void>>();
  /** uid of an owner → `resource key` of its dependents. */
  readonly #dependents = new Map<string, Map<string, { resource: string; key: string }>>();
  #history: StoreEvent[] = [];
  #resourceVersion = 1;
  /** Changes up to this version are forgotten. */
  #compactedVersion = 1;

  get resourceVersion(): number {
    return this.#resourceVersion;
  }

  get(resource: string, key: string): KubeObject | undefined {
    return this.#shelves.get(resource)?.objects.get(key);
  }

  count(resource: string): number {
    return this.#shelves.get(resource)?.objects.size ?? 0;
  }

  resources(): string[] {
    return [...this.#shelves.keys()];
  }

  /** Objects of a resource in key order, of one namespace when given; they may be removed while this runs. */
  *entries(resource: string, namespace?: string): Iterable<[string, KubeObject]> {
    const shelf = this.#shelves.get(resource);
    if (shelf === undefined) return;
    shelf.keys ??= [...shelf.objects.keys()].sort();
    const prefix = namespace === undefined ? '' : `${namespace}/`;
    for (const key of shelf.keys) {
      const object = shelf.objects.get(key);
      if (object !== undefined && key.startsWith(prefix)) yield [key, object];
    }
  }

  /** The same as `entries`, as it was at an earlier version: the changes since then are undone. */
  entriesAt(resource: string, namespace: string | undefined, resourceVersion: number): Iterable<[string, KubeObject]> {
    if (resourceVersion >= this.#resourceVersion) return this.entries(resource, namespace);
    this.#checkKept(resourceVersion);
    const past = new Map(this.entries(resource, namespace));
    for (let i = this.#history.length - 1; i >= 0; i -= 1) {
      const event = this.#history[i]!;
      if (event.resourceVersion <= resourceVersion) break;
      if (event.resource !== resource) continue;
      if (namespace !== undefined && !event.key.startsWith(`${namespace}/`)) continue;
      if (event.previous === undefined) past.delete(event.key);
      else past.set(event.key, event.previous);
    }
    return [...past].sort(([left], [right]) => (left < right ? -1 : 1));
  }

  /** Stores `object` (new or changed) under the next version, which is also written into it. */
  put(type: ResourceType, object: KubeObject): KubeObject {
    const resource = storageKey(type);
    const key = objectKey(object.metadata.namespace, object.metadata.name);
    let shelf = this.#shelves.get(resource);
    if (shelf === undefined) this.#shelves.set(resource, (shelf = { objects: new Map(), keys: undefined }));
    const previous = shelf.objects.get(key);
    const stored = this.#stamped(object);
    shelf.objects.set(key, stored);
    if (previous === undefined) shelf.keys = undefined;
    this.#reindexOwners(resource, key, previous, stored);
    this.#record(previous === undefined ? 'ADDED' : 'MODIFIED', resource, key, stored, previous);
    return stored;
  }

  /** Removes an object; returns its last state under the version of the removal. */
  remove(type: ResourceType, object: KubeObject): KubeObject {
    const resource = storageKey(type);
    const key = objectKey(object.metadata.namespace, object.metadata.name);
    const shelf = this.#shelves.get(resource);
    const previous = shelf?.objects.get(key);
    if (shelf === undefined || previous === undefined) return object;
    shelf.objects.delete(key);
    shelf.keys = undefined;
    const last = this.#stamped(previous);
    this.#reindexOwners(resource, key, previous, undefined);
    this.#record('DELETED', resource, key, last, previous);
    return last;
  }

  dependentsOf(uid: string): KubeObject[] {
    const places = [...(this.#dependents.get(uid)?.values() ?? [])];
    return places.map(({ resource, key }) => this.get(resource, key)).filter((object) => object !== undefined);
  }

  /** Changes of a resource after `resourceVersion`, oldest first. Throws 410 Expired when they are forgotten. */
  changesSince(resource: string, resourceVersion: number): StoreEvent[] {
    this.#checkKept(resourceVersion);
    return this.#history.slice(this.#indexAfter(resourceVersion)).filter((event) => event.resource === resource);
  }

  subscribe(resource: string, onEvent: (event: StoreEvent) => void): () => void {
    let subscribers = this.#subscribers.get(resource);
    if (subscribers === undefined) this.#subscribers.set(resource, (subscribers = new Set()));
    subscribers.add(onEvent);
    return () => subscribers.delete(onEvent);
  }

  /** Forgets all changes so far: an older resource version is answered with 410. */
  compact(): void {
    this.#history = [];
    this.#compactedVersion = this.#resourceVersion;
  }

  #checkKept(resourceVersion: number): void {
    if (resourceVersion >= this.#compactedVersion) return;
    throw expired(`too old resource version: ${resourceVersion} (${this.#compactedVersion})`);
  }

  /** Index of the first kept event after `resourceVersion`. */
  #indexAfter(resourceVersion: number): number {
    let low = 0;
    let high = this.#history.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#history[middle]!.resourceVersion <= resourceVersion) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #stamped(object: KubeObject): KubeObject {
    this.#resourceVersion += 1;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#resourceVersion) } };
  }

  #record(
    type: StoreEvent['type'],
    resource: string,
    key: string,
    object: KubeObject,
    previous: KubeObject | undefined,
  ): void {
    const event: StoreEvent = { resourceVersion: this.#resourceVersion, type, resource, key, object, previous };
    this.#history.push(event);
    if (this.#history.length > MAX_HISTORY) {
      this.#history = this.#history.slice(MAX_HISTORY / 2);
      this.#compactedVersion = this.#history[0]!.resourceVersion - 1;
    }
    for (const onEvent of this.#subscribers.get(resource) ?? []) onEvent(event);
  }

  #reindexOwners(resource: string, key: string, before: KubeObject | undefined, after: KubeObject | undefined): void {
    const place = `${resource} ${key}`;
    for (const { uid } of before?.metadata.ownerReferences ?? []) this.#dependents.get(uid)?.delete(place);
    for (const { uid } of after?.metadata.ownerReferences ?? []) {
      let places = this.#dependents.get(uid);
      if (places === undefined) this.#dependents.set(uid, (places = new Map()));
      places.set(place, { resource, key });
    }
  }
}
