import { child, getAt, isObject, type Json, type JsonObject, list, text } from './json.ts';
import { jsonPath } from './json-path.ts';
import { asJson, type KubeObject } from './object.ts';
import type { PrinterColumn, ResourceType } from './resource-type.ts';

/** A column of a built-in type. */
interface Column {
  name: string;
  type: 'string' | 'integer';
  /** Shown with `-o wide` only. */
  isWide: boolean;
  value: (object: JsonObject, nowMs: number) => Json;
}

type Cell = string | ((object: JsonObject, nowMs: number) => Json);

function column(name: string, cell: Cell, isWide = false): Column {
  const value = typeof cell === 'string' ? (object: JsonObject) => text(getAt(object, cell.split('.'))) : cell;
  return { name, type: 'string', isWide, value };
}

function wide(name: string, cell: Cell): Column {
  return column(name, cell, true);
}

const NONE = '<none>';
const orNone = (path: string) => (object: JsonObject) => text(getAt(object, path.split('.'))) || NONE;
const count = (path: string) => (object: JsonObject) => Number(getAt(object, path.split('.')) ?? 0);
const size = (path: string) => (object: JsonObject) => Object.keys(getAt(object, path.split('.')) ?? {}).length;
const age = column('Age', (object, nowMs) => ageOf(getAt(object, ['metadata', 'creationTimestamp']), nowMs));
const containers = wide('Containers', (object) =>
  containersOf(object)
    .map((one) => text(one.name))
    .join(','),
);
const images = wide('Images', (object) =>
  containersOf(object)
    .map((one) => text(one.image))
    .join(','),
);
const selector = wide('Selector', (object) => pairs(child(child(object, 'spec'), 'selector').matchLabels));
const ready = column('Ready', (object) => {
  const wanted = getAt(object, ['spec', 'replicas']) ?? 0;
  return `${text(getAt(object, ['status', 'readyReplicas'])) || '0'}/${text(wanted)}`;
});

const NAME = column('Name', 'metadata.name');

