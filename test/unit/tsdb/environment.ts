import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, type FileSystem, nodeFileSystem, type Timer } from '../../../lib/env/index.ts';

export const START_MS = 1_700_000_000_000;

/** A clock that stands still; timers fire by hand. */
export class TestClock implements Clock {
  nowMs = START_MS + 86_400_000;
  timers: (() => void)[] = [];
  now(): number {
    return this.nowMs;
  }
  monotonicMs(): number {
    return 0;
  }
  setTimer(callback: () => void): Timer {
    this.timers.push(callback);
    return {
      cancel: () => {
        this.timers = this.timers.filter((timer) => timer !== callback);
      },
    };
  }
  fire(): void {
    const due = this.timers;
    this.timers = [];
    for (const callback of due) callback();
  }
}

/** A directory that is gone after the test. */
export function temporaryDirectory(after: (cleanUp: () => void) => void): string {
  const dir = mkdtempSync(join(tmpdir(), 'promlet-tsdb-'));
  after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A file system some of whose calls are replaced. */
export function faulty(faults: Partial<FileSystem>): FileSystem {
  return { ...nodeFileSystem, ...faults };
}
