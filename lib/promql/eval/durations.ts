import { PromletError } from '../../model/index.ts';
import {
  type AtModifier,
  type Duration,
  type DurationExpr,
  type Expr,
  type NumberLiteral,
  withoutParens,
} from '../parse/ast.ts';
import { isDurationOutOfRange } from '../parse/literals.ts';
import type { QueryTimes } from './context.ts';

/**
 * The expression with every duration expression computed and every `@ start()`, `@ end()` replaced by its time
 * (Prometheus `PreprocessExpr`). Arguments lose their parentheses.
 * @throws PromletError `promql/parse` for a duration that is zero, negative or no number where it must not be
 */
export function resolveDurations(expr: Expr, times: QueryTimes): Expr {
  const resolve = (inner: Expr): Expr => resolveDurations(inner, times);
  switch (expr.kind) {
    case 'number':
    case 'string':
      return expr;
    case 'vector':
      return { ...expr, offset: resolveOffset(expr.offset, times), at: resolveAt(expr.at, times) };
    case 'matrix': {
      const { selector } = expr;
      const { offset, at } = selector;
      const resolved = { ...selector, offset: resolveOffset(offset, times), at: resolveAt(at, times) };
      return { ...expr, selector: resolved, range: resolveRange(expr.range, times) };
    }
    case 'subquery':
      return {
        ...expr,
        expr: resolve(expr.expr),
        range: resolveRange(expr.range, times),
        // A step below a millisecond would never end.
        step: expr.step === undefined ? undefined : Math.max(1, resolveRange(expr.step, times)),
        offset: resolveOffset(expr.offset, times),
        at: resolveAt(expr.at, times),
      };
    case 'call':
      return { ...expr, args: expr.args.map((arg) => withoutParens(resolve(arg))) };
    case 'aggregate':
      return {
        ...expr,
        expr: withoutParens(resolve(expr.expr)),
        param: expr.param && withoutParens(resolve(expr.param)),
      };
    case 'binary':
      return { ...expr, left: resolve(expr.left), right: resolve(expr.right) };
    case 'unary':
    case 'paren':
      return { ...expr, expr: resolve(expr.expr) };
  }
}

function resolveAt(at: AtModifier | undefined, times: QueryTimes): number | undefined {
  if (at === 'start') return times.startMs;
  return at === 'end' ? times.endMs : at;
}

function resolveOffset(offset: Duration, times: QueryTimes): number {
  return typeof offset === 'number' ? Math.trunc(offset) : toMs(offset, times);
}

function resolveRange(range: Duration, times: QueryTimes): number {
  if (typeof range === 'number') return Math.trunc(range);
  const durationMs = toMs(range, times, true);
  if (durationMs > 0) return durationMs;
  throw parseError(`${range.start}:${range.end}: duration must be greater than 0`);
}

function toMs(expr: DurationExpr, times: QueryTimes, mustBePositive = false): number {
  const seconds = secondsOf(expr, times);
  const at = `${expr.start}:${expr.end}`;
  if (!Number.isFinite(seconds)) throw parseError(`${at}: duration is NaN or infinite`);
  if (mustBePositive && seconds <= 0) throw parseError(`${at}: duration must be greater than 0`);
  if (isDurationOutOfRange(seconds)) throw parseError(`${at}: duration is out of range`);
  return Math.trunc(seconds * 1000);
}

function secondsOf(expr: DurationExpr | NumberLiteral | undefined, times: QueryTimes): number {
  if (expr === undefined) return 0;
  if (expr.kind === 'number') return expr.value;
  const left = secondsOf(expr.left, times);
  const right = secondsOf(expr.right, times);
  switch (expr.op) {
    case 'step':
      return times.stepMs / 1000;
    case 'range':
      return (times.endMs - times.startMs) / 1000;
    case 'min_of':
      return Math.min(left, right);
    case 'max_of':
      return Math.max(left, right);
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '^':
      return left ** right;
    case '/':
      if (right === 0) throw parseError(`${expr.start}:${expr.end}: division by zero`);
      return left / right;
    case '%':
      if (right === 0) throw parseError(`${expr.start}:${expr.end}: modulo by zero`);
      return left % right;
  }
}

/** Prometheus computes durations before it evaluates anything: for a client the query is bad. */
function parseError(message: string): PromletError {
  return new PromletError('promql/parse', message);
}
