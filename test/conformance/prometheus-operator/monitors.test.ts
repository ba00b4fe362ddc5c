/** Our jobs against prometheus-operator's own golden files, for the same monitors. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { serializeConfig } from '../../../lib/config/index.ts';
import { MONITOR_KINDS, resolveMonitor } from '../../../operator/monitors/index.ts';

interface Rule {
  readonly source_labels?: readonly string[];
  readonly target_label?: string;
  readonly regex?: string | number;
}
interface Job {
  readonly relabel_configs: readonly Rule[];
  readonly body_size_limit?: string;
}

const OPTIONS = { scrapeIntervalMs: 30_000, serviceDiscoveryRole: 'endpoints' } as const;
const here = new URL('./', import.meta.url);

function jobsOf(yaml: string): readonly Job[] {
  return (parse(yaml) as { scrape_configs: readonly Job[] }).scrape_configs;
}

/** Sharding among Prometheus replicas, which upstream appends to every job; a node has one agent. */
function isShardingRule(rule: Rule): boolean {
  return rule.target_label === '__tmp_hash' || (rule.source_labels?.includes('__tmp_hash') ?? false);
}

/** Our own node label. */
function isNodeRule({ source_labels: [source = ''] = [], target_label }: Rule): boolean {
  return target_label === 'node' && /_(?:pod|endpoint)_node_name$/.test(source);
}

/** The same meaning in the same form: a port as text, 2GB in bytes. */
function comparable(job: Job, isExtra: (rule: Rule) => boolean): unknown {
  const rules = job.relabel_configs.filter((rule) => !isExtra(rule));
  return {
    ...job,
    ...(job.body_size_limit === undefined
      ? {}
      : { body_size_limit: job.body_size_limit.replace(/^2GB$/, `${2 ** 31}B`) }),
    relabel_configs: rules.map((rule) => (rule.regex === undefined ? rule : { ...rule, regex: String(rule.regex) })),
  };
}

describe("prometheus-operator's golden files", () => {
  for (const file of readdirSync(new URL('golden/', here))) {
    const name = file.replace(/\.golden$/, '');

    it(`${name}: our jobs are the same, but for sharding and the node label`, async () => {
      const monitor = parse(readFileSync(new URL(`monitors/${name}.yaml`, here), 'utf8')) as { kind: string };
      const kind = MONITOR_KINDS.find(({ resource }) => resource.kind === monitor.kind)!;
      const { jobs, rejection } = resolveMonitor(kind, monitor, OPTIONS, () => undefined);
      assert.equal(rejection, undefined);

      const ours = jobsOf(await serializeConfig({ scrape_configs: jobs }));
      const theirs = jobsOf(readFileSync(new URL(`golden/${file}`, here), 'utf8'));
      assert.deepEqual(
        ours.map((job) => comparable(job, isNodeRule)),
        theirs.map((job) => comparable(job, isShardingRule)),
      );
      for (const { relabel_configs: rules } of ours) assert.ok(rules.some(isNodeRule), 'a rule for the node label');
    });
  }
});
