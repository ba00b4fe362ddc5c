export { isOverBudget } from './eval/context.ts';
export { Engine, type EngineOptions, type QueryOptions } from './eval/engine.ts';
export { labelsBytes, textsBytes } from './eval/memory.ts';
export { MemoryBudget, type MemoryShare } from './eval/memory-budget.ts';
export { MemoryPool, type PoolPlace, PoolShare } from './eval/memory-pool.ts';
export type { MatrixSeries, QueryResult, QuerySamples, QueryValue, VectorSample } from './eval/value.ts';
export { FEATURE_NAMES, featuresOf, PER_STEP_STATS, type PromqlFeatures } from './features.ts';
export type { Assistance, Assistants, AssistTask, PartAnswer } from './parallel/assistance.ts';
export { languageFeatures } from './language-features.ts';
export { DEFAULT_MAX_QUERY_MEMORY_BYTES, DEFAULT_MAX_TOTAL_QUERY_MEMORY_BYTES } from './limits.ts';
export {
  type AtModifier,
  type BinaryExpr,
  childrenOf,
  type Duration,
  type DurationExpr,
  type Expr,
  type NumberLiteral,
  valueTypeOf,
} from './parse/ast.ts';
export { ParseError } from './parse/parse-error.ts';
export { parseExpr, parseSelector } from './parse/parser.ts';
export { prettify } from './parse/prettify.ts';
export { exprToString } from './parse/print.ts';
