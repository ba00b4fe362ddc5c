export { expandEnvironment } from './environment.ts';
export { isValidLabelName, relabel } from './relabel.ts';
export type * from './types.ts';
