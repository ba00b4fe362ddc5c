/** The schema of the whole file: the sections and what holds between them. Loads zod; see `parseConfig`. */
import { z } from 'zod';
import { list, optional, section, text } from './leaves.ts';
import { relabelProblem } from './relabel-schema.ts';
import { globalConfig, resolveScrapeConfig, scrapeConfig } from './scrape-schema.ts';
import {
  alerting,
  otlp,
  remoteRead,
  remoteWrite,
  runtime,
  storage,
  tracing,
  UTF8_TRANSLATIONS,
} from './sections-schema.ts';
import type { PrometheusConfig, RelabelConfig } from './types.ts';

const GLOB_PATTERN = /^[^*]*(?:\*[^/]*)?$/;

const globs = (what: string) =>
  list(
    text.superRefine((path, context) => {
      if (!GLOB_PATTERN.test(path)) context.addIssue({ code: 'custom', message: `invalid ${what} path "${path}"` });
    }),
  );

type Path = readonly (string | number)[];

/** @returns every problem found, or the configuration with defaults applied and globals handed down. */
export const prometheusConfig = z
  .strictObject({
    global: section(globalConfig),
    runtime: optional(runtime),
    alerting: optional(alerting),
    rule_files: globs('rule file'),
    scrape_config_files: globs('scrape config file'),
    scrape_configs: list(scrapeConfig, 'scrape config section'),
    storage: optional(storage),
    tracing: optional(tracing),
    otlp: optional(otlp),
    remote_write: list(remoteWrite, 'remote write config section'),
    remote_read: list(remoteRead, 'remote read config section'),
  })
  .transform((written, context): PrometheusConfig => {
    const complain = (message: string, path: Path) => context.addIssue({ code: 'custom', message, path: [...path] });
    const scheme = written.global.metric_name_validation_scheme;
    const checkRules = (rules: readonly RelabelConfig[], path: Path) =>
      rules.forEach((rule, i) => {
        const problem = relabelProblem(rule, scheme);
        if (problem !== undefined) complain(problem, [...path, i]);
      });
    const checkNames = (names: readonly string[], what: string, field: string) => {
      const seen = new Set<string>();
      names.forEach((name, i) => {
        if (name !== '' && seen.has(name)) {
          complain(`found multiple ${what} configs with job name "${name}"`, [field, i]);
        }
        seen.add(name);
      });
    };

    const jobs = written.scrape_configs.map((job, i) =>
      resolveScrapeConfig(job, written.global, (message, path) => complain(message, ['scrape_configs', i, ...path])),
    );
    checkNames(
      jobs.map((job) => job.job_name),
      'scrape',
      'scrape_configs',
    );
    checkNames(
      written.remote_write.map((remote) => remote.name),
      'remote write',
      'remote_write',
    );
    checkNames(
      written.remote_read.map((remote) => remote.name),
      'remote read',
      'remote_read',
    );
    written.remote_write.forEach((remote, i) =>
      checkRules(remote.write_relabel_configs, ['remote_write', i, 'write_relabel_configs']),
    );
    checkRules(written.alerting?.alert_relabel_configs ?? [], ['alerting', 'alert_relabel_configs']);
    written.alerting?.alertmanagers.forEach((manager, i) => {
      for (const field of ['relabel_configs', 'alert_relabel_configs'] as const) {
        checkRules(manager[field], ['alerting', 'alertmanagers', i, field]);
      }
    });
    const strategy = written.otlp?.translation_strategy ?? '';
    if (scheme === 'legacy' && UTF8_TRANSLATIONS.has(strategy)) {
      complain(`OTLP translation strategy "${strategy}" is not allowed when UTF8 is disabled`, [
        'otlp',
        'translation_strategy',
      ]);
    }
    const given = Object.entries(written).filter(([, value]) => value !== undefined);
    return { ...(Object.fromEntries(given) as typeof written), scrape_configs: jobs };
  });
