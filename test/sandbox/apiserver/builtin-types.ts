import { builtinSchema } from './builtin-schema.ts';
import type { ResourceType } from './resource-type.ts';

/** `kind plural[,short…]`, one a line; a leading `*` marks cluster scope, a trailing `/status` the status subresource. */
const TABLE: Record<string, string> = {
  v1: `
    *Namespace namespaces,ns /status
    *Node nodes,no /status
    Pod pods,po /status
    Service services,svc /status
    Endpoints endpoints,ep
    Secret secrets
    ConfigMap configmaps,cm
    ServiceAccount serviceaccounts,sa
    Event events,ev
    *PersistentVolume persistentvolumes,pv /status
    PersistentVolumeClaim persistentvolumeclaims,pvc /status
    ReplicationController replicationcontrollers,rc /status
    LimitRange limitranges,limits
    ResourceQuota resourcequotas,quota /status`,
  'apps/v1': `
    Deployment deployments,deploy /status
    DaemonSet daemonsets,ds /status
    ReplicaSet replicasets,rs /status
    StatefulSet statefulsets,sts /status
    ControllerRevision controllerrevisions`,
  'batch/v1': `
    Job jobs /status
    CronJob cronjobs,cj /status`,
  'autoscaling/v2': `
    HorizontalPodAutoscaler horizontalpodautoscalers,hpa /status`,
  'coordination.k8s.io/v1': `
    Lease leases`,
  'discovery.k8s.io/v1': `
    EndpointSlice endpointslices`,
  'policy/v1': `
    PodDisruptionBudget poddisruptionbudgets,pdb /status`,
  'networking.k8s.io/v1': `
    NetworkPolicy networkpolicies,netpol
    Ingress ingresses,ing /status
    *IngressClass ingressclasses`,
  'scheduling.k8s.io/v1': `
    *PriorityClass priorityclasses,pc`,
  'storage.k8s.io/v1': `
    *StorageClass storageclasses,sc`,
  'rbac.authorization.k8s.io/v1': `
    Role roles
    RoleBinding rolebindings
    *ClusterRole clusterroles
    *ClusterRoleBinding clusterrolebindings`,
  'admissionregistration.k8s.io/v1': `
    *ValidatingWebhookConfiguration validatingwebhookconfigurations
    *MutatingWebhookConfiguration mutatingwebhookconfigurations`,
  'apiextensions.k8s.io/v1': `
    *CustomResourceDefinition customresourcedefinitions,crd,crds /status`,
  'events.k8s.io/v1': `
    Event events,ev`,
};

/** Resources that answer a create at once and store nothing. */
const VIRTUAL: Record<string, string> = {
  'authorization.k8s.io/v1': `
    *SelfSubjectAccessReview selfsubjectaccessreviews
    *SelfSubjectRulesReview selfsubjectrulesreviews
    *SubjectAccessReview subjectaccessreviews
    LocalSubjectAccessReview localsubjectaccessreviews`,
  'authentication.k8s.io/v1': `
    *SelfSubjectReview selfsubjectreviews
    *TokenReview tokenreviews`,
};

const SELECTABLE: Record<string, string[]> = {
  pods: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'status.phase',
    'status.podIP',
  ],
  nodes: ['spec.unschedulable'],
  namespaces: ['status.phase'],
  secrets: ['type'],
  services: ['spec.clusterIP', 'spec.type'],
  jobs: ['status.successful'],
  replicasets: ['status.replicas'],
  events: [
    ...['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].flatMap((field) => [
      `involvedObject.${field}`,
      `regarding.${field}`,
    ]),
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
};

/** Members of `kubectl get all`. */
const ALL = new Set('pods services deployments daemonsets replicasets statefulsets jobs cronjobs'.split(' '));

export function builtinTypes(): ResourceType[] {
  return [...rowsOf(TABLE, false), ...rowsOf(VIRTUAL, true)];
}

function rowsOf(table: Record<string, string>, virtual: boolean): ResourceType[] {
  return Object.entries(table).flatMap(([groupVersion, rows]) => {
    const [version, group = ''] = groupVersion.split('/').reverse() as [string, string?];
    return rows
      .trim()
      .split('\n')
      .map((row) => rowType(group, version, row.trim(), virtual));
  });
}

function rowType(group: string, version: string, row: string, virtual: boolean): ResourceType {
  const [marked, names, status] = row.split(/\s+/) as [string, string, string?];
  const kind = marked.replace('*', '');
  const [plural, ...shortNames] = names.split(',') as [string, ...string[]];
  return {
    group,
    version,
    kind,
    listKind: `${kind}List`,
    plural,
    singular: kind.toLowerCase(),
    shortNames,
    categories: ALL.has(plural) ? ['all'] : [],
    namespaced: !marked.startsWith('*'),
    hasStatus: status === '/status',
    virtual,
    schema: builtinSchema(modelName(group, version, kind)),
    columns: undefined,
    selectableFields: SELECTABLE[plural] ?? [],
    isCustom: false,
  };
}

function modelName(group: string, version: string, kind: string): string {
  if (kind === 'Event') return group === '' ? 'CoreV1Event' : 'EventsV1Event';
  return `${version.toUpperCase()}${kind}`;
}