const COLUMNS: Record<string, Column[]> = {
  '/pods': [
    column('Ready', (pod) => {
      const states = list(getAt(pod, ['status', 'containerStatuses']));
      const isReady = states.filter((state) => getAt(state, ['ready']) === true);
      return `${isReady.length}/${list(getAt(pod, ['spec', 'containers'])).length}`;
    }),
    column('Status', podStatus),
    column('Restarts', (pod) => {
      const states = list(getAt(pod, ['status', 'containerStatuses']));
      return String(states.reduce<number>((sum, state) => sum + Number(getAt(state, ['restartCount']) ?? 0), 0));
    }),
    age,
    wide('IP', orNone('status.podIP')),
    wide('Node', orNone('spec.nodeName')),
    wide('Nominated Node', orNone('status.nominatedNodeName')),
    wide('Readiness Gates', () => NONE),
  ],
  '/nodes': [
    column('Status', (node) => {
      const state = jsonPath(node, '.status.conditions[?(@.type=="Ready")].status')[0];
      const isCordoned = getAt(node, ['spec', 'unschedulable']) === true;
      return `${state === 'True' ? 'Ready' : state === undefined ? 'Unknown' : 'NotReady'}${isCordoned ? ',SchedulingDisabled' : ''}`;
    }),
    column('Roles', (node) => {
      const prefix = 'node-role.kubernetes.io/';
      const labels = Object.keys(child(child(node, 'metadata'), 'labels'));
      return (
        labels
          .filter((key) => key.startsWith(prefix))
          .map((key) => key.slice(prefix.length))
          .join(',') || NONE
      );
    }),
    age,
    column('Version', 'status.nodeInfo.kubeletVersion'),
    wide(
      'Internal-IP',
      (node) => text(jsonPath(node, '.status.addresses[?(@.type=="InternalIP")].address')[0]) || NONE,
    ),
    wide(
      'External-IP',
      (node) => text(jsonPath(node, '.status.addresses[?(@.type=="ExternalIP")].address')[0]) || NONE,
    ),
    wide('OS-Image', 'status.nodeInfo.osImage'),
    wide('Kernel-Version', 'status.nodeInfo.kernelVersion'),
    wide('Container-Runtime', 'status.nodeInfo.containerRuntimeVersion'),
  ],
  '/namespaces': [column('Status', 'status.phase'), age],
  '/services': [
    column('Type', 'spec.type'),
    column('Cluster-IP', orNone('spec.clusterIP')),
    column('External-IP', orNone('spec.externalName')),
    column(
      'Port(s)',
      (service) =>
        list(getAt(service, ['spec', 'ports']))
          .map(portText)
          .join(',') || NONE,
    ),
    age,
    wide('Selector', (service) => pairs(getAt(service, ['spec', 'selector']))),
  ],
  '/endpoints': [
    column(
      'Endpoints',
      (endpoints) =>
        list(endpoints.subsets)
          .flatMap((subset) =>
            list(getAt(subset, ['addresses'])).flatMap((address) =>
              list(getAt(subset, ['ports'])).map(
                (port) => `${text(getAt(address, ['ip']))}:${text(getAt(port, ['port']))}`,
              ),
            ),
          )
          .join(',') || NONE,
    ),
    age,
  ],
  'discovery.k8s.io/endpointslices': [
    column('AddressType', 'addressType'),
    column(
      'Ports',
      (slice) =>
        list(slice.ports)
          .map((port) => text(getAt(port, ['port'])))
          .join(',') || '<unset>',
    ),
    column('Endpoints', (slice) => jsonPath(slice, '.endpoints[*].addresses[*]').map(text).join(',') || '<unset>'),
    age,
  ],
  '/secrets': [column('Type', 'type'), column('Data', size('data')), age],
  '/configmaps': [column('Data', size('data')), age],
  '/serviceaccounts': [column('Secrets', size('secrets')), age],
  '/events': [
    column('Last Seen', (event, nowMs) =>
      ageOf(event.lastTimestamp ?? event.eventTime ?? getAt(event, ['metadata', 'creationTimestamp']), nowMs),
    ),
    column('Type', 'type'),
    column('Reason', 'reason'),
    column('Object', (event) => {
      const about = child(event, 'involvedObject');
      return `${text(about.kind).toLowerCase()}/${text(about.name)}`;
    }),
    column('Message', (event) => text(event.message).trim()),
  ],
  'apps/deployments': [
    ready,
    column('Up-to-date', count('status.updatedReplicas')),
    column('Available', count('status.availableReplicas')),
    age,
    containers,
    images,
    selector,
  ],
  'apps/daemonsets': [
    column('Desired', count('status.desiredNumberScheduled')),
    column('Current', count('status.currentNumberScheduled')),
    column('Ready', count('status.numberReady')),
    column('Up-to-date', count('status.updatedNumberScheduled')),
    column('Available', count('status.numberAvailable')),
    column('Node Selector', (set) => pairs(getAt(set, ['spec', 'template', 'spec', 'nodeSelector']))),
    age,
    containers,
    images,
    selector,
  ],
  'apps/replicasets': [
    column('Desired', count('spec.replicas')),
    column('Current', count('status.replicas')),
    column('Ready', count('status.readyReplicas')),
    age,
    containers,
    images,
    selector,
  ],
  'apps/statefulsets': [ready, age, containers, images],
  'batch/jobs': [
    column('Status', (job) => text(jsonPath(job, '.status.conditions[?(@.status=="True")].type')[0]) || 'Running'),
    column('Completions', (job) => {
      return `${text(getAt(job, ['status', 'succeeded'])) || '0'}/${text(getAt(job, ['spec', 'completions'])) || '1'}`;
    }),
    age,
  ],
  'coordination.k8s.io/leases': [column('Holder', 'spec.holderIdentity'), age],
  'rbac.authorization.k8s.io/roles': [column('Created At', 'metadata.creationTimestamp')],
  'rbac.authorization.k8s.io/clusterroles': [column('Created At', 'metadata.creationTimestamp')],
  'rbac.authorization.k8s.io/rolebindings': [column('Role', roleText), age],
  'rbac.authorization.k8s.io/clusterrolebindings': [column('Role', roleText), age],
  'apiextensions.k8s.io/customresourcedefinitions': [column('Created At', 'metadata.creationTimestamp')],
  'scheduling.k8s.io/priorityclasses': [
    column('Value', count('value')),
    column('Global-Default', (priority) => priority.globalDefault === true),
    age,
  ],
};

