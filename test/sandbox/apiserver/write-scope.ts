import { equal, type Json, type JsonObject } from './json.ts';
import type { KubeObject } from './object.ts';
import type { ResourceType } from './resource-type.ts';

/** True for a top-level path element that the endpoint does not write. */
export function isIgnored(type: ResourceType, subresource: string, field: string | undefined): boolean {
  if (subresource === 'status') return field !== 'f:status';
  return type.hasStatus && field === 'f:status';
}

/**
 * What the endpoint may change: `/status` the status (and labels and annotations stay), the main one everything but
 * the status. What the server owns in the metadata is kept from the live object.
 */
export function restrictedTo(
  type: ResourceType,
  subresource: string,
  live: KubeObject,
  object: KubeObject,
): KubeObject {
  const { uid, creationTimestamp, generation, deletionTimestamp, deletionGracePeriodSeconds, resourceVersion } =
    live.metadata;
  const kept = { uid, creationTimestamp, generation, deletionTimestamp, deletionGracePeriodSeconds, resourceVersion };
  const server = Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined));
  if (subresource === 'status') {
    const managedFields = object.metadata.managedFields ?? live.metadata.managedFields ?? [];
    return withStatus({ ...live, metadata: { ...live.metadata, managedFields } }, object.status);
  }
  const { generation: _g, deletionTimestamp: _d, deletionGracePeriodSeconds: _p, ...written } = object.metadata;
  const result = { ...object, metadata: { ...written, ...server } } as KubeObject;
  return type.hasStatus ? withStatus(result, live.status) : result;
}

function withStatus(object: KubeObject, value: unknown): KubeObject {
  const { status: _status, ...rest } = object;
  return value === undefined ? rest : { ...rest, status: value };
}

/** True when what a generation counts differs: everything but the metadata and a status with its own endpoint. */
export function specChanged(type: ResourceType, before: KubeObject, after: KubeObject): boolean {
  const content = ({ metadata: _metadata, status, ...rest }: KubeObject): Json =>
    (type.hasStatus ? rest : { ...rest, status }) as JsonObject;
  return !equal(content(before), content(after));
}
