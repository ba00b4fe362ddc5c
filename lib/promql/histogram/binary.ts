import type { FloatHistogram } from '../../model/index.ts';
import type { BinaryOperator } from '../parse/ast.ts';
import { compacted, divided, multiplied, withHint } from './arithmetic.ts';
import { equalHistograms } from './equality.ts';
import { HistogramSum } from './histogram-sum.ts';
import { trimmed } from './trim.ts';

export type SampleValue = number | FloatHistogram;

/** What is to be said of an operation, in Prometheus's words (`util/annotations`). */
export interface BinaryNote {
  readonly level: 'warn' | 'info';
  readonly message: string;
}

/** A result, if the operator has one for such samples; a comparison yields whether it holds. */
export interface BinaryResult {
  readonly value: FloatHistogram | boolean | undefined;
  readonly note: BinaryNote | undefined;
}

/** A binary operator between two samples that are not both plain numbers, or `</`, `>/` (Prometheus `vectorElemBinop`). */
export function histogramBinary(op: BinaryOperator, left: SampleValue, right: SampleValue): BinaryResult {
  const value = resultOf(op, left, right);
  if (value !== undefined) return { value, note: undefined };
  if (typeof left === 'object' && typeof right === 'object' && (op === '+' || op === '-'))
    return added(op, left, right);
  const [leftType, rightType] = [typeName(left), typeName(right)];
  const what = 'incompatible sample types encountered for binary operator';
  const message = `${what} "${op}": ${leftType} ${op} ${rightType}`;
  return { value: undefined, note: { level: 'info', message } };
}

function typeName(value: SampleValue): string {
  return typeof value === 'object' ? 'histogram' : 'float';
}

function resultOf(op: BinaryOperator, left: SampleValue, right: SampleValue): FloatHistogram | boolean | undefined {
  if (typeof left === 'object' && typeof right === 'object') {
    if (op === '==') return equalHistograms(left, right);
    return op === '!=' ? !equalHistograms(left, right) : undefined;
  }
  if (typeof right === 'object') return op === '*' ? compacted(multiplied(right, left as number)) : undefined;
  if (typeof left !== 'object') return undefined;
  if (op === '*') return compacted(multiplied(left, right));
  if (op === '/') return compacted(divided(left, right));
  if (op === '</') return trimmed(left, right, 'below');
  return op === '>/' ? trimmed(left, right, 'above') : undefined;
}

function added(op: '+' | '-', left: FloatHistogram, right: FloatHistogram): BinaryResult {
  const sum = new HistogramSum(left);
  if (!sum.add(right, op === '+' ? 1 : -1)) {
    const message = `incompatible bucket layout encountered for binary operator ${op}`;
    return { value: undefined, note: { level: 'warn', message } };
  }
  const operation = op === '+' ? 'addition' : 'subtraction';
  if (sum.hasConflictingHints) {
    const message = `conflicting counter resets during histogram ${operation}`;
    return { value: undefined, note: { level: 'warn', message } };
  }
  const result = compacted(sum.result());
  const value = op === '+' ? result : withHint(result, 'gauge');
  if (!sum.hasReconciledBounds) return { value, note: undefined };
  return { value, note: { level: 'info', message: `mismatched custom buckets were reconciled during ${operation}` } };
}
