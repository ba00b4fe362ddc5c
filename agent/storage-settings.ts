import { formatSize, type StorageConfig } from '../lib/config/index.ts';
import { formatDuration, PromletError } from '../lib/model/index.ts';
import { DEFAULT_RETENTION, type RetentionOptions, type TsdbSettings } from '../lib/tsdb/index.ts';
import type { AgentFlags } from './flags.ts';

/** What the flags keep of the past, when the configuration says nothing: 15 days unless either flag is given. */
export function flaggedRetention({ retentionTimeMs, retentionSizeBytes }: AgentFlags): RetentionOptions {
  const timeMs = retentionTimeMs ?? (retentionSizeBytes === undefined ? DEFAULT_RETENTION.timeMs : 0);
  return { timeMs, sizeBytes: retentionSizeBytes ?? 0, diskPercent: 0 };
}

/**
 * Section `storage` of a configuration, which goes before the flags (`ApplyConfig` of tsdb/db.go).
 * @throws PromletError `config/unsupported` for what this database does not do
 */
export function storageSettings(storage: StorageConfig | undefined, flags: AgentFlags): TsdbSettings {
  const { out_of_order_time_window, stale_series_compaction_threshold, chunk_encoding, retention } =
    storage?.tsdb ?? {};
  if (chunk_encoding?.floats === 'xor2') {
    throw new PromletError('config/unsupported', 'storage.tsdb.chunk_encoding.floats: xor2 is read, but not written');
  }
  if (stale_series_compaction_threshold !== undefined && stale_series_compaction_threshold > 0) {
    throw new PromletError('config/unsupported', 'storage.tsdb.stale_series_compaction_threshold is not supported');
  }
  const flagged = flaggedRetention(flags);
  return {
    outOfOrderWindowMs: out_of_order_time_window ?? 0,
    maxExemplars: storage?.exemplars?.max_exemplars ?? 0,
    retention: {
      timeMs: retention?.time ?? flagged.timeMs,
      sizeBytes: retention?.size ?? flagged.sizeBytes,
      diskPercent: retention?.percentage ?? 0,
    },
  };
}

/** As `/api/v1/status/runtimeinfo` shows it: `15d`, `10GiB`, `15d or 10GiB`. */
export function describeRetention({ timeMs, sizeBytes, diskPercent }: RetentionOptions): string {
  const parts: string[] = [];
  if (timeMs > 0) parts.push(formatDuration(timeMs));
  if (diskPercent > 0) parts.push(`${diskPercent}%`);
  else if (sizeBytes > 0) parts.push(formatSize(sizeBytes));
  return parts.join(' or ');
}
