import * as fs from 'node:fs';

/**
 * The part of `node:fs` that storage uses, passed in so that tests can inject faults (ENOSPC, EIO, short writes, power
 * loss). Same names and meanings as in Node.
 */
export type FileSystem = Pick<
  typeof fs,
  | 'closeSync'
  | 'existsSync'
  | 'fdatasyncSync'
  | 'fsyncSync'
  | 'fstatSync'
  | 'ftruncateSync'
  | 'linkSync'
  | 'lstatSync'
  | 'mkdirSync'
  | 'openSync'
  | 'readFileSync'
  | 'readSync'
  | 'readdirSync'
  | 'renameSync'
  | 'rmSync'
  | 'statSync'
  | 'statfsSync'
  | 'unlinkSync'
  | 'writeFileSync'
  | 'writeSync'
  | 'fsync'
  | 'fdatasync'
  | 'unlink'
>;

/** The part of `node:fs` that logs are written with, by nobody who waits. */
export type AppendFiles = Pick<typeof fs, 'open' | 'write' | 'close'>;

export const nodeFileSystem: FileSystem & AppendFiles = fs;
