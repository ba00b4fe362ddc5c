import { randomBytes, randomUUID } from 'node:crypto';

import { admitObject, decodeObject, type FieldValidation } from './admission.ts';
import { applyConfiguration } from './apply.ts';
import { checkImmutable, completed } from './builtin-rules.ts';
import { equal, getAt, type Json } from './json.ts';
import { updateManagedFields } from './managed-fields.ts';
import { asJson, type KubeObject } from './object.ts';
import { patchedBy, type PatchKind } from './patch.ts';
import type { Registry } from './registry.ts';
import { apiVersionOf, inVersion, type ResourceType, storageKey } from './resource-type.ts';
import * as status from './status.ts';
import { objectKey, type Store } from './store.ts';
import { isIgnored, restrictedTo, specChanged } from './write-scope.ts';

/** What a write carries besides the object. */
export interface WriteOptions {
  fieldManager: string;
  fieldValidation: FieldValidation;
  dryRun: boolean;
  force: boolean;
  subresource: '' | 'status';
  /** Filled with lines for the `Warning` header. */
  warnings: string[];
}

export interface DeleteOptions {
  propagationPolicy: 'Background' | 'Foreground' | 'Orphan';
  uid?: string;
  resourceVersion?: string;
  dryRun: boolean;
}

const CRDS = 'apiextensions.k8s.io/customresourcedefinitions';
const NAMESPACES = '/namespaces';

/** Create, update, patch and delete with the semantics of the real API server, over a `Store`. */
export class Resources {
  readonly #store: Store;
  readonly #registry: Registry;
  readonly #now: () => number;
  #number = 0;
  /** The namespace whose content is being deleted: it is finished once, at the end. */
  #emptying: string | undefined;

  constructor(store: Store, registry: Registry, now: () => number) {
    this.#store = store;
    this.#registry = registry;
    this.#now = now;
  }

  get(type: ResourceType, namespace: string | undefined, name: string): KubeObject {
    const object = this.#store.get(storageKey(type), objectKey(namespace, name));
    if (object === undefined) throw status.notFound(type, name);
    return inVersion(object, type);
  }

