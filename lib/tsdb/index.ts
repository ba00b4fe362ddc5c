export { analyzeBlock, type BlockAnalysis, type ChunkFill } from './analyze.ts';
export { BlockBuilder, type BlockBuilderOptions } from './block-builder.ts';
export { openTsdb } from './db.ts';
export { type BlockSummary, newestBlock, readBlocks } from './read-blocks.ts';
export { openReadOnly, type ReadOnlyOptions, type ReadOnlyTsdb } from './read-only.ts';
export type { PartReport } from './verify/report.ts';
export { verifyDirectory, type VerifyOptions } from './verify/verify.ts';
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
