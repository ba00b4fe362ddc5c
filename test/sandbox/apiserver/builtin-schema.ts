import * as client from '@kubernetes/client-node';

import type { Schema } from './schema.ts';

/**
 * Schemas of the built-in types, made from the attribute tables that `@kubernetes/client-node` generates from
 * Kubernetes' own OpenAPI document. Those tables name fields and types; what they leave out (required fields, list keys)
 * is in the tables below.
 */
interface Attribute {
  baseName: string;
  type: string;
  format: string;
}

/** How a list of objects is keyed: by server-side apply, and by strategic merge where that uses another single key. */
interface ListKeys {
  keys: string[];
  mergeKey?: string;
}

/** `Model.field` → keys, from the `listMapKey` and `patchMergeKey` markers of the Go types. Lists not named are atomic. */
const LIST_KEYS: Record<string, ListKeys> = {
  'V1PodSpec.containers': { keys: ['name'] },
  'V1PodSpec.initContainers': { keys: ['name'] },
  'V1PodSpec.ephemeralContainers': { keys: ['name'] },
  'V1PodSpec.volumes': { keys: ['name'] },
  'V1PodSpec.imagePullSecrets': { keys: ['name'] },
  'V1PodSpec.hostAliases': { keys: ['ip'] },
  'V1PodSpec.topologySpreadConstraints': { keys: ['topologyKey', 'whenUnsatisfiable'], mergeKey: 'topologyKey' },
  'V1PodSpec.resourceClaims': { keys: ['name'] },
  'V1PodSpec.schedulingGates': { keys: ['name'] },
  'V1Container.ports': { keys: ['containerPort', 'protocol'], mergeKey: 'containerPort' },
  'V1Container.env': { keys: ['name'] },
  'V1Container.volumeMounts': { keys: ['mountPath'] },
  'V1Container.volumeDevices': { keys: ['devicePath'] },
  'V1EphemeralContainer.env': { keys: ['name'] },
  'V1EphemeralContainer.volumeMounts': { keys: ['mountPath'] },
  'V1PodStatus.conditions': { keys: ['type'] },
  'V1PodStatus.podIPs': { keys: ['ip'] },
  'V1PodStatus.hostIPs': { keys: ['ip'] },
  'V1ServiceSpec.ports': { keys: ['port', 'protocol'], mergeKey: 'port' },
  'V1ServiceStatus.conditions': { keys: ['type'] },
  'V1ServiceAccount.secrets': { keys: ['name'] },
  'V1NodeStatus.conditions': { keys: ['type'] },
  'V1NodeStatus.addresses': { keys: ['type'] },
  'V1NamespaceStatus.conditions': { keys: ['type'] },
  'V1DeploymentStatus.conditions': { keys: ['type'] },
  'V1DaemonSetStatus.conditions': { keys: ['type'] },
  'V1ReplicaSetStatus.conditions': { keys: ['type'] },
  'V1StatefulSetStatus.conditions': { keys: ['type'] },
  'V1CustomResourceDefinitionStatus.conditions': { keys: ['type'] },
  'V1PodDisruptionBudgetStatus.conditions': { keys: ['type'] },
  'V1PersistentVolumeClaimStatus.conditions': { keys: ['type'] },
  'V1ObjectMeta.ownerReferences': { keys: ['uid'] },
  'V1ValidatingWebhookConfiguration.webhooks': { keys: ['name'] },
  'V1MutatingWebhookConfiguration.webhooks': { keys: ['name'] },
};

/** Lists of scalars that are sets: merged by value. */
const SETS = new Set(['V1ObjectMeta.finalizers', 'V1NodeSpec.podCIDRs', 'V1LoadBalancerStatus.ipRanges']);

/** Structs and maps that server-side apply owns as one value. */
const ATOMIC = new Set([
  'V1LabelSelector',
  'V1ConfigMapKeySelector',
  'V1SecretKeySelector',
  'V1ObjectFieldSelector',
  'V1ResourceFieldSelector',
  'V1LocalObjectReference',
  'V1ObjectReference',
  'V1NodeSelector',
  'V1NodeSelectorTerm',
  'V1TypedLocalObjectReference',
  'V1RoleRef',
  'RbacV1Subject',
  'V1OwnerReference',
  'V1ServiceSpec.selector',
  'V1PodSpec.nodeSelector',
]);

const REQUIRED: Record<string, string[]> = {
  V1PodSpec: ['containers'],
  V1Container: ['name'],
  V1ContainerPort: ['containerPort'],
  V1EnvVar: ['name'],
  V1Volume: ['name'],
  V1VolumeMount: ['mountPath', 'name'],
  V1DeploymentSpec: ['selector', 'template'],
  V1DaemonSetSpec: ['selector', 'template'],
  V1StatefulSetSpec: ['selector', 'template'],
  V1ReplicaSetSpec: ['selector'],
  V1JobSpec: ['template'],
  V1ServicePort: ['port'],
  V1RoleRef: ['apiGroup', 'kind', 'name'],
  V1RoleBinding: ['roleRef'],
  V1ClusterRoleBinding: ['roleRef'],
  V1PolicyRule: ['verbs'],
  V1CustomResourceDefinitionSpec: ['group', 'names', 'scope', 'versions'],
  V1CustomResourceDefinitionVersion: ['name', 'served', 'storage'],
  V1CustomResourceDefinitionNames: ['kind', 'plural'],
  CoreV1Event: ['involvedObject'],
  V1EndpointSlice: ['addressType', 'endpoints'],
  V1Endpoint: ['addresses'],
};