  create(type: ResourceType, namespace: string | undefined, body: Json, options: WriteOptions): KubeObject {
    const object = this.#named(type, namespace, decodeObject(type, body, options.fieldValidation, options.warnings));
    const { name } = object.metadata;
    if (this.#store.get(storageKey(type), objectKey(namespace, name)) !== undefined)
      throw status.alreadyExists(type, name);
    if (object.metadata.resourceVersion !== undefined && object.metadata.resourceVersion !== '') {
      throw status.badRequest('resourceVersion should not be set on objects to be created');
    }
    const fresh = this.#fresh(type, object);
    const managed = updateManagedFields(undefined, fresh, type.schema, this.#writer(type, options), this.#time());
    return this.#write(type, { ...fresh, metadata: { ...fresh.metadata, managedFields: managed } }, options);
  }

  update(
    type: ResourceType,
    namespace: string | undefined,
    name: string,
    body: Json,
    options: WriteOptions,
  ): KubeObject {
    const live = this.get(type, namespace, name);
    const object = decodeObject(type, body, options.fieldValidation, options.warnings);
    this.#checkIdentity(type, namespace, name, object);
    if (type.isCustom && (object.metadata.resourceVersion ?? '') === '') {
      const message = 'Invalid value: 0: must be specified for an update';
      throw status.invalid(type, name, [{ reason: 'FieldValueInvalid', field: 'metadata.resourceVersion', message }]);
    }
    return this.#replace(type, live, object, options);
  }

  /** Returns the object and whether an apply created it. */
  patch(
    type: ResourceType,
    namespace: string | undefined,
    name: string,
    kind: PatchKind,
    patch: Json,
    options: WriteOptions,
  ): { object: KubeObject; isNew: boolean } {
    if (kind === 'apply') return this.#apply(type, namespace, name, patch, options);
    const live = this.get(type, namespace, name);
    const patched = patchedBy(kind, asJson(live), patch, type);
    const object = decodeObject(type, patched, options.fieldValidation, options.warnings);
    this.#checkIdentity(type, namespace, name, object);
    return { object: this.#replace(type, live, object, options), isNew: false };
  }

  #apply(
    type: ResourceType,
    namespace: string | undefined,
    name: string,
    patch: Json,
    options: WriteOptions,
  ): { object: KubeObject; isNew: boolean } {
    const config = decodeObject(type, patch, options.fieldValidation, options.warnings);
    if (config.metadata.managedFields !== undefined) throw status.badRequest('metadata.managedFields must be nil');
    const named = { ...config, metadata: { ...config.metadata, name: config.metadata.name ?? name } };
    this.#checkIdentity(type, namespace, name, named);
    const live = this.#store.get(storageKey(type), objectKey(namespace, name));
    const applied = applyConfiguration(live && inVersion(live, type), named, type.schema, {
      writer: { ...this.#writer(type, options), operation: 'Apply' },
      force: options.force,
      time: this.#time(),
      ignores: (path) => isIgnored(type, options.subresource, path[0]),
    });
    if (live !== undefined) {
      return { object: this.#replace(type, inVersion(live, type), applied, options, true), isNew: false };
    }
    if (options.subresource !== '') throw status.notFound(type, name);
    const { uid: _uid, ...metadata } = applied.metadata;
    const fresh = this.#fresh(type, this.#named(type, namespace, { ...applied, metadata }));
    return { object: this.#write(type, fresh, options), isNew: true };
  }

  /** Returns the object when finalizers keep it, or undefined when it is gone; with the uid either way. */
  delete(
    type: ResourceType,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
  ): { uid: string; kept: KubeObject | undefined } {
    const object = this.get(type, namespace, name);
    const { uid = '', resourceVersion, finalizers = [], deletionTimestamp } = object.metadata;
    if (options.uid !== undefined && options.uid !== uid) {
      throw status.conflict(
        type,
        name,
        `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${uid}`,
      );
    }
    if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) {
      throw status.staleWrite(type, name);
    }
    if (options.dryRun) return { uid, kept: undefined };
    if (options.propagationPolicy === 'Orphan') this.#orphanDependents(uid);
    if (options.propagationPolicy === 'Foreground') this.#collectDependents(uid);
    const isNamespace = storageKey(type) === NAMESPACES;
    if (finalizers.length === 0 && !isNamespace) {
      this.#remove(type, object);
      return { uid, kept: undefined };
    }
    if (deletionTimestamp === undefined) {
      const metadata = { ...object.metadata, deletionTimestamp: this.#time(), deletionGracePeriodSeconds: 0 };
      const phase = isNamespace ? { status: { phase: 'Terminating' } } : {};
      this.#store.put(type, { ...object, ...phase, metadata });
    }
    if (isNamespace) this.#emptyNamespace(name);
    return { uid, kept: this.#store.get(storageKey(type), objectKey(namespace, name)) };
  }

  #named(type: ResourceType, namespace: string | undefined, object: KubeObject): KubeObject {
    const { metadata } = object;
    const generated =
      metadata.generateName === undefined
        ? ''
        : `${metadata.generateName}${randomBytes(3).toString('hex').slice(0, 5)}`;
    const name = (metadata.name ?? '') === '' ? generated : metadata.name;
    if (name === '') {
      const cause = {
        reason: 'FieldValueRequired',
        field: 'metadata.name',
        message: 'Required value: name or generateName is required',
      };
      throw status.invalid(type, '', [cause]);
    }
    const named = { ...object, metadata: { ...metadata, name, ...(namespace === undefined ? {} : { namespace }) } };
    if (namespace !== undefined) {
      if (metadata.namespace !== undefined && metadata.namespace !== namespace) throw namespaceMismatch();
      const home = this.#store.get(NAMESPACES, objectKey(undefined, namespace));
      if (home === undefined) throw status.notFound(this.#registry.find('', 'v1', 'namespaces')!, namespace);
      if (home.metadata.deletionTimestamp !== undefined) {
        const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
        throw status.forbidden(type, name, why);
      }
    }
    return named;
  }

  /** A new object with what the server sets at creation. Status is the business of controllers. */
  #fresh(type: ResourceType, object: KubeObject): KubeObject {
    const { resourceVersion: _resourceVersion, deletionTimestamp: _deletionTimestamp, ...metadata } = object.metadata;
    const { status: _status, ...body } = object;
    const kept = type.hasStatus ? body : object;
    return {
      ...kept,
      metadata: {
        ...metadata,
        uid: randomUUID(),
        creationTimestamp: this.#time(),
        ...(type.hasStatus || type.isCustom ? { generation: 1 } : {}),
      },
    };
  }

  #checkIdentity(type: ResourceType, namespace: string | undefined, name: string, object: KubeObject): void {
    const { metadata } = object;
    if (metadata.name !== name) {
      throw status.badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
    }
    if (metadata.namespace !== undefined && metadata.namespace !== namespace) throw namespaceMismatch();
    if (type.namespaced) metadata.namespace = namespace!;
  }

  #replace(
    type: ResourceType,
    live: KubeObject,
    object: KubeObject,
    options: WriteOptions,
    isApply = false,
  ): KubeObject {
    const { name } = live.metadata;
    const { resourceVersion, uid } = object.metadata;
    if ((resourceVersion ?? '') !== '' && resourceVersion !== live.metadata.resourceVersion)
      throw status.staleWrite(type, name);
    if (uid !== undefined && uid !== live.metadata.uid) {
      throw status.conflict(
        type,
        name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`,
      );
    }
    const merged = restrictedTo(type, options.subresource, live, object);
    const finished = completed(type, admitObject(type, merged), this.#ruleContext(), live);
    const managedFields = isApply
      ? (object.metadata.managedFields ?? [])
      : updateManagedFields(live, finished, type.schema, this.#writer(type, options), this.#time());
    const next: KubeObject = { ...finished, metadata: { ...finished.metadata, managedFields } };
    checkImmutable(type, live, next);
    if (next.metadata.generation !== undefined && specChanged(type, live, next)) next.metadata.generation += 1;
    if (equal(asJson(live), asJson(next))) return live;
    return this.#write(type, next, options);
  }

  /** Stores a complete object, or removes it when its last finalizer went. */
  #write(type: ResourceType, object: KubeObject, { dryRun }: WriteOptions): KubeObject {
    const isNew =
      this.#store.get(storageKey(type), objectKey(object.metadata.namespace, object.metadata.name)) === undefined;
    const ready = isNew ? completed(type, admitObject(type, object), this.#ruleContext(), undefined) : object;
    if (dryRun) return ready;
    const isDone = ready.metadata.deletionTimestamp !== undefined && (ready.metadata.finalizers ?? []).length === 0;
    if (isDone && storageKey(type) !== NAMESPACES) {
      this.#remove(type, ready);
      return ready;
    }
    const stored = this.#store.put(type, ready);
    if (storageKey(type) === CRDS) this.#serveCustomResources();
    return stored;
  }

  #remove(type: ResourceType, object: KubeObject): void {
    if (storageKey(type) === CRDS) this.#dropCustomObjects(object);
    this.#store.remove(type, object);
    if (storageKey(type) === CRDS) this.#serveCustomResources();
    if (object.metadata.uid !== undefined) this.#collectDependents(object.metadata.uid);
    const { namespace } = object.metadata;
    if (namespace !== undefined) this.#finishNamespace(namespace);
  }

  #serveCustomResources(): void {
    this.#registry.setCustomResources([...this.#store.entries(CRDS)].map(([, definition]) => definition));
  }

  #dropCustomObjects(definition: KubeObject): void {
    const spec = asJson(definition).spec;
    const resource = `${String(getAt(spec, ['group']))}/${String(getAt(spec, ['names', 'plural']))}`;
    const [type] = this.#registry.ofResource(resource);
    if (type === undefined) return;
    for (const [, object] of this.#store.entries(resource)) this.#store.remove(type, object);
  }

  /** Deletes what the owner with this uid owned alone; takes the reference off what others own too. */
  #collectDependents(uid: string): void {
    this.#detachDependents(uid, true);
  }

  #orphanDependents(uid: string): void {
    this.#detachDependents(uid, false);
  }

  #detachDependents(uid: string, deletesUnowned: boolean): void {
    for (const dependent of this.#store.dependentsOf(uid)) {
      const type = this.#registry.byKind(dependent.apiVersion, dependent.kind);
      if (type === undefined) continue;
      const ownerReferences = (dependent.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid);
      if (deletesUnowned && ownerReferences.length === 0) {
        this.delete(type, dependent.metadata.namespace, dependent.metadata.name, {
          propagationPolicy: 'Background',
          dryRun: false,
        });
      } else {
        this.#store.put(type, { ...dependent, metadata: { ...dependent.metadata, ownerReferences } });
      }
    }
  }

  #emptyNamespace(namespace: string): void {
    this.#emptying = namespace;
    for (const resource of this.#store.resources()) {
      const [type] = this.#registry.ofResource(resource);
      if (type?.namespaced !== true) continue;
      for (const [, object] of this.#store.entries(resource, namespace)) {
        if (this.#store.get(resource, objectKey(namespace, object.metadata.name)) === undefined) continue;
        this.delete(type, namespace, object.metadata.name, { propagationPolicy: 'Background', dryRun: false });
      }
    }
    this.#emptying = undefined;
    this.#finishNamespace(namespace);
  }

  /** Removes a namespace that is being deleted and holds nothing any more. */
  #finishNamespace(name: string): void {
    const namespace = this.#store.get(NAMESPACES, objectKey(undefined, name));
    if (namespace?.metadata.deletionTimestamp === undefined || this.#emptying === name) return;
    for (const resource of this.#store.resources()) {
      const [type] = this.#registry.ofResource(resource);
      if (type?.namespaced === true && !this.#store.entries(resource, name)[Symbol.iterator]().next().done) return;
    }
    this.#store.remove(this.#registry.find('', 'v1', 'namespaces')!, namespace);
  }

  #writer(type: ResourceType, options: WriteOptions) {
    return {
      manager: options.fieldManager,
      operation: 'Update' as const,
      apiVersion: apiVersionOf(type),
      ...(options.subresource === '' ? {} : { subresource: options.subresource }),
    };
  }

  #ruleContext() {
    return { time: this.#time(), nextNumber: () => (this.#number += 1) };
  }

  /** RFC 3339 with whole seconds, as object metadata has it. */
  #time(): string {
    return new Date(this.#now()).toISOString().replace(/\.\d+Z$/, 'Z');
  }
}

function namespaceMismatch(): status.ApiError {
  return status.badRequest('the namespace of the provided object does not match the namespace sent on the request');
}
