import { isObject, type Json, type JsonObject } from './json.ts';
import type { Schema } from './schema.ts';
import { memberSchema } from './schema.ts';

/**
 * A set of paths into an object, in the shape of `FieldsV1`: path elements are `f:<field>`, `k:<JSON of the keys>` (an
 * entry of a list map), `v:<JSON>` (an entry of a set). Source: structured-merge-diff `fieldpath`.
 */
export class FieldSet {
  /** Path elements that are themselves in the set. */
  readonly members = new Set<string>();
  /** What is in the set below a path element; never an empty set. */
  readonly children = new Map<string, FieldSet>();

  get isEmpty(): boolean {
    return this.members.size === 0 && this.children.size === 0;
  }

  has(path: readonly string[]): boolean {
    const [first, ...rest] = path;
    if (first === undefined) return false;
    return rest.length === 0 ? this.members.has(first) : (this.children.get(first)?.has(rest) ?? false);
  }

  add(path: readonly string[]): void {
    const [first, ...rest] = path;
    if (first === undefined) return;
    if (rest.length === 0) {
      this.members.add(first);
      return;
    }
    let child = this.children.get(first);
    if (child === undefined) this.children.set(first, (child = new FieldSet()));
    child.add(rest);
  }

  /** Every path, parents before what is below them. */
  *paths(): Iterable<string[]> {
    for (const element of [...new Set([...this.members, ...this.children.keys()])].sort()) {
      if (this.members.has(element)) yield [element];
      for (const rest of this.children.get(element)?.paths() ?? []) yield [element, ...rest];
    }
  }

  filter(keep: (path: readonly string[]) => boolean): FieldSet {
    const result = new FieldSet();
    for (const path of this.paths()) if (keep(path)) result.add(path);
    return result;
  }

  union(other: FieldSet): FieldSet {
    const result = this.filter(() => true);
    for (const path of other.paths()) result.add(path);
    return result;
  }

  intersection(other: FieldSet): FieldSet {
    return this.filter((path) => other.has(path));
  }

  difference(other: FieldSet): FieldSet {
    return this.filter((path) => !other.has(path));
  }

  /** True when `path` or anything below it is in the set. */
  touches(path: readonly string[]): boolean {
    const [first, ...rest] = path;
    if (first === undefined) return !this.isEmpty;
    if (rest.length === 0) return this.members.has(first) || this.children.has(first);
    return this.children.get(first)?.touches(rest) ?? false;
  }

  toFieldsV1(): JsonObject {
    const result: JsonObject = {};
    for (const element of [...new Set([...this.members, ...this.children.keys()])].sort()) {
      const below = this.children.get(element)?.toFieldsV1();
      if (below === undefined) result[element] = {};
      else result[element] = this.members.has(element) ? { '.': {}, ...below } : below;
    }
    return result;
  }

  static fromFieldsV1(fields: JsonObject): FieldSet {
    const result = new FieldSet();
    for (const [element, below] of Object.entries(fields)) {
      if (element === '.' || !isObject(below)) continue;
      const names = Object.keys(below);
      if (names.length === 0 || names.includes('.')) result.members.add(element);
      const child = FieldSet.fromFieldsV1(below);
      if (!child.isEmpty) result.children.set(element, child);
    }
    return result;
  }
}

/** How server-side apply sees a value: one unit, a map of fields, a list keyed by fields, or a set of scalars. */
export type Shape = 'atomic' | 'map' | 'list-map' | 'set';

export function shapeOf(value: Json | undefined, schema: Schema | undefined): Shape {
  if (isObject(value)) return schema?.['x-kubernetes-map-type'] === 'atomic' ? 'atomic' : 'map';
  if (!Array.isArray(value)) return 'atomic';
  const listType = schema?.['x-kubernetes-list-type'];
  if (listType === 'map' && value.every(isObject)) return 'list-map';
  return listType === 'set' ? 'set' : 'atomic';
}

/** The path element of an entry of a keyed list; a key that is missing counts with its default. */
export function entryElement(entry: Json, schema: Schema | undefined): string {
  const keys = [...(schema?.['x-kubernetes-list-map-keys'] ?? [])].sort();
  const fields = keys.map((key): [string, Json | undefined] => [
    key,
    (isObject(entry) ? entry[key] : undefined) ?? schema?.items?.properties?.[key]?.default,
  ]);
  return `k:${JSON.stringify(Object.fromEntries(fields.filter(([, value]) => value !== undefined)))}`;
}

export function valueElement(value: Json): string {
  return `v:${JSON.stringify(value)}`;
}

/** Visits `(path element, value, schema)` of what lies one step below a value that is not atomic. */
export function* steps(value: Json, schema: Schema | undefined): Iterable<[string, Json, Schema | undefined]> {
  switch (shapeOf(value, schema)) {
    case 'map':
      for (const [key, member] of Object.entries(value as JsonObject)) {
        if (member !== undefined) yield [`f:${key}`, member, memberSchema(schema, key)];
      }
      return;
    case 'list-map':
      for (const entry of value as Json[]) yield [entryElement(entry, schema), entry, schema?.items];
      return;
    case 'set':
      for (const entry of value as Json[]) yield [valueElement(entry), entry, undefined];
      return;
    case 'atomic':
  }
}

/** All fields that a value sets: its leaves, its list entries, and members of maps whose fields no schema names. */
export function fieldSetOf(value: Json, schema: Schema | undefined): FieldSet {
  const result = new FieldSet();
  const visit = (at: Json, atSchema: Schema | undefined, path: string[]): void => {
    for (const [element, below, belowSchema] of steps(at, atSchema)) {
      const here = [...path, element];
      const isNamedField = element.startsWith('f:') && atSchema?.properties?.[element.slice(2)] !== undefined;
      const isLeaf = shapeOf(below, belowSchema) === 'atomic' || isEmptyContainer(below);
      if (isLeaf || !isNamedField) result.add(here);
      if (!isLeaf) visit(below, belowSchema, here);
    }
  };
  visit(value, schema, []);
  return result;
}

export function isEmptyContainer(value: Json): boolean {
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;
}

/** `.spec.ports[name="web"].port`, as conflicts are reported. */
export function formatPath(path: readonly string[]): string {
  return path
    .map((element) => {
      const body = element.slice(2);
      if (element.startsWith('f:')) return `.${body}`;
      if (element.startsWith('v:')) return `[=${body}]`;
      const keys = JSON.parse(body) as JsonObject;
      const pairs = Object.entries(keys).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
      return `[${pairs.join(',')}]`;
    })
    .join('');
}
