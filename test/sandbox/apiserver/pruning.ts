import { builtinSchema } from './builtin-schema.ts';
import { clone, isObject, type Json, type JsonObject } from './json.ts';
import { memberSchema, type Schema } from './schema.ts';

const OBJECT_META = builtinSchema('V1ObjectMeta')!;

/**
 * The schema of a whole object of a CRD version, with the type and metadata fields that every object has.
 */
export function rootSchema(schema: Schema): Schema {
  return {
    ...schema,
    type: 'object',
    properties: {
      ...schema.properties,
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: OBJECT_META,
    },
  };
}

/**
 * A copy of `value` without the fields that the schema does not know. Their paths (`spec.endpoints[0].prot`) are added
 * to `unknown`.
 */
export function pruned(value: Json, schema: Schema | undefined, unknown: string[], path = ''): Json {
  if (schema === undefined) return value;
  if (Array.isArray(value)) {
    return value.map((entry, i) =>
      schema.items === undefined ? entry : pruned(entry, schema.items, unknown, `${path}[${i}]`),
    );
  }
  if (!isObject(value)) return value;
  const isEmbedded = schema['x-kubernetes-embedded-resource'] === true;
  const known = isEmbedded ? rootSchema(schema) : schema;
  const keepsUnknown =
    known['x-kubernetes-preserve-unknown-fields'] === true ||
    known.additionalProperties === true ||
    (known.type !== 'object' && known.properties === undefined);
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const here = path === '' ? key : `${path}.${key}`;
    const below = memberSchema(known, key);
    if (below !== undefined) result[key] = pruned(member, below, unknown, here);
    else if (keepsUnknown) result[key] = member;
    else unknown.push(here);
  }
  return result;
}

/** A copy of `value` with the schema's defaults where a field is missing, or is null without being nullable. */
export function defaulted(value: Json, schema: Schema | undefined): Json {
  if (schema === undefined) return value;
  if (Array.isArray(value)) return value.map((entry) => defaulted(entry, schema.items));
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined) result[key] = defaulted(member, memberSchema(schema, key));
  }
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    const isMissing = result[key] === undefined || (result[key] === null && property.nullable !== true);
    if (property.default !== undefined && isMissing) result[key] = defaulted(clone(property.default), property);
  }
  return result;
}

/** A copy without null members: what decoding into Go types does with them. */
export function withoutNulls(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    if (member !== null && member !== undefined) result[key] = withoutNulls(member);
  }
  return result;
}
