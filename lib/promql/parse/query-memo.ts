import { LRUCache } from 'lru-cache';
import type { Matcher } from '../../model/index.ts';
import type { PromqlFeatures } from '../features.ts';
import { childrenOf, type Expr } from './ast.ts';
import { parseExpr } from './parser.ts';

const MAX_QUERIES = 32;
/** Expressions of longer ones would take much memory. */
const MAX_LENGTH = 1_024;

/**
 * The expressions of the queries that were asked last: dashboards ask the same again and again. Parsing took a fifth of the
 * time of a query for one series, and a tenth to a seventh of other small ones.
 */
export class QueryMemo {
  readonly #features: PromqlFeatures | undefined;
  /** By text. */
  readonly #known = new LRUCache<string, Expr>({ max: MAX_QUERIES });

  constructor(features: PromqlFeatures | undefined) {
    this.#features = features;
  }

  /** @throws as `parseExpr` */
  parse(query: string): Expr {
    if (query.length > MAX_LENGTH) return parseExpr(query, this.#features);
    const known = this.#known.get(query);
    if (known !== undefined) return known;
    // The text may be a piece of a long request, and its expression holds pieces of it: they would keep the request alive.
    const text = Buffer.from(query).toString();
    const expr = parseExpr(text, this.#features);
    if (isSmall(expr)) this.#known.set(text, expr);
    return expr;
  }
}

/** A regex that has to be compiled may take 500 kB, and grows while it is used: 32 queries held half a gigabyte. */
function isSmall(expr: Expr): boolean {
  return expr.kind === 'vector' ? expr.matchers.every(isPlain) : childrenOf(expr).every(isSmall);
}

function isPlain({ type, plain }: Matcher): boolean {
  return type === '=' || type === '!=' || plain !== undefined;
}
