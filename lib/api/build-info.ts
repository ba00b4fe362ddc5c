import { basename } from 'node:path';
import type { BuildInfo } from './deps.ts';

/** What this process is; nothing is stamped at build time but the version. */
export function buildInfo(version: string): BuildInfo {
  const runtime = `${basename(process.execPath)} ${process.version}`;
  return { version, revision: '', branch: '', buildUser: '', buildDate: '', goVersion: runtime };
}
