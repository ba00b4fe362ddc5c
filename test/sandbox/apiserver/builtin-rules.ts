import { child, equal, getAt, isObject, type Json, type JsonObject, list, setAt, text } from './json.ts';
import { asJson, asObject, type KubeObject } from './object.ts';
import type { ResourceType } from './resource-type.ts';
import { type Cause, invalid } from './status.ts';

/** What a new object gets beyond its schema's defaults. */
export interface RuleContext {
  time: string;
  /** A number that no other call gets. */
  nextNumber: () => number;
}

type Rule = (object: JsonObject, context: RuleContext, before: JsonObject | undefined) => void;

const RULES: Record<string, Rule> = {
  '/namespaces': (object) => {
    const name = text(getAt(object, ['metadata', 'name']));
    setAt(object, ['metadata', 'labels', 'kubernetes.io/metadata.name'], name);
    if (getAt(object, ['spec', 'finalizers']) === undefined) setAt(object, ['spec', 'finalizers'], ['kubernetes']);
    if (getAt(object, ['status', 'phase']) === undefined) setAt(object, ['status', 'phase'], 'Active');
  },
  '/pods': (object) => {
    if (getAt(object, ['status', 'phase']) === undefined) setAt(object, ['status', 'phase'], 'Pending');
  },
  '/secrets': (object) => {
    for (const [key, value] of Object.entries(child(object, 'stringData'))) {
      setAt(object, ['data', key], Buffer.from(text(value)).toString('base64'));
    }
    delete object.stringData;
  },
  '/services': (object, { nextNumber }, before) => {
    const ports = list(getAt(object, ['spec', 'ports'])).map((port) =>
      isObject(port) && port.targetPort === undefined ? { ...port, targetPort: port.port } : port,
    );
    if (ports.length > 0) setAt(object, ['spec', 'ports'], ports);
    if (getAt(object, ['spec', 'type']) === 'ExternalName') return;
    const address =
      getAt(object, ['spec', 'clusterIP']) ?? getAt(before, ['spec', 'clusterIP']) ?? serviceAddress(nextNumber());
    setAt(object, ['spec', 'clusterIP'], address);
    setAt(object, ['spec', 'clusterIPs'], [address]);
  },
  'apiextensions.k8s.io/customresourcedefinitions': (object, { time }, before) => {
    const names = child(child(object, 'spec'), 'names');
    const kind = text(names.kind);
    const complete = {
      ...names,
      listKind: names.listKind ?? `${kind}List`,
      singular: names.singular ?? kind.toLowerCase(),
    };
    setAt(object, ['spec', 'names'], complete);
    if (getAt(object, ['spec', 'conversion']) === undefined)
      setAt(object, ['spec', 'conversion'], { strategy: 'None' });
    const since = text(getAt(list(getAt(before, ['status', 'conditions']))[0], ['lastTransitionTime'])) || time;
    const condition = (type: string, reason: string, message: string): Json => ({
      type,
      status: 'True',
      lastTransitionTime: since,
      reason,
      message,
    });
    object.status = {
      acceptedNames: complete,
      conditions: [
        condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
        condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
      ],
      storedVersions: list(getAt(object, ['spec', 'versions']))
        .filter((version) => isObject(version) && version.storage === true)
        .map((version) => getAt(version, ['name'])!),
    };
  },
};

/** An address of 10.96.0.0/16, the usual range of services. */
function serviceAddress(number: number): string {
  return `10.96.${(number >> 8) & 255}.${number & 255}`;
}

/** The object as the server completes it; `before` is the stored one when this is a change. */
export function completed(
  type: ResourceType,
  object: KubeObject,
  context: RuleContext,
  before: KubeObject | undefined,
): KubeObject {
  const rule = RULES[`${type.group}/${type.plural}`];
  if (rule === undefined) return object;
  const result = structuredClone(asJson(object));
  rule(result, context, before === undefined ? undefined : asJson(before));
  return asObject(result);
}

const IMMUTABLE: Record<string, string[][]> = {
  'apps/deployments': [['spec', 'selector']],
  'apps/daemonsets': [['spec', 'selector']],
  'apps/statefulsets': [
    ['spec', 'selector'],
    ['spec', 'serviceName'],
  ],
  '/secrets': [['type']],
  'rbac.authorization.k8s.io/rolebindings': [['roleRef']],
  'rbac.authorization.k8s.io/clusterrolebindings': [['roleRef']],
};

/** Throws 422 when a field changed that a change may not touch. */
export function checkImmutable(type: ResourceType, before: KubeObject, after: KubeObject): void {
  const causes: Cause[] = [];
  for (const path of IMMUTABLE[`${type.group}/${type.plural}`] ?? []) {
    const value = getAt(asJson(after), path);
    if (equal(getAt(asJson(before), path), value)) continue;
    const message = `Invalid value: ${JSON.stringify(value)}: field is immutable`;
    causes.push({ reason: 'FieldValueInvalid', field: path.join('.'), message });
  }
  if (causes.length > 0) throw invalid(type, after.metadata.name, causes);
}
