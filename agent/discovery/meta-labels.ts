import type { LabelsBuilder } from '../../lib/model/index.ts';
import type { ObjectMeta } from '../../lib/kube/index.ts';
import type { Container, Pod } from './objects.ts';

export const META_PREFIX = '__meta_kubernetes_';
const PRESENT = 'true';

/** `name`, and each label and annotation with its presence flag (Prometheus `addObjectMetaLabels`). */
export function setObjectMeta(builder: LabelsBuilder, meta: ObjectMeta, role: string): void {
  builder.set(`${META_PREFIX}${role}_name`, meta.name ?? '');
  setAll(builder, meta.labels, `${META_PREFIX}${role}_label`);
  setAll(builder, meta.annotations, `${META_PREFIX}${role}_annotation`);
}

function setAll(builder: LabelsBuilder, values: Readonly<Record<string, string>> | undefined, prefix: string): void {
  for (const [name, value] of Object.entries(values ?? {})) {
    const suffix = sanitizeLabelName(name);
    builder.set(`${prefix}_${suffix}`, value);
    builder.set(`${prefix}present_${suffix}`, PRESENT);
  }
}

/** Prometheus `strutil.SanitizeLabelName`. */
export function sanitizeLabelName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/gu, '_');
}

/** What every target of a pod carries (Prometheus `podLabels`). */
export function setPod(builder: LabelsBuilder, pod: Pod, options: { readonly job: boolean }): void {
  builder
    .set(`${META_PREFIX}pod_ip`, pod.status.podIP ?? '')
    .set(`${META_PREFIX}pod_ready`, readiness(pod))
    .set(`${META_PREFIX}pod_phase`, pod.status.phase ?? '')
    .set(`${META_PREFIX}pod_node_name`, pod.spec.nodeName ?? '')
    .set(`${META_PREFIX}pod_host_ip`, pod.status.hostIP ?? '')
    .set(`${META_PREFIX}pod_uid`, pod.metadata.uid ?? '');
  setObjectMeta(builder, pod.metadata, 'pod');
  const controller = pod.metadata.ownerReferences?.find((owner) => owner.controller === true);
  if (controller === undefined) return;
  builder
    .set(`${META_PREFIX}pod_controller_kind`, controller.kind)
    .set(`${META_PREFIX}pod_controller_name`, controller.name);
  if (options.job && controller.kind === 'Job') builder.set(`${META_PREFIX}pod_job_name`, controller.name);
}

/** The Ready condition's status in lower case, `unknown` without one. */
function readiness(pod: Pod): string {
  return pod.status.conditions?.find(({ type }) => type === 'Ready')?.status.toLowerCase() ?? 'unknown';
}

export function isPodReady(pod: Pod): boolean {
  return readiness(pod) === 'true';
}

/** Containers, then init containers, as Prometheus walks them. */
export function* allContainers(pod: Pod): Generator<[container: Container, isInit: boolean]> {
  for (const container of pod.spec.containers) yield [container, false];
  for (const container of pod.spec.initContainers ?? []) yield [container, true];
}

/** Go's `net.JoinHostPort`. */
export function joinHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
