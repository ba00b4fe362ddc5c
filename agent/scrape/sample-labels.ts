import { isValidLabelName, relabel, type ScrapeConfig } from '../../lib/config/index.ts';
import { type Labels, LabelsBuilder, METRIC_NAME, PromletError, shorten } from '../../lib/model/index.ts';
import type { ScrapeLimits } from './limits.ts';

/**
 * From the labels a target exposed to those that are stored: target labels, then metric relabelling, then limits
 * (Prometheus `mutateSampleLabels`, `verifyLabelLimits`).
 * @returns undefined when relabelling drops the series
 * @throws PromletError `scrape/bad-labels`, `scrape/label-limit`
 */
export function storedLabels(
  exposed: Labels,
  targetLabels: Labels,
  config: ScrapeConfig,
  limits: ScrapeLimits,
): Labels | undefined {
  const merged = config.honor_labels ? mergeHonoring(exposed, targetLabels) : mergeOverriding(exposed, targetLabels);
  const labels = relabel(merged, config.metric_relabel_configs, config.metric_name_validation_scheme);
  if (labels === undefined || labels.size === 0) return undefined;
  if (!labels.has(METRIC_NAME)) throw new PromletError('scrape/bad-labels', 'missing metric name (__name__ label)');
  for (const [name] of labels) {
    if (!isValidLabelName(name, config.metric_name_validation_scheme)) {
      throw new PromletError('scrape/bad-labels', `invalid metric name or label names: ${shorten(labels.toString())}`);
    }
  }
  checkLimits(labels, config, limits);
  return labels;
}

function mergeHonoring(exposed: Labels, targetLabels: Labels): Labels {
  const builder = new LabelsBuilder(exposed);
  for (const [name, value] of targetLabels) if (!exposed.has(name)) builder.set(name, value);
  return builder.labels();
}

/** Target labels win; an exposed label of the same name moves to `exported_…`, shorter names first. */
function mergeOverriding(exposed: Labels, targetLabels: Labels): Labels {
  const builder = new LabelsBuilder(exposed);
  const conflicts: [name: string, value: string][] = [];
  for (const [name, value] of targetLabels) {
    const existing = exposed.get(name);
    if (existing !== '') conflicts.push([name, existing]);
    builder.set(name, value);
  }
  conflicts.sort(([a], [b]) => a.length - b.length);
  for (const [name, value] of conflicts) {
    let exported = `exported_${name}`;
    while (builder.get(exported) !== '') exported = `exported_${exported}`;
    builder.set(exported, value);
  }
  return builder.labels();
}

function checkLimits(labels: Labels, config: ScrapeConfig, limits: ScrapeLimits): void {
  const metric = labels.get(METRIC_NAME).slice(0, 50);
  const count = config.label_limit || limits.labelsPerSeries;
  const nameLimit = config.label_name_length_limit || limits.labelNameBytes;
  const valueLimit = config.label_value_length_limit || limits.labelValueBytes;
  if (count > 0 && labels.size > count) {
    fail(`label_limit exceeded (metric: ${metric}, number of labels: ${labels.size}, limit: ${count})`);
  }
  if (nameLimit === 0 && valueLimit === 0) return;
  for (const [name, value] of labels) {
    const nameBytes = Buffer.byteLength(name);
    const valueBytes = Buffer.byteLength(value);
    const shortName = name.slice(0, 50);
    if (nameLimit > 0 && nameBytes > nameLimit) {
      const lengths = `length: ${nameBytes}, limit: ${nameLimit}`;
      fail(`label_name_length_limit exceeded (metric: ${metric}, label name: ${shortName}, ${lengths})`);
    }
    if (valueLimit > 0 && valueBytes > valueLimit) {
      const lengths = `value: "${value.slice(0, 50)}", length: ${valueBytes}, limit: ${valueLimit}`;
      fail(`label_value_length_limit exceeded (metric: ${metric}, label name: ${shortName}, ${lengths})`);
    }
  }
}

function fail(message: string): never {
  throw new PromletError('scrape/label-limit', message);
}
