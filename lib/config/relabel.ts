import { hash } from 'node:crypto';
import { assert, expandTemplate, type Labels, LabelsBuilder, type LinearRegex, PromletError } from '../model/index.ts';
import { MAX_RELABELED_VALUE_LENGTH } from './limits.ts';
import { compileShared } from './regex-cache.ts';
import type { NameValidationScheme, RelabelConfig } from './types.ts';

export const DEFAULT_RELABEL = { separator: ';', regex: '(.*)', replacement: '$1', action: 'replace' } as const;

const LEGACY_LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Rules are plain data; their regexes are compiled on first use and live as long as the rule. */
const compiled = new WeakMap<RelabelConfig, LinearRegex>();

/**
 * Applies the rules in order (Prometheus `model/relabel`, `Process`).
 * @returns undefined when a rule says to drop
 * @throws PromletError `model/bad-regex`; `config/relabel-too-long` when a value outgrows its limit
 */
export function relabel(
  labels: Labels,
  configs: readonly RelabelConfig[],
  scheme: NameValidationScheme = 'utf8',
): Labels | undefined {
  if (configs.length === 0) return labels;
  const builder = new LabelsBuilder(labels);
  for (const config of configs) if (!applyRule(config, builder, scheme)) return undefined;
  return builder.labels();
}

/** @returns false when the rule says to drop */
function applyRule(config: RelabelConfig, builder: LabelsBuilder, scheme: NameValidationScheme): boolean {
  const action = config.action ?? DEFAULT_RELABEL.action;
  switch (action) {
    case 'keep':
      return regexOf(config).matches(joinSources(config, builder));
    case 'drop':
      return !regexOf(config).matches(joinSources(config, builder));
    case 'keepequal':
      return builder.get(targetOf(config)) === joinSources(config, builder);
    case 'dropequal':
      return builder.get(targetOf(config)) !== joinSources(config, builder);
    case 'replace':
      replace(config, builder, scheme);
      return true;
    case 'lowercase':
      builder.set(
        targetOf(config),
        mapCase(joinSources(config, builder), (char) => char.toLowerCase()),
      );
      return true;
    case 'uppercase':
      builder.set(
        targetOf(config),
        mapCase(joinSources(config, builder), (char) => char.toUpperCase()),
      );
      return true;
    case 'hashmod':
      builder.set(targetOf(config), String(hashModulus(joinSources(config, builder), config.modulus!)));
      return true;
    case 'labelmap':
      mapLabels(config, builder);
      return true;
    case 'labeldrop':
      for (const [name] of builder.entries()) if (regexOf(config).matches(name)) builder.delete(name);
      return true;
    case 'labelkeep':
      for (const [name] of builder.entries()) if (!regexOf(config).matches(name)) builder.delete(name);
      return true;
  }
}

function replace(config: RelabelConfig, builder: LabelsBuilder, scheme: NameValidationScheme): void {
  const regex = regexOf(config);
  const groups = regex.submatches(joinSources(config, builder));
  if (groups === undefined) return;
  const target = expandTemplate(targetOf(config), regex, groups);
  if (!isValidLabelName(target, scheme)) return;
  const value = expandTemplate(config.replacement ?? DEFAULT_RELABEL.replacement, regex, groups);
  builder.set(target, bounded(value, target));
}

function mapLabels(config: RelabelConfig, builder: LabelsBuilder): void {
  const regex = regexOf(config);
  const template = config.replacement ?? DEFAULT_RELABEL.replacement;
  for (const [name, value] of builder.labels()) {
    const groups = regex.submatches(name);
    if (groups !== undefined) builder.set(expandTemplate(template, regex, groups), value);
  }
}

function joinSources(config: RelabelConfig, builder: LabelsBuilder): string {
  const names = config.source_labels ?? [];
  if (names.length === 1) return builder.get(names[0]!);
  let out = '';
  const separator = config.separator ?? DEFAULT_RELABEL.separator;
  names.forEach((name, i) => {
    out += i === 0 ? builder.get(name) : separator + builder.get(name);
  });
  return bounded(out, names.join(','));
}

/** A chain of rules that each double a value would otherwise grow without end. */
function bounded(value: string, name: string): string {
  if (value.length > MAX_RELABELED_VALUE_LENGTH) {
    throw new PromletError(
      'config/relabel-too-long',
      `relabelling made a value of ${value.length} characters for "${name}", the limit is ${MAX_RELABELED_VALUE_LENGTH}`,
    );
  }
  return value;
}

function regexOf(config: RelabelConfig): LinearRegex {
  let regex = compiled.get(config);
  if (regex === undefined) {
    regex = compileShared(config.regex ?? DEFAULT_RELABEL.regex);
    compiled.set(config, regex);
  }
  return regex;
}

function targetOf(config: RelabelConfig): string {
  assert(config.target_label !== undefined, `relabel: ${config.action} without target_label`);
  return config.target_label;
}

/** Valid UTF-8 and not empty, or the name syntax of Prometheus 2. */
export function isValidLabelName(name: string, scheme: NameValidationScheme): boolean {
  return scheme === 'utf8' ? name !== '' && name.isWellFormed() : LEGACY_LABEL_NAME.test(name);
}

/** Code point by code point as Go does: a mapping to several characters (ß → SS) is not taken. */
function mapCase(text: string, map: (char: string) => string): string {
  let out = '';
  for (const char of text) {
    const mapped = map(char);
    out += mapped.length === char.length ? mapped : char;
  }
  return out;
}

/** The last 8 bytes of MD5, big-endian, modulo `modulus`; byte by byte, so that doubles stay exact below 2^45. */
function hashModulus(text: string, modulus: number): number {
  const digest = hash('md5', text, 'buffer');
  let rest = 0;
  for (let i = 8; i < 16; i++) rest = (rest * 256 + digest[i]!) % modulus;
  return rest;
}
