import type { JsonObject } from './json.ts';
import type { Registry } from './registry.ts';
import { apiVersionOf, type ResourceType, verbsOf } from './resource-type.ts';

/** Group → versions in the order of preference, without the core group. */
function groupVersions(registry: Registry, isCore: boolean): Map<string, string[]> {
  const groups = new Map<string, Set<string>>();
  for (const { group, version } of registry.all()) {
    if ((group === '') === isCore) groups.set(group, (groups.get(group) ?? new Set()).add(version));
  }
  return new Map([...groups].map(([group, versions]) => [group, [...versions].sort(byPreference)]));
}

/** `v2` before `v1` before `v1beta1` before `v1alpha1`, as Kubernetes orders versions. */
function byPreference(left: string, right: string): number {
  const rank = (version: string): number[] => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
    if (match === null) return [-1, 0, 0];
    return [match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0, Number(match[1]), Number(match[3] ?? 0)];
  };
  const [a, b] = [rank(left), rank(right)];
  return b[0]! - a[0]! || b[1]! - a[1]! || b[2]! - a[2]!;
}

/** Subresources by plural, besides `status`: name, kind and verbs. */
const SUBRESOURCES: Record<string, { name: string; group: string; version: string; kind: string }[]> = {
  '/pods': [{ name: 'eviction', group: 'policy', version: 'v1', kind: 'Eviction' }],
  '/serviceaccounts': [{ name: 'token', group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' }],
};

function subresourcesOf(type: ResourceType) {
  const own = { group: type.group, version: type.version, kind: type.kind };
  return [
    ...(type.hasStatus ? [{ name: 'status', ...own, verbs: ['get', 'patch', 'update'] }] : []),
    ...(SUBRESOURCES[`${type.group}/${type.plural}`] ?? []).map((one) => ({ ...one, verbs: ['create'] })),
  ];
}

/** `/api`. */
export function coreVersions(): JsonObject {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
}

/** `/apis`. */
export function groupList(registry: Registry): JsonObject {
  const groups = [...groupVersions(registry, false).keys()].map((group) => groupDocument(registry, group)!);
  return { kind: 'APIGroupList', apiVersion: 'v1', groups };
}

/** `/apis/<group>`; undefined for a group that is not served. */
export function groupDocument(registry: Registry, name: string): JsonObject | undefined {
  const versions = groupVersions(registry, false)
    .get(name)
    ?.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return versions && { kind: 'APIGroup', apiVersion: 'v1', name, versions, preferredVersion: versions[0]! };
}

/** `/api/v1` and `/apis/<group>/<version>`; undefined for a version that is not served. */
export function resourceList(registry: Registry, group: string, version: string): JsonObject | undefined {
  const types = registry.all().filter((type) => type.group === group && type.version === version);
  if (types.length === 0) return undefined;
  const resources = types.flatMap((type): JsonObject[] => [
    {
      name: type.plural,
      singularName: type.singular,
      namespaced: type.namespaced,
      kind: type.kind,
      verbs: verbsOf(type),
      ...(type.shortNames.length > 0 ? { shortNames: type.shortNames } : {}),
      ...(type.categories.length > 0 ? { categories: type.categories } : {}),
    },
    ...subresourcesOf(type).map((sub) => ({
      name: `${type.plural}/${sub.name}`,
      singularName: '',
      namespaced: type.namespaced,
      kind: sub.kind,
      ...(sub.kind === type.kind ? {} : { group: sub.group, version: sub.version }),
      verbs: sub.verbs,
    })),
  ]);
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: apiVersionOf({ group, version }), resources };
}

/** Media type of the aggregated form. */
export const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** `/api` or `/apis` in one document: what clients ask for first. */
export function aggregated(registry: Registry, isCore: boolean): JsonObject {
  const items = [...groupVersions(registry, isCore)].map(([group, versions]) => ({
    metadata: { name: group, creationTimestamp: null },
    versions: versions.map((version) => ({
      version,
      freshness: 'Current',
      resources: registry
        .all()
        .filter((type) => type.group === group && type.version === version)
        .map(aggregatedResource),
    })),
  }));
  return { kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2', metadata: {}, items };
}

function aggregatedResource(type: ResourceType): JsonObject {
  const responseKind = { group: type.group, version: type.version, kind: type.kind };
  const subresources = subresourcesOf(type).map(({ name, group, version, kind, verbs }) => ({
    subresource: name,
    responseKind: { group, version, kind },
    verbs,
  }));
  return {
    resource: type.plural,
    responseKind,
    scope: type.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: type.singular,
    verbs: verbsOf(type),
    ...(type.shortNames.length > 0 ? { shortNames: type.shortNames } : {}),
    ...(type.categories.length > 0 ? { categories: type.categories } : {}),
    ...(subresources.length > 0 ? { subresources } : {}),
  };
}
