import type { SerializeOptions } from './serialize.ts';
import type { ConfigDraft, ParseOptions, PrometheusConfig } from './types.ts';

export { expandEnvironment } from './environment.ts';
export { ConfigError, type ConfigProblem } from './error.ts';
export { isValidLabelName, relabel } from './relabel.ts';
export { parseConfigInProcess, type ProcessOptions, showConfigInProcess } from './process-client.ts';
export { formatSize, parseSize } from './size.ts';
export type * from './types.ts';
export { unsupportedMechanisms, unsupportedSections } from './unsupported.ts';

/**
 * Reads a Prometheus configuration file. Strict as Prometheus: unknown fields, duplicate keys and contradictions are
 * errors. The schema (zod) and the YAML parser are loaded at the first call, so that importing this room costs neither.
 * @throws ConfigError `config/bad-yaml`, `config/invalid` with line and path of every problem; PromletError `config/too-large`
 */
export async function parseConfig(text: string, options: ParseOptions = {}): Promise<PrometheusConfig> {
  const { parse } = await import('./parse.ts');
  return parse(text, options);
}

/**
 * Writes a configuration, or the part of one that is not default, as YAML that Prometheus and `parseConfig` read to the
 * same meaning. Milliseconds and bytes get their units back; what is left out stays left out.
 */
export async function serializeConfig(config: ConfigDraft, options: SerializeOptions = {}): Promise<string> {
  const { serialize } = await import('./serialize.ts');
  return serialize(config, options);
}
