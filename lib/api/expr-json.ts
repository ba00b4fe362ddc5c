import { formatFloat, type Matcher } from '../model/index.ts';
import type { AtModifier, BinaryExpr, Duration, DurationExpr, Expr, NumberLiteral } from '../promql/index.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** An expression as `parse_query` tells it (Prometheus `web/api/v1/translate_ast.go`); names sorted, as Go writes maps. */
export function exprJson(expr: Expr): Json {
  switch (expr.kind) {
    case 'number':
      return { type: 'numberLiteral', val: formatFloat(expr.value) };
    case 'string':
      return { type: 'stringLiteral', val: expr.value };
    case 'paren':
      return { expr: exprJson(expr.expr), type: 'parenExpr' };
    case 'unary':
      return { expr: exprJson(expr.expr), op: expr.op, type: 'unaryExpr' };
    case 'call': {
      const { name, args, variadic, returns } = expr.func;
      return {
        args: expr.args.map(exprJson),
        func: { argTypes: args, name, returnType: returns, variadic },
        type: 'call',
      };
    }
    case 'aggregate':
      return {
        expr: exprJson(expr.expr),
        grouping: expr.grouping,
        op: expr.op,
        param: expr.param === undefined ? null : exprJson(expr.param),
        type: 'aggregation',
        without: expr.without,
      };
    case 'binary':
      return {
        bool: expr.returnBool,
        lhs: exprJson(expr.left),
        matching: matchingJson(expr.matching),
        op: expr.op,
        rhs: exprJson(expr.right),
        type: 'binaryExpr',
      };
    case 'vector':
      return { ...selectorJson(expr), type: 'vectorSelector' };
    case 'matrix':
      return {
        ...selectorJson(expr.selector),
        range: durationMs(expr.range),
        rangeExpr: durationJson(expr.range),
        type: 'matrixSelector',
      };
    case 'subquery':
      return {
        expr: exprJson(expr.expr),
        ...timeJson(expr.offset, expr.at),
        range: durationMs(expr.range),
        rangeExpr: durationJson(expr.range),
        step: durationMs(expr.step ?? 0),
        stepExpr: durationJson(expr.step ?? 0),
        type: 'subquery',
      };
  }
}

function selectorJson(selector: Expr & { kind: 'vector' }): { readonly [name: string]: Json } {
  return {
    anchored: selector.extension === 'anchored',
    matchers: selector.matchers.map(matcherJson),
    name: selector.name,
    ...timeJson(selector.offset, selector.at),
    smoothed: selector.extension === 'smoothed',
  };
}

function timeJson(offset: Duration, at: AtModifier | undefined): { readonly [name: string]: Json } {
  return {
    offset: durationMs(offset),
    offsetExpr: durationJson(offset),
    startOrEnd: typeof at === 'string' ? at : null,
    timestamp: typeof at === 'number' ? at : null,
  };
}

function matcherJson({ name, type, value }: Matcher): Json {
  return { name, type, value };
}

function matchingJson(matching: BinaryExpr['matching']): Json {
  if (matching === undefined) return null;
  const { cardinality, labels, on, include, fillLeft, fillRight } = matching;
  return {
    card: cardinality,
    fillValues: { lhs: fillLeft ?? null, rhs: fillRight ?? null },
    include,
    labels,
    on,
  };
}

/** 0 for what is only known when the query runs. */
function durationMs(duration: Duration): number {
  return typeof duration === 'number' ? duration : 0;
}

function durationJson(duration: Duration): Json {
  return typeof duration === 'number' ? null : operandJson(duration);
}

function operandJson(operand: DurationExpr | NumberLiteral | undefined): Json {
  if (operand === undefined) return null;
  if (operand.kind === 'number') {
    return { duration: operand.duration, type: 'numberLiteral', val: formatFloat(operand.value) };
  }
  const { op, left, right, wrapped } = operand;
  return { lhs: operandJson(left), op, rhs: operandJson(right), type: 'durationExpr', wrapped };
}
