import { METRIC_NAME } from '../../model/index.ts';
import type { Cardinality, NamedCount } from '../types.ts';
import type { LabelIndex } from './label-index.ts';

/** What takes the most series and label memory (index.PostingsStats of Prometheus), for `/api/v1/status/tsdb`. */
export function cardinality(index: LabelIndex, limit: number): Cardinality {
  const metrics: NamedCount[] = [];
  const values: NamedCount[] = [];
  const memory: NamedCount[] = [];
  const pairs: NamedCount[] = [];
  for (const name of index.names()) {
    const ids = index.values(name)!;
    let sizeBytes = 0;
    for (const [value, id] of ids) {
      const series = index.postingsLength(id);
      sizeBytes += Buffer.byteLength(value) * series;
      if (name === METRIC_NAME) metrics.push({ name: value, value: series });
      pairs.push({ name: `${name}=${value}`, value: series });
    }
    values.push({ name, value: ids.size });
    memory.push({ name, value: sizeBytes });
  }
  return {
    seriesCountByMetricName: largest(metrics, limit),
    labelValueCountByLabelName: largest(values, limit),
    memoryInBytesByLabelName: largest(memory, limit),
    seriesCountByLabelValuePair: largest(pairs, limit),
  };
}

function largest(counts: NamedCount[], limit: number): NamedCount[] {
  return counts.sort((a, b) => b.value - a.value).slice(0, limit);
}