/** What `kubectl get` shows in STATUS: the reason a container waits or ended, else the phase. */
function podStatus(pod: JsonObject): string {
  if (getAt(pod, ['metadata', 'deletionTimestamp']) !== undefined) return 'Terminating';
  for (const state of list(getAt(pod, ['status', 'containerStatuses']))) {
    const reason = getAt(state, ['state', 'waiting', 'reason']) ?? getAt(state, ['state', 'terminated', 'reason']);
    if (reason !== undefined) return text(reason);
  }
  return text(getAt(pod, ['status', 'reason'])) || text(getAt(pod, ['status', 'phase']));
}

function containersOf(workload: JsonObject): JsonObject[] {
  return list(getAt(workload, ['spec', 'template', 'spec', 'containers'])).filter(isObject);
}

function portText(port: Json): string {
  const node = text(getAt(port, ['nodePort']));
  return `${text(getAt(port, ['port']))}${node === '' ? '' : `:${node}`}/${text(getAt(port, ['protocol']))}`;
}

function roleText(binding: JsonObject): string {
  const role = child(binding, 'roleRef');
  return `${text(role.kind)}/${text(role.name)}`;
}

function pairs(map: Json | undefined): string {
  return isObject(map)
    ? Object.entries(map)
        .map(([key, value]) => `${key}=${text(value)}`)
        .join(',') || NONE
    : NONE;
}

/** `5s`, `12m`, `3h20m`, `2d4h`, `40d`, `2y30d`: as apimachinery's `HumanDuration` shortens. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const two = (big: number, bigUnit: string, small: number, unit: string): string =>
    `${big}${bigUnit}${small > 0 ? `${small}${unit}` : ''}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (days < 8) return two(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  return two(Math.floor(days / 365), 'y', days < 2920 ? days % 365 : 0, 'd');
}

function ageOf(timestamp: Json | undefined, nowMs: number): string {
  const since = Date.parse(text(timestamp));
  return Number.isNaN(since) ? '<unknown>' : humanDuration(nowMs - since);
}

/** A cell of a column that a CRD declares: the first match, written by the column's type. */
function declaredCell(column: PrinterColumn, object: JsonObject, nowMs: number): Json {
  const matches = jsonPath(object, column.jsonPath);
  const [first] = matches;
  if (first === undefined) return null;
  switch (column.type) {
    case 'date':
      return ageOf(first, nowMs);
    case 'integer':
    case 'number':
      return typeof first === 'number' ? first : null;
    case 'boolean':
      return typeof first === 'boolean' ? first : null;
    default:
      return matches.map((match) => (typeof match === 'object' ? JSON.stringify(match) : text(match))).join(',');
  }
}

function definition(name: string, type: string, format: string, description: string, priority: number): JsonObject {
  return { name, type, format, description, priority };
}

export function columnDefinitions(type: ResourceType): JsonObject[] {
  const name = definition('Name', 'string', 'name', 'Name must be unique within a namespace.', 0);
  if (type.columns !== undefined) {
    const declared = type.columns.map((one) =>
      definition(one.name, one.type, one.format ?? '', one.description ?? '', one.priority ?? 0),
    );
    return [name, ...declared];
  }
  return [name, ...builtinColumns(type).map((one) => definition(one.name, one.type, '', '', one.isWide ? 1 : 0))];
}

function builtinColumns(type: ResourceType): Column[] {
  return COLUMNS[`${type.group}/${type.plural}`] ?? [age];
}

/** One row; `object` is what rides along with it, as `includeObject` asks. */
export function tableRow(type: ResourceType, object: KubeObject, include: string, nowMs: number): JsonObject {
  const json = asJson(object);
  const cells =
    type.columns === undefined
      ? builtinColumns(type).map((one) => one.value(json, nowMs))
      : type.columns.map((one) => declaredCell(one, json, nowMs));
  return {
    cells: [NAME.value(json, nowMs), ...cells],
    ...(include === 'None' ? {} : { object: ridingObject(object, include) }),
  };
}

function ridingObject(object: KubeObject, include: string): JsonObject {
  return include === 'Object' ? asJson(object) : partialMetadata(object);
}

export function partialMetadata({ metadata }: KubeObject): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: metadata as unknown as JsonObject };
}
