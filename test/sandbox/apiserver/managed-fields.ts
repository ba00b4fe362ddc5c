import { FieldSet, fieldSetOf, formatPath, isEmptyContainer, shapeOf, steps } from './field-set.ts';
import { equal, type Json } from './json.ts';
import { asJson, type KubeObject, type ManagedFieldsEntry } from './object.ts';
import type { Schema } from './schema.ts';

/** One owner of fields: who, how (Apply or Update), through which version and subresource. */
export interface Manager {
  manager: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  subresource?: string;
}

export interface OwnedFields extends Manager {
  time: string;
  fields: FieldSet;
}

export interface Changes {
  /** Paths whose value is new or different. */
  changed: FieldSet;
  removed: FieldSet;
}

const UNOWNED_METADATA = new Set(
  'name namespace creationTimestamp uid resourceVersion generation managedFields selfLink'
    .split(' ')
    .map((f) => `f:${f}`),
);

/** Fields that nobody owns: identity and what the server itself writes. */
function isUnowned(path: readonly string[]): boolean {
  const [first, second] = path;
  if (first === 'f:apiVersion' || first === 'f:kind') return true;
  return first === 'f:metadata' && (second === undefined || UNOWNED_METADATA.has(second));
}

/** The fields that `object` sets and somebody may own. */
export function ownableFields(object: KubeObject, schema: Schema | undefined): FieldSet {
  return fieldSetOf(asJson(object), schema).filter((path) => !isUnowned(path));
}

export function parseManagedFields(entries: readonly ManagedFieldsEntry[] | undefined): OwnedFields[] {
  return (entries ?? [])
    .filter((entry) => entry.manager !== undefined || entry.fieldsV1 !== undefined)
    .map((entry) => ({
      manager: entry.manager ?? 'unknown',
      operation: entry.operation === 'Apply' ? ('Apply' as const) : ('Update' as const),
      apiVersion: entry.apiVersion ?? '',
      time: entry.time ?? '',
      fields: FieldSet.fromFieldsV1(entry.fieldsV1 ?? {}),
      ...(entry.subresource === undefined ? {} : { subresource: entry.subresource }),
    }));
}

export function formatManagedFields(owners: readonly OwnedFields[]): ManagedFieldsEntry[] {
  return owners
    .filter((owner) => !owner.fields.isEmpty)
    .map(({ fields, ...owner }) => ({ ...owner, fieldsType: 'FieldsV1', fieldsV1: fields.toFieldsV1() }));
}

export function isSameManager(left: Manager, right: Manager): boolean {
  return (
    left.manager === right.manager &&
    left.operation === right.operation &&
    (left.subresource ?? '') === (right.subresource ?? '')
  );
}

/** Compares two states of an object, down to the grain at which fields are owned. */
export function changesBetween(before: KubeObject | undefined, after: KubeObject, schema: Schema | undefined): Changes {
  const changed = new FieldSet();
  const removed = new FieldSet();
  const markAll = (into: FieldSet, value: Json, valueSchema: Schema | undefined, path: string[]): void => {
    const isLeaf = shapeOf(value, valueSchema) === 'atomic' || isEmptyContainer(value);
    into.add(path);
    if (!isLeaf)
      for (const [element, below, belowSchema] of steps(value, valueSchema))
        markAll(into, below, belowSchema, [...path, element]);
  };
  const visit = (old: Json, now: Json, at: Schema | undefined, path: string[]): void => {
    const olds = new Map([...steps(old, at)].map(([element, value, schema]) => [element, { value, schema }]));
    for (const [element, value, belowSchema] of steps(now, at)) {
      const here = [...path, element];
      const had = olds.get(element);
      olds.delete(element);
      if (had === undefined) markAll(changed, value, belowSchema, here);
      else if (equal(had.value, value)) continue;
      else if (shapeOf(had.value, belowSchema) !== shapeOf(value, belowSchema)) changed.add(here);
      else if (shapeOf(value, belowSchema) === 'atomic') changed.add(here);
      else visit(had.value, value, belowSchema, here);
    }
    for (const [element, { value, schema }] of olds) markAll(removed, value, schema, [...path, element]);
  };
  visit(before === undefined ? {} : asJson(before), asJson(after), schema, []);
  const owned = (path: readonly string[]): boolean => !isUnowned(path);
  return { changed: changed.filter(owned), removed: removed.filter(owned) };
}

/**
 * `managedFields` after an update or a patch that is no apply: the writer owns what it changed, the others lose it.
 * Entries that end up empty go.
 */
export function updateManagedFields(
  before: KubeObject | undefined,
  after: KubeObject,
  schema: Schema | undefined,
  writer: Manager,
  time: string,
): ManagedFieldsEntry[] {
  const { changed, removed } = changesBetween(before, after, schema);
  const owners = parseManagedFields(after.metadata.managedFields ?? before?.metadata.managedFields);
  if (changed.isEmpty && removed.isEmpty) return formatManagedFields(owners);
  const own = owners.find((owner) => isSameManager(owner, writer));
  const others = owners
    .filter((owner) => owner !== own)
    .map((owner) => ({ ...owner, fields: owner.fields.difference(changed).difference(removed) }));
  const fields = (own?.fields ?? new FieldSet()).union(changed).difference(removed);
  return formatManagedFields([...others, { ...writer, time: changed.isEmpty && own ? own.time : time, fields }]);
}

export interface FieldConflict {
  owner: OwnedFields;
  path: string;
}

export function conflictsOf(owner: OwnedFields, fields: FieldSet): FieldConflict[] {
  return [...fields.paths()].map((path) => ({ owner, path: formatPath(path) }));
}