/** Values that the server fills in; the keys of `ports` need theirs to tell entries apart. */
const DEFAULTS: Record<string, Schema['default']> = {
  'V1ContainerPort.protocol': 'TCP',
  'V1ServicePort.protocol': 'TCP',
  'V1ServiceSpec.type': 'ClusterIP',
  'V1ServiceSpec.sessionAffinity': 'None',
  'V1PodSpec.restartPolicy': 'Always',
  'V1PodSpec.dnsPolicy': 'ClusterFirst',
  'V1PodSpec.schedulerName': 'default-scheduler',
  'V1PodSpec.terminationGracePeriodSeconds': 30,
  'V1DeploymentSpec.replicas': 1,
  'V1DeploymentSpec.revisionHistoryLimit': 10,
  'V1DeploymentSpec.progressDeadlineSeconds': 600,
  'V1StatefulSetSpec.replicas': 1,
  'V1ReplicaSetSpec.replicas': 1,
  'V1DaemonSetSpec.revisionHistoryLimit': 10,
  'V1Secret.type': 'Opaque',
};

/** Quantities: strings in the models, but numbers are welcome on the wire. */
const QUANTITIES = new Set(['limits', 'requests', 'capacity', 'allocatable', 'hard', 'used', 'overhead', 'divisor']);

const models = client as unknown as Record<string, { getAttributeTypeMap?: () => Attribute[] } | undefined>;
const made = new Map<string, Schema>();

/** The schema of a model such as `V1Pod`, or undefined when the client library has no such model. */
export function builtinSchema(modelName: string): Schema | undefined {
  const known = made.get(modelName);
  if (known !== undefined) return known;
  const attributes = models[modelName]?.getAttributeTypeMap?.();
  if (attributes === undefined) return undefined;
  const properties: Record<string, Schema> = {};
  const schema: Schema = { type: 'object', properties, modelName };
  const required = REQUIRED[modelName];
  if (required !== undefined) schema.required = required;
  if (ATOMIC.has(modelName)) schema['x-kubernetes-map-type'] = 'atomic';
  // Before the properties: models may contain themselves.
  made.set(modelName, schema);
  for (const { baseName, type, format } of attributes) {
    properties[baseName] = fieldSchema(`${modelName}.${baseName}`, type, format);
  }
  return schema;
}

function fieldSchema(path: string, type: string, format: string): Schema {
  const field = path.slice(path.indexOf('.') + 1);
  if (QUANTITIES.has(field) || field === 'sizeLimit') return quantitySchema(type);
  const schema = typeSchema(type, format);
  const keys = LIST_KEYS[path];
  if (keys !== undefined) {
    const marked: Schema = { ...schema, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys.keys };
    marked['x-kubernetes-patch-merge-key'] = keys.mergeKey ?? keys.keys[0]!;
    marked['x-kubernetes-patch-strategy'] = path === 'V1PodSpec.volumes' ? 'merge,retainKeys' : 'merge';
    return marked;
  }
  if (SETS.has(path)) return { ...schema, 'x-kubernetes-list-type': 'set', 'x-kubernetes-patch-strategy': 'merge' };
  if (ATOMIC.has(path)) return { ...schema, 'x-kubernetes-map-type': 'atomic' };
  if (path in DEFAULTS) return { ...schema, default: DEFAULTS[path]! };
  return schema;
}

function quantitySchema(type: string): Schema {
  const quantity: Schema = { 'x-kubernetes-preserve-unknown-fields': true };
  return type.startsWith('{') ? { type: 'object', additionalProperties: quantity } : quantity;
}

function typeSchema(type: string, format: string): Schema {
  const item = /^Array<(.+)>$/.exec(type);
  if (item !== null) return { type: 'array', items: typeSchema(item[1]!, format) };
  const value = /^\{ \[key: string\]: (.+); \}$/.exec(type);
  if (value !== null) return { type: 'object', additionalProperties: typeSchema(value[1]!, format) };
  switch (type) {
    case 'string':
      return format === '' ? { type: 'string' } : { type: 'string', format };
    case 'number':
      return { type: format.startsWith('int') ? 'integer' : 'number', format };
    case 'boolean':
      return { type: 'boolean' };
    case 'Date':
    case 'V1MicroTime':
      return { type: 'string', format: 'date-time' };
    case 'IntOrString':
      return { 'x-kubernetes-int-or-string': true };
    case 'any':
      return { 'x-kubernetes-preserve-unknown-fields': true };
    default:
      return builtinSchema(type) ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  }
}
