import type { Expr } from './ast.ts';
import { aggregateHead, binaryHead, exprToString, subquerySuffix } from './print.ts';

/** What is longer, in bytes, is broken into lines. */
const MAX_LINE_BYTES = 100;

/** The expression as `promtool promql format` and the API's format_query print it (`promql/parser/prettier.go`). */
export function prettify(expr: Expr): string {
  return pretty(expr, 0);
}

function pretty(expr: Expr, level: number): string {
  const indent = '  '.repeat(level);
  if (expr.kind === 'unary') return indent + expr.op + pretty(expr.expr, level).trim();
  const line = exprToString(expr);
  const isShort = Buffer.byteLength(line) <= MAX_LINE_BYTES;
  // Prometheus does not indent a subquery that fits.
  if (isShort) return expr.kind === 'subquery' ? line : indent + line;
  switch (expr.kind) {
    case 'aggregate': {
      const param = expr.param === undefined ? '' : `${pretty(expr.param, level + 1)},\n`;
      return `${indent}${aggregateHead(expr)}(\n${param}${pretty(expr.expr, level + 1)}\n${indent})`;
    }
    case 'binary':
      return `${pretty(expr.left, level + 1)}\n${indent}${binaryHead(expr)}\n${pretty(expr.right, level + 1)}`;
    case 'call': {
      const args = expr.args.map((arg) => pretty(arg, level + 1)).join(',\n');
      return `${indent}${expr.func.name}(\n${args}\n${indent})`;
    }
    case 'paren':
      return `${indent}(\n${pretty(expr.expr, level + 1)}\n${indent})`;
    case 'subquery':
      return pretty(expr.expr, level) + subquerySuffix(expr);
    case 'number':
    case 'string':
    case 'vector':
    case 'matrix':
      return indent + line;
  }
}
