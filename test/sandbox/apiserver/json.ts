/** JSON values as the API server stores them. Stored values are never changed in place: every write makes a new one. */
export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json | undefined;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object at `key`, or an empty one: for reading paths that may be missing. */
export function child(value: Json | undefined, key: string): JsonObject {
  const found = isObject(value) ? value[key] : undefined;
  return isObject(found) ? found : {};
}

export function list(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

export function clone<T extends Json | undefined>(value: T): T {
  return structuredClone(value);
}

/** Equality by value; a member that is `undefined` counts as missing. */
export function equal(left: Json | undefined, right: Json | undefined): boolean {
  if (left === right) return true;
  if (Array.isArray(left)) {
    return Array.isArray(right) && left.length === right.length && left.every((item, i) => equal(item, right[i]));
  }
  if (!isObject(left) || !isObject(right)) return false;
  for (const key of Object.keys(left)) if (!equal(left[key], right[key])) return false;
  for (const key of Object.keys(right)) if (right[key] !== undefined && left[key] === undefined) return false;
  return true;
}

/** Puts `value` at `path`, making the objects on the way. */
export function setAt(target: JsonObject, path: readonly string[], value: Json | undefined): void {
  let at = target;
  for (const key of path.slice(0, -1)) {
    let next = at[key];
    if (!isObject(next)) at[key] = next = {};
    at = next;
  }
  const last = path.at(-1)!;
  if (value === undefined) delete at[last];
  else at[last] = value;
}

/** The value at `path`; undefined where anything on the way is missing. */
export function getAt(target: Json | undefined, path: readonly string[]): Json | undefined {
  let at: Json | undefined = target;
  for (const key of path) at = isObject(at) ? at[key] : undefined;
  return at;
}
