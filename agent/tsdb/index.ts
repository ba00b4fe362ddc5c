export { runTsdb } from './command.ts';
