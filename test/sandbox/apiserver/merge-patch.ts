import { equal, isObject, type Json, type JsonObject } from './json.ts';
import { memberSchema, type Schema } from './schema.ts';
import { badRequest } from './status.ts';

/** RFC 7386: null removes a member, objects merge, everything else replaces. */
export function applyMergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result: JsonObject = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || value === undefined) delete result[key];
    else result[key] = applyMergePatch(result[key], value);
  }
  return result;
}

const ORDER = '$setElementOrder/';
const DELETE_FROM = '$deleteFromPrimitiveList/';

/**
 * Kubernetes' strategic merge: a merge patch in which lists with a merge key merge entry by entry. Directives:
 * `$patch: delete|replace|merge` in a map or list entry, `$retainKeys`, `$setElementOrder/<list>`,
 * `$deleteFromPrimitiveList/<list>`. Source: apimachinery `strategicpatch` and its design note.
 */
export function applyStrategicPatch(target: Json | undefined, patch: Json, schema: Schema | undefined): Json {
  if (!isObject(patch)) return patch;
  if (patch.$patch === 'replace') return without(patch, '$patch');
  if (patch.$patch === 'delete') return {};
  const result: JsonObject = isObject(target) ? { ...target } : {};
  const retain = patch.$retainKeys;
  if (Array.isArray(retain)) for (const key of Object.keys(result)) if (!retain.includes(key)) delete result[key];
  for (const [key, value] of Object.entries(patch)) {
    if (value === undefined || key.startsWith('$')) continue;
    const field = memberSchema(schema, key);
    if (value === null) delete result[key];
    else if (Array.isArray(value)) result[key] = mergeList(result[key], value, field);
    else result[key] = applyStrategicPatch(result[key], value, field);
  }
  for (const [directive, value] of Object.entries(patch)) applyListDirective(result, directive, value, schema);
  return result;
}

function mergeList(target: Json | undefined, patch: Json[], schema: Schema | undefined): Json[] {
  const current = Array.isArray(target) ? target : [];
  if (patch.some((entry) => isObject(entry) && entry.$patch === 'replace' && Object.keys(entry).length === 1)) {
    return patch.filter((entry) => !(isObject(entry) && entry.$patch === 'replace'));
  }
  if (schema?.['x-kubernetes-patch-strategy']?.startsWith('merge') !== true) return patch;
  const mergeKey = schema['x-kubernetes-patch-merge-key'];
  if (mergeKey === undefined)
    return [...current, ...patch.filter((value) => !current.some((had) => equal(had, value)))];
  let result = [...current];
  for (const entry of patch) {
    if (!isObject(entry)) throw badRequest(`a strategic merge list wants objects, got ${JSON.stringify(entry)}`);
    const id = entry[mergeKey];
    if (id === undefined)
      throw badRequest(`map: ${JSON.stringify(entry)} does not contain declared merge key: ${mergeKey}`);
    const isSame = (had: Json): boolean => isObject(had) && equal(had[mergeKey], id);
    if (entry.$patch === 'delete') {
      result = result.filter((had) => !isSame(had));
      continue;
    }
    const index = result.findIndex(isSame);
    const merged = applyStrategicPatch(index < 0 ? undefined : result[index], entry, schema.items);
    if (index < 0) result.push(merged);
    else result[index] = merged;
  }
  return result;
}

function applyListDirective(
  result: JsonObject,
  directive: string,
  value: Json | undefined,
  schema: Schema | undefined,
): void {
  if (!Array.isArray(value)) return;
  if (directive.startsWith(DELETE_FROM)) {
    const key = directive.slice(DELETE_FROM.length);
    const current = result[key];
    if (Array.isArray(current)) result[key] = current.filter((had) => !value.some((gone) => equal(had, gone)));
  } else if (directive.startsWith(ORDER)) {
    const key = directive.slice(ORDER.length);
    const current = result[key];
    if (!Array.isArray(current)) return;
    const mergeKey = memberSchema(schema, key)?.['x-kubernetes-patch-merge-key'];
    const idOf = (entry: Json): Json | undefined =>
      mergeKey !== undefined && isObject(entry) ? entry[mergeKey] : entry;
    const place = (entry: Json): number => value.findIndex((wanted) => equal(idOf(wanted), idOf(entry)));
    result[key] = inOrder(current, place);
  }
}

/** Entries with a place go in that order; the others stay behind the neighbour that they followed. */
function inOrder(entries: Json[], place: (entry: Json) => number): Json[] {
  const ordered = entries.filter((entry) => place(entry) >= 0).sort((left, right) => place(left) - place(right));
  let previous: Json | undefined;
  for (const entry of entries) {
    if (place(entry) < 0) ordered.splice(previous === undefined ? 0 : ordered.indexOf(previous) + 1, 0, entry);
    previous = entry;
  }
  return ordered;
}

function without(object: JsonObject, key: string): JsonObject {
  const { [key]: _dropped, ...rest } = object;
  return rest;
}
