import type { PrometheusConfig, ScrapeConfig } from './types.ts';

/**
 * Names the top-level sections that a valid configuration uses but that the program does not serve, one sentence each.
 * The caller refuses the configuration then: it must not look as if it were in force.
 * @param served names of sections
 */
export function unsupportedSections(config: PrometheusConfig, served: readonly string[]): string[] {
  const out: string[] = [];
  for (const [name, section] of Object.entries(config)) {
    const used = Array.isArray(section) ? section.length > 0 : section !== undefined;
    if (used && !served.includes(name)) out.push(`section ${name} is not supported yet`);
  }
  return out;
}

/**
 * The same for the ways of discovery that one job uses.
 * @param served `X` of `X_sd_configs` and `X_configs`: static, kubernetes, file, …
 */
export function unsupportedMechanisms(job: ScrapeConfig, served: readonly string[]): string[] {
  const out: string[] = [];
  for (const [field, list] of Object.entries(job)) {
    const mechanism = /^(.+)_sd_configs$/.exec(field)?.[1] ?? (field === 'static_configs' ? 'static' : undefined);
    if (mechanism === undefined || !Array.isArray(list) || list.length === 0) continue;
    if (!served.includes(mechanism)) out.push(`${field} is not supported yet`);
  }
  return out;
}
