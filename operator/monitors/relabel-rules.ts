import type { RelabelAction, RelabelConfig } from '../../lib/config/index.ts';
import { compileRegex, shorten } from '../../lib/model/index.ts';
import type { RelabelConfig as MonitorRelabelConfig } from '../resources/index.ts';
import { sanitizeLabelName } from './label-names.ts';
import { rejection, within } from './rejection.ts';

/**
 * The rules a user wrote, checked as Prometheus will (`model/relabel`, `Config.Validate`), so that one bad rule cannot
 * make it refuse the whole configuration.
 * @param field where they stand, for messages
 * @throws PromletError `monitors/rejected` or `model/bad-regex`
 */
export function userRules(field: string, rules: readonly MonitorRelabelConfig[] | undefined): RelabelConfig[] {
  return (rules ?? []).map((rule, i) => within(`${field}[${i}]`, () => userRule(rule)));
}

function userRule(rule: MonitorRelabelConfig): RelabelConfig {
  const action = rule.action?.toLowerCase() as RelabelAction | undefined;
  checkRule(rule, action ?? 'replace');
  // Fields that are empty or zero in Go are not written by prometheus-operator.
  return {
    ...(rule.sourceLabels?.length ? { source_labels: rule.sourceLabels } : {}),
    ...(rule.separator === undefined ? {} : { separator: rule.separator }),
    ...(rule.targetLabel ? { target_label: rule.targetLabel } : {}),
    ...(rule.regex ? { regex: rule.regex } : {}),
    ...(rule.modulus ? { modulus: rule.modulus } : {}),
    ...(rule.replacement === undefined ? {} : { replacement: rule.replacement }),
    ...(action === undefined ? {} : { action }),
  };
}

const NEEDS_TARGET = new Set<RelabelAction>(['replace', 'hashmod', 'lowercase', 'uppercase', 'keepequal', 'dropequal']);
const ONE_TO_ONE = new Set<RelabelAction>(['lowercase', 'uppercase', 'keepequal', 'dropequal']);

function checkRule(rule: MonitorRelabelConfig, action: RelabelAction): void {
  if (rule.regex) compileRegex(rule.regex);
  for (const name of rule.sourceLabels ?? []) checkLabelName('sourceLabels', name);
  if (action === 'hashmod' && !rule.modulus) throw rejection('hashmod needs a modulus other than 0');
  if (NEEDS_TARGET.has(action)) {
    if (!rule.targetLabel) throw rejection(`${action} needs targetLabel`);
    checkLabelName('targetLabel', rule.targetLabel);
  }
  if (ONE_TO_ONE.has(action) && hasValue(rule.replacement, '$1')) throw rejection(`${action} takes no replacement`);
  if (action === 'labelmap' && rule.replacement === '') throw rejection('labelmap needs a replacement');
  if (action === 'keepequal' || action === 'dropequal') {
    if (hasValue(rule.regex || undefined, '(.*)') || rule.modulus || hasValue(rule.separator, ';')) {
      throw rejection(`${action} takes only sourceLabels and targetLabel`);
    }
  }
  if (action === 'labeldrop' || action === 'labelkeep') {
    const others = [
      rule.sourceLabels?.length,
      rule.targetLabel,
      rule.modulus,
      hasValue(rule.separator, ';'),
      hasValue(rule.replacement, '$1'),
    ];
    if (others.some(Boolean)) throw rejection(`${action} takes only regex`);
  }
}

/** Whether a field is set to something else than Prometheus's default. */
function hasValue(value: string | undefined, defaultValue: string): boolean {
  return value !== undefined && value !== defaultValue;
}

/** Prometheus 3 takes any UTF-8 name that is not empty. */
function checkLabelName(field: string, name: string): void {
  if (name === '' || !name.isWellFormed()) throw rejection(`${field}: "${shorten(name)}" is not a valid label name`);
}

/** Copies a meta label, where it is not empty. */
export function copyRule(source: string, target: string): RelabelConfig {
  return { source_labels: [source], target_label: target, regex: '(.+)', replacement: '${1}' };
}

/** `targetLabels` and `podTargetLabels`. */
export function targetLabelRules(object: 'service' | 'pod', names: readonly string[] | undefined): RelabelConfig[] {
  return (names ?? []).map((name) => {
    const label = sanitizeLabelName(name);
    if (label === '') throw rejection(`${object === 'pod' ? 'podTargetLabels' : 'targetLabels'}: empty label name`);
    return copyRule(`__meta_kubernetes_${object}_label_${label}`, label);
  });
}

/** Keeps the discovery's job name where user rules can read it. */
export const JOB_NAME_RULE: RelabelConfig = { source_labels: ['job'], target_label: '__tmp_prometheus_job_name' };

/** Drops pods that have ended. */
export const RUNNING_FILTER: RelabelConfig = {
  action: 'drop',
  source_labels: ['__meta_kubernetes_pod_phase'],
  regex: '(Failed|Succeeded)',
};

/** Keeps targets whose meta label matches a port's name or number. */
export function portRule(source: string, port: string): RelabelConfig {
  compileRegex(port);
  return { action: 'keep', source_labels: [source], regex: port };
}

/** A container port by name (string) or number, as an IntOrString says; none for '' and 0. */
export function containerPortRules(port: string | number | undefined): RelabelConfig[] {
  if (port === undefined || port === '' || port === 0) return [];
  const property = typeof port === 'number' ? 'number' : 'name';
  return [portRule(`__meta_kubernetes_pod_container_port_${property}`, String(port))];
}
