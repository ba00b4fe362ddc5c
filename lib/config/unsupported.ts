import type { KubernetesRole, PrometheusConfig } from './types.ts';

/** What the running program serves of the configuration file. */
export interface Served {
  /** `X` of `X_configs` or `X_sd_configs`: static, kubernetes, file, … */
  readonly mechanisms: readonly string[];
  readonly kubernetesRoles: readonly KubernetesRole[];
  /** Top-level sections. */
  readonly sections: readonly string[];
}

const SERVED: Served = {
  mechanisms: ['static', 'kubernetes'],
  kubernetesRoles: ['pod'],
  sections: ['global', 'runtime', 'scrape_configs'],
};

/**
 * Names everything a valid configuration asks for that the program does not serve, one sentence each; empty when it can
 * be applied whole. The caller refuses the configuration then: it must not look as if it were in force.
 */
export function unsupported(config: PrometheusConfig, served: Served = SERVED): string[] {
  const out: string[] = [];
  for (const [name, section] of Object.entries(config)) {
    const used = Array.isArray(section) ? section.length > 0 : section !== undefined;
    if (used && !served.sections.includes(name)) out.push(`section ${name} is not supported yet`);
  }
  for (const job of config.scrape_configs) {
    for (const [field, list] of Object.entries(job)) {
      const mechanism = /^(.+)_sd_configs$/.exec(field)?.[1] ?? (field === 'static_configs' ? 'static' : undefined);
      if (mechanism === undefined || !Array.isArray(list) || list.length === 0) continue;
      if (!served.mechanisms.includes(mechanism)) {
        out.push(`${field} is not supported yet (job "${job.job_name}")`);
      } else if (mechanism === 'kubernetes') {
        for (const role of new Set(job.kubernetes_sd_configs.map((config) => config.role))) {
          if (served.kubernetesRoles.includes(role)) continue;
          out.push(`kubernetes_sd_configs role ${role} is not supported yet (job "${job.job_name}")`);
        }
      }
    }
  }
  return out;
}
