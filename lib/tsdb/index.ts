export { openTsdb } from './db.ts';
export type {
  Cardinality,
  NamedCount,
  ReplayProgress,
  ReplayReport,
  Tsdb,
  TsdbLimits,
  TsdbOptions,
  TsdbStats,
  WalDamage,
} from './types.ts';
