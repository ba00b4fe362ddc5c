import { entryElement, FieldSet, shapeOf, steps, valueElement } from './field-set.ts';
import { equal, isObject, type Json, type JsonObject } from './json.ts';
import {
  changesBetween,
  type FieldConflict,
  conflictsOf,
  formatManagedFields,
  isSameManager,
  type Manager,
  ownableFields,
  parseManagedFields,
} from './managed-fields.ts';
import { asJson, asObject, type KubeObject } from './object.ts';
import { memberSchema, type Schema } from './schema.ts';
import { ApiError } from './status.ts';

export interface ApplyOptions {
  writer: Manager;
  /** Take fields over from their owners instead of failing with a conflict. */
  force: boolean;
  time: string;
  /** Fields that this endpoint does not write: status on the main one, everything else on `/status`. */
  ignores: (path: readonly string[]) => boolean;
}

/**
 * Server-side apply: merges the applied configuration into the live object, removes what this manager applied before
 * and no longer does, and keeps account of who owns what. Throws 409 with the causes when the configuration changes
 * fields that others own. Source: structured-merge-diff `merge/update.go`, Kubernetes "Server-Side Apply" page.
 */
export function applyConfiguration(
  live: KubeObject | undefined,
  config: KubeObject,
  schema: Schema | undefined,
  { writer, force, time, ignores }: ApplyOptions,
): KubeObject {
  const applied = ownableFields(config, schema).filter((path) => !ignores(path));
  const owners = parseManagedFields(live?.metadata.managedFields);
  const previous = owners.find((owner) => isSameManager(owner, writer));
  const others = owners.filter((owner) => owner !== previous);

  const merged = asObject(merge(live === undefined ? undefined : asJson(live), asJson(config), schema));
  const { changed } = changesBetween(live, merged, schema);
  const conflicts: FieldConflict[] = [];
  const remaining = others.map((owner) => {
    const taken = owner.fields.intersection(changed);
    conflicts.push(...conflictsOf(owner, taken));
    return { ...owner, fields: owner.fields.difference(taken) };
  });
  if (conflicts.length > 0 && !force) throw conflictError(conflicts);

  const abandoned = (previous?.fields ?? new FieldSet()).difference(applied);
  const kept = [applied, ...remaining.map((owner) => owner.fields)];
  const isKept = (path: readonly string[]): boolean => kept.some((fields) => fields.touches(path));
  const pruned = asObject(prune(asJson(merged), schema, abandoned, isKept, []) ?? {});
  const isUnchanged = previous !== undefined && equal(previous.fields.toFieldsV1(), applied.toFieldsV1());
  const own = { ...writer, time: isUnchanged ? previous.time : time, fields: applied };
  return { ...pruned, metadata: { ...pruned.metadata, managedFields: formatManagedFields([...remaining, own]) } };
}

function conflictError(conflicts: readonly FieldConflict[]): ApiError {
  const described = new Map<string, string[]>();
  for (const { owner, path } of conflicts) {
    const subresource = owner.subresource === undefined ? '' : ` with subresource "${owner.subresource}"`;
    const using = owner.operation === 'Update' ? ` using ${owner.apiVersion}` : '';
    const who = `"${owner.manager}"${subresource}${using}`;
    described.set(who, [...(described.get(who) ?? []), path]);
  }
  const parts = [...described].map(([who, paths]) =>
    paths.length === 1
      ? `conflict with ${who}: ${paths[0]}`
      : `conflicts with ${who}:\n${paths.map((path) => `- ${path}`).join('\n')}`,
  );
  const count = `${conflicts.length} conflict${conflicts.length === 1 ? '' : 's'}`;
  const causes = [...described].flatMap(([who, paths]) =>
    paths.map((field) => ({ reason: 'FieldManagerConflict', message: `conflict with ${who}`, field })),
  );
  return new ApiError(409, 'Conflict', `Apply failed with ${count}: ${parts.join('\n')}`, { causes });
}

function merge(live: Json | undefined, config: Json, schema: Schema | undefined): Json {
  const shape = shapeOf(config, schema);
  if (live === undefined || shape !== shapeOf(live, schema)) return config;
  switch (shape) {
    case 'atomic':
      return config;
    case 'map': {
      const result: JsonObject = { ...(live as JsonObject) };
      for (const [key, value] of Object.entries(config as JsonObject)) {
        if (value !== undefined) result[key] = merge(result[key], value, memberSchema(schema, key));
      }
      return result;
    }
    case 'list-map':
    case 'set': {
      // Applied entries come first in their own order where they are new; live ones keep their place.
      const isMap = shape === 'list-map';
      const elementOf = (entry: Json): string => (isMap ? entryElement(entry, schema) : valueElement(entry));
      const wanted = new Map((config as Json[]).map((entry) => [elementOf(entry), entry]));
      const result = (live as Json[]).map((entry) => {
        const applied = wanted.get(elementOf(entry));
        wanted.delete(elementOf(entry));
        return applied === undefined || !isMap ? entry : merge(entry, applied, schema?.items);
      });
      return [...result, ...wanted.values()];
    }
  }
}

/** Removes the abandoned paths that nobody keeps. Returns undefined for a value that is to go itself. */
function prune(
  value: Json,
  schema: Schema | undefined,
  abandoned: FieldSet,
  isKept: (path: readonly string[]) => boolean,
  path: string[],
): Json | undefined {
  if (abandoned.isEmpty || shapeOf(value, schema) === 'atomic') return value;
  const pruneStep = (element: string, below: Json, belowSchema: Schema | undefined): Json | undefined => {
    const here = [...path, element];
    const isMember = abandoned.members.has(element);
    const deeper = abandoned.children.get(element);
    if (!isMember && deeper === undefined) return below;
    if (isMember && !isKept(here)) return undefined;
    const rest = deeper === undefined ? below : prune(below, belowSchema, deeper, isKept, here);
    // A map or list that only held abandoned fields goes with them.
    const isEmptied = (isObject(rest) || Array.isArray(rest)) && Object.keys(rest).length === 0 && !equal(rest, below);
    return isEmptied && !isKept(here) ? undefined : rest;
  };
  if (Array.isArray(value)) {
    const entries = [...steps(value, schema)].map(([element, below, belowSchema]) =>
      pruneStep(element, below, belowSchema),
    );
    return entries.filter((entry) => entry !== undefined);
  }
  const result: JsonObject = {};
  for (const [element, below, belowSchema] of steps(value, schema)) {
    const rest = pruneStep(element, below, belowSchema);
    if (rest !== undefined) result[element.slice(2)] = rest;
  }
  return result;
}
