import type { RelabelConfig } from '../../lib/config/index.ts';
import { shorten } from '../../lib/model/index.ts';
import type { LabelSelector } from '../resources/index.ts';
import { sanitizeLabelName } from './label-names.ts';
import { rejection } from './rejection.ts';

const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const MAX_DNS_SUBDOMAIN_LENGTH = 253;

/**
 * A label selector as relabelling rules, in prometheus-operator's order: exact labels by name, then expressions.
 * Values go into the regex as they are: a valid label value has no operator but the dot, as upstream.
 * @param object whose labels are matched
 * @throws PromletError `monitors/rejected`
 */
export function selectorRules(selector: LabelSelector, object: 'service' | 'pod'): RelabelConfig[] {
  const rules: RelabelConfig[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels ?? {}).toSorted(byName)) {
    checkKey(key);
    checkValue(key, value);
    rules.push(matchRule('keep', object, key, [value]));
  }
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    checkKey(key);
    for (const value of values) checkValue(key, value);
    rules.push(expressionRule(object, key, operator, values));
  }
  return rules;
}

function expressionRule(object: string, key: string, operator: string, values: readonly string[]): RelabelConfig {
  const wantsValues = operator === 'In' || operator === 'NotIn';
  if (wantsValues !== values.length > 0) {
    throw rejection(`selector: ${operator} of "${key}" ${wantsValues ? 'needs values' : 'takes no values'}`);
  }
  switch (operator) {
    case 'In':
      return matchRule('keep', object, key, values);
    case 'NotIn':
      return matchRule('drop', object, key, values);
    case 'Exists':
      return presenceRule('keep', object, key);
    case 'DoesNotExist':
      return presenceRule('drop', object, key);
    default:
      throw rejection(`selector: "${shorten(operator)}" is not a valid label selector operator`);
  }
}

function matchRule(action: 'keep' | 'drop', object: string, key: string, values: readonly string[]): RelabelConfig {
  const name = sanitizeLabelName(key);
  return {
    action,
    source_labels: [`__meta_kubernetes_${object}_label_${name}`, `__meta_kubernetes_${object}_labelpresent_${name}`],
    regex: `(${values.join('|')});true`,
  };
}

function presenceRule(action: 'keep' | 'drop', object: string, key: string): RelabelConfig {
  const source = `__meta_kubernetes_${object}_labelpresent_${sanitizeLabelName(key)}`;
  return { action, source_labels: [source], regex: 'true' };
}

/** A qualified name: an optional DNS prefix and `/`, then a name (apimachinery `IsQualifiedName`). */
function checkKey(key: string): void {
  const slash = key.indexOf('/');
  const prefix = key.slice(0, Math.max(slash, 0));
  const validPrefix = slash < 0 || (prefix.length <= MAX_DNS_SUBDOMAIN_LENGTH && DNS_SUBDOMAIN.test(prefix));
  if (!validPrefix || !NAME.test(key.slice(slash + 1))) {
    throw rejection(`selector: "${shorten(key)}" is not a valid label key`);
  }
}

function checkValue(key: string, value: string): void {
  if (value !== '' && !NAME.test(value)) {
    throw rejection(`selector: "${shorten(value)}" is not a valid value of label "${key}"`);
  }
}

/** Go's order of map keys: by UTF-8 bytes, which for ASCII keys is by code units. */
function byName([a]: [string, string], [b]: [string, string]): number {
  return a < b ? -1 : Number(a > b);
}
