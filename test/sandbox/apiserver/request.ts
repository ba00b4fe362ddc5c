import type { IncomingMessage } from 'node:http';

import { parse as parseYaml } from 'yaml';

import type { FieldValidation } from './admission.ts';
import { isObject, type Json, text } from './json.ts';
import { decodeProtobuf } from './protobuf.ts';
import type { PatchKind } from './patch.ts';
import type { DeleteOptions, WriteOptions } from './resources.ts';
import { ApiError, badRequest, unsupportedMediaType } from './status.ts';

/** As the real server: larger bodies are refused. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;

/** What a path names: `/apis/<group>/<version>[/namespaces/<namespace>]/<plural>[/<name>[/<subresource>]]`. */
export interface ResourcePath {
  group: string;
  version: string;
  namespace: string | undefined;
  plural: string;
  name: string | undefined;
  subresource: string;
}

/** Undefined for a path that names no resource. `rest` is the path split at slashes, without the empty start. */
export function parseResourcePath(rest: readonly string[]): ResourcePath | undefined {
  const [root, ...parts] = rest;
  const group = root === 'api' ? '' : parts.shift();
  const version = parts.shift();
  if ((root !== 'api' && root !== 'apis') || group === undefined || version === undefined || parts.length === 0)
    return undefined;
  // `namespaces/<name>` alone, or with one of its subresources, is the namespace itself.
  const isScoped = parts[0] === 'namespaces' && parts.length > 2 && !['status', 'finalize'].includes(parts[2]!);
  const namespace = isScoped ? parts[1] : undefined;
  const [plural, name, subresource = '', ...more] = isScoped ? parts.slice(2) : parts;
  if (plural === undefined || more.length > 0) return undefined;
  return { group, version, namespace, plural, name, subresource };
}

/** The body as JSON; YAML is accepted where Kubernetes accepts it. Throws 400, 413 and 415. */
export async function readBody(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_BODY_BYTES) {
      throw new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${MAX_BODY_BYTES}`);
    }
    chunks.push(chunk);
  }
  if (sizeBytes === 0) return {};
  const contentType = (request.headers['content-type'] ?? 'application/json').split(';')[0]!;
  if (contentType === 'application/vnd.kubernetes.protobuf') return decodeProtobuf(Buffer.concat(chunks));
  if (contentType.includes('cbor')) throw unsupportedMediaType(contentType, ['application/json', 'application/yaml']);
  const body = Buffer.concat(chunks).toString();
  try {
    return (contentType.includes('yaml') ? parseYaml(body, { maxAliasCount: 100 }) : JSON.parse(body)) as Json;
  } catch (error) {
    throw badRequest(`couldn't parse the body as ${contentType}: ${String(error)}`);
  }
}

const PATCHES: Record<string, PatchKind> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

export function patchKindOf(request: IncomingMessage): PatchKind {
  const contentType = (request.headers['content-type'] ?? '').split(';')[0]!;
  const kind = PATCHES[contentType];
  if (kind === undefined) throw unsupportedMediaType(contentType, Object.keys(PATCHES));
  return kind;
}

export function writeOptionsOf(
  request: IncomingMessage,
  query: URLSearchParams,
  subresource: '' | 'status',
): WriteOptions {
  const validation = query.get('fieldValidation') ?? 'Warn';
  if (!['Strict', 'Warn', 'Ignore'].includes(validation)) throw badRequest(`invalid fieldValidation: ${validation}`);
  return {
    fieldManager: query.get('fieldManager') ?? (request.headers['user-agent'] ?? 'unknown').split('/')[0]!,
    fieldValidation: validation as FieldValidation,
    dryRun: query.getAll('dryRun').includes('All'),
    force: query.get('force') === 'true',
    subresource,
    warnings: [],
  };
}

/** From the body (`DeleteOptions`) and, where that is silent, from the query. */
export function deleteOptionsOf(body: Json, query: URLSearchParams): DeleteOptions {
  const options = isObject(body) ? body : {};
  const preconditions = isObject(options.preconditions) ? options.preconditions : {};
  const policy = text(options.propagationPolicy) || query.get('propagationPolicy') || 'Background';
  if (!['Background', 'Foreground', 'Orphan'].includes(policy))
    throw badRequest(`invalid propagationPolicy: ${policy}`);
  const dryRun = Array.isArray(options.dryRun) ? options.dryRun.map(text) : query.getAll('dryRun');
  return {
    propagationPolicy: policy as DeleteOptions['propagationPolicy'],
    dryRun: dryRun.includes('All'),
    ...(preconditions.uid === undefined ? {} : { uid: text(preconditions.uid) }),
    ...(preconditions.resourceVersion === undefined ? {} : { resourceVersion: text(preconditions.resourceVersion) }),
  };
}
