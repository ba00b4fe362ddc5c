import { builtinSchema } from './builtin-schema.ts';
import type { Json, JsonObject } from './json.ts';
import type { Registry } from './registry.ts';
import type { ResourceType } from './resource-type.ts';
import type { Schema } from './schema.ts';

/** `/openapi/v3`: where each group version's document is. The hash changes with the served types. */
export function openApiIndex(registry: Registry): JsonObject {
  const groupVersions = new Set(registry.all().map((type) => pathOf(type)));
  const entry = (path: string): [string, JsonObject] => [
    path,
    { serverRelativeURL: `/openapi/v3/${path}?hash=${registry.revision}` },
  ];
  return { paths: Object.fromEntries([...groupVersions].map(entry)) };
}

/** `api/v1` or `apis/<group>/<version>`. */
function pathOf(type: ResourceType): string {
  return type.group === '' ? `api/${type.version}` : `apis/${type.group}/${type.version}`;
}

/**
 * One group version's OpenAPI v3 document: the schemas (for `kubectl explain`) and the paths with their
 * `fieldValidation` parameter, by which kubectl knows that the server validates. Strategic merge is not offered here:
 * kubectl then makes such patches from its own types. Undefined when the group version is not served.
 */
export function openApiDocument(registry: Registry, path: string): JsonObject | undefined {
  const types = registry.all().filter((type) => pathOf(type) === path);
  if (types.length === 0) return undefined;
  const components = new Map<string, Json>();
  const paths: JsonObject = {};
  for (const type of types) {
    addPaths(paths, type);
    const name =
      type.schema?.modelName === undefined
        ? `${type.group}.${type.version}.${type.kind}`
        : componentName(type.schema.modelName);
    const body = type.schema === undefined ? { type: 'object' } : (document(type.schema, components) as JsonObject);
    components.set(name, { ...body, 'x-kubernetes-group-version-kind': [groupVersionKind(type)] });
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.35.0' },
    paths,
    components: { schemas: Object.fromEntries(components) },
  };
}

function groupVersionKind(type: ResourceType): JsonObject {
  return { group: type.group, version: type.version, kind: type.kind };
}

function addPaths(paths: JsonObject, type: ResourceType): void {
  const gvk = groupVersionKind(type);
  const query = (name: string): JsonObject => ({ name, in: 'query', schema: { type: 'string' } });
  const operation = (action: string, contentTypes: string[]): JsonObject => ({
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk,
    parameters: ['dryRun', 'fieldManager', 'fieldValidation'].map(query),
    requestBody: { content: Object.fromEntries(contentTypes.map((contentType) => [contentType, {}])) },
    responses: { 200: { description: 'OK' } },
  });
  const reading = (action: string): JsonObject => ({
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk,
    responses: { 200: { description: 'OK' } },
  });
  const collection = `/${pathOf(type)}${type.namespaced ? '/namespaces/{namespace}' : ''}/${type.plural}`;
  const create = operation('post', ['application/json']);
  if (type.virtual) {
    paths[collection] = { post: create };
    return;
  }
  paths[collection] = { get: reading('list'), post: create };
  paths[`${collection}/{name}`] = {
    get: reading('get'),
    put: operation('put', ['application/json']),
    patch: operation('patch', [
      'application/json-patch+json',
      'application/merge-patch+json',
      'application/apply-patch+yaml',
    ]),
  };
}

/** `V1ServicePort` → `io.k8s.v1.ServicePort`: kubectl shows what follows the last dot. */
function componentName(modelName: string): string {
  return modelName.replace(/^(.*?)V(\d+(?:(?:alpha|beta)\d+)?)(.+)$/, 'io.k8s.$1v$2.$3');
}

/**
 * A schema as a document shows it: models become references, and what they refer to is added to `components` once.
 */
function document(schema: Schema, components: Map<string, Json>): Json {
  const refer = (below: Schema): Json => {
    if (below.modelName === undefined) return document(below, components);
    const name = componentName(below.modelName);
    if (!components.has(name)) {
      components.set(name, {});
      components.set(name, document(builtinSchema(below.modelName)!, components));
    }
    return { $ref: `#/components/schemas/${name}` };
  };
  const { modelName: _name, properties, items, additionalProperties, ...rest } = schema;
  const result: JsonObject = { ...(rest as unknown as JsonObject) };
  if (properties !== undefined) {
    result.properties = Object.fromEntries(Object.entries(properties).map(([key, below]) => [key, refer(below)]));
  }
  if (items !== undefined) result.items = refer(items);
  if (typeof additionalProperties === 'object') result.additionalProperties = refer(additionalProperties);
  else if (additionalProperties !== undefined) result.additionalProperties = additionalProperties;
  return result;
}
