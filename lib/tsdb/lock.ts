import { join } from 'node:path';
import type { FileSystem } from '../env/index.ts';
import { errorMessage, PromletError } from '../model/index.ts';

/** Directories open in this process: its own pid in a lock file says nothing about another opener here. */
const openHere = new Set<string>();

/**
 * Guards a data directory against a second opener, with a file `lock` as Prometheus has one. Node has no flock, so the
 * file names its holder: `pid start`, where start is the process's start time as `/proc` has it ('-' where there is no
 * `/proc`). A holder that no longer lives, as after `kill -9`, is passed over.
 * @throws PromletError `storage/locked`
 */
export class DirectoryLock {
  readonly #fileSystem: FileSystem;
  readonly #path: string;

  constructor(fileSystem: FileSystem, dir: string) {
    this.#fileSystem = fileSystem;
    this.#path = join(dir, 'lock');
    if (openHere.has(this.#path)) {
      throw new PromletError('storage/locked', `${dir} is already open in this process`);
    }
    const holder = this.#liveHolder();
    if (holder !== undefined) throw new PromletError('storage/locked', `${dir} is in use by process ${holder}`);
    try {
      fileSystem.writeFileSync(this.#path, `${process.pid} ${startOf(fileSystem, process.pid) ?? '-'}\n`);
    } catch (cause) {
      throw new PromletError('storage/locked', `cannot write ${this.#path}: ${errorMessage(cause)}`, { cause });
    }
    openHere.add(this.#path);
  }

  release(): void {
    openHere.delete(this.#path);
    this.#fileSystem.rmSync(this.#path, { force: true });
  }

  #liveHolder(): number | undefined {
    if (!this.#fileSystem.existsSync(this.#path)) return undefined;
    const match = /^(\d+) (\S+)$/.exec(this.#fileSystem.readFileSync(this.#path, 'utf8').trim());
    // An empty file is what Prometheus leaves.
    if (match === null) return undefined;
    const pid = Number(match[1]);
    // In this process it would be in `openHere`; a container's pid 1 meets its predecessor's file here.
    if (pid === process.pid || !isAlive(pid)) return undefined;
    const start = startOf(this.#fileSystem, pid);
    return start === undefined || match[2] === '-' || start === match[2] ? pid : undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Start time of a process in clock ticks since boot: field 22 of /proc/PID/stat, after the name in parentheses. */
function startOf(fileSystem: FileSystem, pid: number): string | undefined {
  try {
    const stat = fileSystem.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    // No such process, or no /proc on this system.
    return undefined;
  }
}
