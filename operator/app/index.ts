export { type OperatorFlags, parseFlags } from './flags.ts';
export { type Operator, type OperatorOptions, startOperator } from './operator.ts';
