import {
  assert,
  compareUtf8,
  formatDuration,
  formatFloat,
  formatGeneral,
  formatLabelName,
  METRIC_NAME,
  quote,
} from '../../model/index.ts';
import {
  type AggregateExpr,
  type AtModifier,
  type BinaryExpr,
  type Duration,
  type DurationExpr,
  type Expr,
  type NumberLiteral,
  type SubqueryExpr,
  type VectorMatching,
  type VectorSelector,
} from './ast.ts';

/** The expression as Prometheus prints it (`promql/parser/printer.go`): one line, parses to the same expression. */
export function exprToString(expr: Expr): string {
  switch (expr.kind) {
    case 'number':
      return numberToString(expr);
    case 'string':
      return quote(expr.value);
    case 'paren':
      return `(${exprToString(expr.expr)})`;
    case 'unary':
      return expr.op + exprToString(expr.expr);
    case 'call':
      return `${expr.func.name}(${expr.args.map(exprToString).join(', ')})`;
    case 'aggregate':
      return aggregateToString(expr);
    case 'binary':
      return `${exprToString(expr.left)} ${binaryHead(expr)} ${exprToString(expr.right)}`;
    case 'vector':
      return selectorToString(expr);
    case 'matrix': {
      const { selector } = expr;
      const plain = selectorToString({ ...selector, offset: 0, at: undefined, extension: undefined });
      const range = `[${durationToString(expr.range)}]`;
      return plain + range + extensionToString(selector) + atToString(selector.at) + offsetToString(selector.offset);
    }
    case 'subquery':
      return exprToString(expr.expr) + subquerySuffix(expr);
  }
}

function numberToString(literal: NumberLiteral): string {
  return literal.duration ? formatDuration(Math.round(literal.value * 1000)) : formatFloat(literal.value);
}

function labelsToString(names: readonly string[]): string {
  return `(${names.map(formatLabelName).join(', ')})`;
}

/** `sum by (job) `, without the parentheses behind it. */
export function aggregateHead(expr: AggregateExpr): string {
  if (expr.without) return `${expr.op} without ${labelsToString(expr.grouping)} `;
  return expr.grouping.length > 0 ? `${expr.op} by ${labelsToString(expr.grouping)} ` : expr.op;
}

/** `* on (job) group_left ()`, without the operands. */
export function binaryHead(expr: BinaryExpr): string {
  return expr.op + (expr.returnBool ? ' bool' : '') + (expr.matching ? matchingToString(expr.matching) : '');
}

/** `[5m:1m] @ 0.000 offset 1m` */
export function subquerySuffix(expr: SubqueryExpr): string {
  const step = expr.step === undefined ? '' : durationToString(expr.step);
  return `[${durationToString(expr.range)}:${step}]${atToString(expr.at)}${offsetToString(expr.offset)}`;
}

function aggregateToString(expr: AggregateExpr): string {
  const param = expr.param === undefined ? '' : `${exprToString(expr.param)}, `;
  return `${aggregateHead(expr)}(${param}${exprToString(expr.expr)})`;
}

function matchingToString(matching: VectorMatching): string {
  const { cardinality, fillLeft, fillRight } = matching;
  const isGrouped = cardinality === 'many-to-one' || cardinality === 'one-to-many';
  let out = '';
  if (matching.labels.length > 0 || matching.on || isGrouped) {
    out += ` ${matching.on ? 'on' : 'ignoring'} ${labelsToString(matching.labels)}`;
  }
  if (isGrouped) {
    out += ` group_${cardinality === 'many-to-one' ? 'left' : 'right'} ${labelsToString(matching.include)}`;
  }
  if (fillLeft !== undefined && fillLeft === fillRight) return `${out} fill (${formatGeneral(fillLeft)})`;
  if (fillLeft !== undefined) out += ` fill_left (${formatGeneral(fillLeft)})`;
  if (fillRight !== undefined) out += ` fill_right (${formatGeneral(fillRight)})`;
  return out;
}

function selectorToString(selector: VectorSelector): string {
  const matchers: string[] = [];
  for (const matcher of selector.matchers) {
    const isName = matcher.name === METRIC_NAME && matcher.type === '=' && matcher.value === selector.name;
    if (!isName || matcher.value === '') matchers.push(matcher.toString());
  }
  const braces = matchers.length > 0 ? `{${matchers.sort(compareUtf8).join(',')}}` : '';
  const modifiers = atToString(selector.at) + extensionToString(selector) + offsetToString(selector.offset);
  return selector.name + (braces === '' && selector.name === '' ? '{}' : braces) + modifiers;
}

function extensionToString(selector: VectorSelector): string {
  return selector.extension === undefined ? '' : ` ${selector.extension}`;
}

function atToString(at: AtModifier | undefined): string {
  if (at === undefined) return '';
  return typeof at === 'number' ? ` @ ${(at / 1000).toFixed(3)}` : ` @ ${at}()`;
}

function offsetToString(offset: Duration): string {
  return offset === 0 ? '' : ` offset ${durationToString(offset)}`;
}

function durationToString(duration: Duration): string {
  if (typeof duration !== 'number') return durationExprToString(duration);
  return (duration < 0 ? '-' : '') + formatDuration(Math.trunc(Math.abs(duration)));
}

function durationExprToString(expr: DurationExpr): string {
  const text = unwrappedToString(expr);
  return expr.wrapped ? `(${text})` : text;
}

function operandToString(operand: DurationExpr | NumberLiteral | undefined): string {
  assert(operand !== undefined, 'duration expression without an operand');
  return operand.kind === 'number' ? numberToString(operand) : durationExprToString(operand);
}

function unwrappedToString(expr: DurationExpr): string {
  const { op, left, right } = expr;
  if (op === 'step' || op === 'range') return `${op}()`;
  if (op === 'min_of' || op === 'max_of') return `${op}(${operandToString(left)}, ${operandToString(right)})`;
  if (left === undefined) return (op === '-' ? '-' : '') + operandToString(right);
  return `${operandToString(left)} ${op} ${operandToString(right)}`;
}
