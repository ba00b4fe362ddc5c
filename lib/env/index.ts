export { readBody } from './body.ts';
export { type Clock, systemClock, type Timer } from './clock.ts';
export { Gate } from './gate.ts';
export { type AppendFiles, type FileSystem, nodeFileSystem } from './files.ts';
export { createLogger, type Logger } from './log.ts';
export { type Random, systemRandom, seededRandom } from './random.ts';
