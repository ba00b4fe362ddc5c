export { acceptedCondition, isSameCondition } from './condition.ts';
export { StatusWriter, type StatusWriterOptions } from './writer.ts';
