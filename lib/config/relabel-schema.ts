/** Relabelling rules as the file writes them. Follows Prometheus `model/relabel`. */
import { z } from 'zod';
import { errorMessage } from '../model/index.ts';
import { count, list, text } from './leaves.ts';
import { MAX_HASH_MODULUS } from './limits.ts';
import { compileShared } from './regex-cache.ts';
import { DEFAULT_RELABEL, isValidLabelName } from './relabel.ts';
import type { NameValidationScheme, RelabelAction, RelabelConfig } from './types.ts';

const ACTIONS: ReadonlySet<string> = new Set<RelabelAction>([
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
]);

const action = text.transform((value, context): RelabelAction => {
  const lower = value.toLowerCase();
  if (ACTIONS.has(lower)) return lower as RelabelAction;
  context.addIssue({
    code: 'custom',
    message: value === '' ? 'relabel action cannot be empty' : `unknown relabel action "${value}"`,
  });
  return z.NEVER;
});

const regex = text.superRefine((pattern, context) => {
  try {
    compileShared(pattern);
  } catch (error) {
    context.addIssue({ code: 'custom', message: errorMessage(error) });
  }
});

const rule = z.strictObject({
  source_labels: z.preprocess((value) => value ?? undefined, list(text).optional()),
  separator: text.optional(),
  regex: regex.optional(),
  modulus: count.optional(),
  target_label: text.optional(),
  replacement: text.optional(),
  action: action.optional(),
});

/** A list of rules. `what` says what an item is when one is null. */
export function relabelRules(what: string) {
  return list(rule, what);
}

const NEEDS_TARGET = new Set<RelabelAction>(['replace', 'hashmod', 'lowercase', 'uppercase', 'keepequal', 'dropequal']);
const PLAIN_TARGET = new Set<RelabelAction>(['hashmod', 'lowercase', 'uppercase', 'keepequal', 'dropequal']);
const NO_REPLACEMENT = new Set<RelabelAction>(['lowercase', 'uppercase', 'keepequal', 'dropequal']);

/** Label names as templates under the legacy scheme: letters, digits, underscores and `$1`, `${1}`. */
const LEGACY_TEMPLATE = /^(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))(?:\w|\$(?:\{\w+\}|\w+))*$/;

/** What is wrong with a rule, in Prometheus's words; names are judged by the job's scheme. */
export function relabelProblem(config: RelabelConfig, scheme: NameValidationScheme): string | undefined {
  const verb = config.action ?? DEFAULT_RELABEL.action;
  const target = config.target_label ?? '';
  const replacement = config.replacement ?? DEFAULT_RELABEL.replacement;
  const isTemplateValid = (value: string) =>
    scheme === 'utf8' ? isValidLabelName(value, scheme) : LEGACY_TEMPLATE.test(value);

  if (verb === 'hashmod' && (config.modulus ?? 0) === 0) {
    return 'relabel configuration for hashmod requires non-zero modulus';
  }
  if ((config.modulus ?? 0) > MAX_HASH_MODULUS) return `modulus ${config.modulus} is above the limit of 2^45`;
  if (NEEDS_TARGET.has(verb) && target === '') {
    return `relabel configuration for ${verb} action requires 'target_label' value`;
  }
  const targetValid =
    verb === 'replace' && target.includes('$')
      ? isTemplateValid(target)
      : !(verb === 'replace' || PLAIN_TARGET.has(verb)) || isValidLabelName(target, scheme);
  if (!targetValid) return `"${target}" is invalid 'target_label' for ${verb} action`;
  if (NO_REPLACEMENT.has(verb) && replacement !== DEFAULT_RELABEL.replacement) {
    return `'replacement' can not be set for ${verb} action`;
  }
  if (verb === 'labelmap' && !isTemplateValid(replacement)) {
    return `"${replacement}" is invalid 'replacement' for ${verb} action`;
  }
  const separatorSet = (config.separator ?? DEFAULT_RELABEL.separator) !== DEFAULT_RELABEL.separator;
  const replacementSet = replacement !== DEFAULT_RELABEL.replacement;
  if (verb === 'dropequal' || verb === 'keepequal') {
    if (config.regex !== undefined || config.modulus || separatorSet || replacementSet) {
      return `${verb} action requires only 'source_labels' and \`target_label\`, and no other fields`;
    }
  }
  if (verb === 'labeldrop' || verb === 'labelkeep') {
    if (config.source_labels !== undefined || target !== '' || config.modulus || separatorSet || replacementSet) {
      return `${verb} action requires only 'regex', and no other fields`;
    }
  }
  return undefined;
}
