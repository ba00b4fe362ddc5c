import type { RelabelConfig } from '../config/index.ts';

/** A rule as the API shows it (`relabel.Config` of Prometheus as JSON), defaults filled in. */
export function relabelRuleJson(rule: RelabelConfig): object {
  const { source_labels, separator, regex, modulus, target_label, replacement, action } = rule;
  return {
    ...(source_labels !== undefined && source_labels.length > 0 && { source_labels }),
    separator: separator ?? ';',
    regex: regex ?? '(.*)',
    ...(modulus && { modulus }),
    ...(target_label && { target_label }),
    replacement: replacement ?? '$1',
    action: action ?? 'replace',
  };
}
