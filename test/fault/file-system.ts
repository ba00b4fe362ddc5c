import { constants, type Stats } from 'node:fs';
import { normalize } from 'node:path/posix';
import type { FileSystem } from '../../lib/env/index.ts';
import { DirectoryNode, Disk, FileNode, LinkNode, type Node } from './disk.ts';
import { Crash, type Fault, type FaultPlan, type FaultPoint, systemError } from './faults.ts';

const MAX_SYMLINKS = 40;
const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = constants;
const OPEN_FLAGS: Readonly<Record<string, number>> = {
  r: O_RDONLY,
  'r+': O_RDWR,
  w: O_WRONLY | O_CREAT | O_TRUNC,
  wx: O_WRONLY | O_CREAT | O_TRUNC | O_EXCL,
  'w+': O_RDWR | O_CREAT | O_TRUNC,
  'wx+': O_RDWR | O_CREAT | O_TRUNC | O_EXCL,
  a: O_WRONLY | O_CREAT | O_APPEND,
  ax: O_WRONLY | O_CREAT | O_APPEND | O_EXCL,
  'a+': O_RDWR | O_CREAT | O_APPEND,
  'ax+': O_RDWR | O_CREAT | O_APPEND | O_EXCL,
};

interface Descriptor {
  readonly node: FileNode | DirectoryNode;
  readonly path: string;
  readonly flags: number;
  position: number;
}

type Done = (error: Error | null) => void;

/**
 * A machine: a disk, and the process that has it. `boot` starts a process and gives it its file system; `crash` ends it as
 * `kill -9` would, `losePower` takes unsynced data along. Faults come from a plan that is asked before every call.
 *
 * Calls are those of `node:fs` that storage uses, with its meanings and error codes; no permissions, no times but mtime.
 */
export class Machine {
  readonly disk = new Disk();
  plan: FaultPlan | undefined;
  /** The mutations asked for so far, as `point path`. */
  readonly trace: string[] = [];
  /** 0: endless. What does not fit is ENOSPC, after the part of a write that did fit. */
  capacityBytes = 0;
  /** Of mtimes. */
  nowMs = 0;
  #process: FileSystemOfProcess | undefined;
  #points = 0;

  /** Starts a process; one that was still running is dead. */
  boot(): FileSystem {
    this.crash();
    this.#process = new FileSystemOfProcess(this);
    return this.fileSystem;
  }

  /** That of the process that is running. */
  get fileSystem(): FileSystem {
    const calls = this.#process!.calls satisfies Record<keyof FileSystem, unknown>;
    return calls as unknown as FileSystem;
  }

  get isRunning(): boolean {
    return this.#process?.isAlive ?? false;
  }

  /** Paths of files and directories that the process has open. */
  get openPaths(): string[] {
    return this.#process?.openPaths ?? [];
  }

  crash(): void {
    this.#process?.die();
    this.#process = undefined;
  }

  losePower(random: () => number): void {
    this.crash();
    this.disk.losePower(random);
  }

  /** Creates files with directories above them, durable, without a process. */
  put(files: Iterable<readonly [path: string, bytes: Uint8Array]>): void {
    const { calls } = new FileSystemOfProcess(new Machine(), this.disk);
    for (const [path, bytes] of files) {
      calls.mkdirSync(path.slice(0, path.lastIndexOf('/')) || '/', { recursive: true });
      calls.writeFileSync(path, bytes);
    }
    this.disk.syncAll();
  }

  /** @returns what goes wrong with this call */
  ask(point: FaultPoint, path: string): Fault | undefined {
    if (point !== 'read') this.trace.push(`${point} ${path}`);
    return this.plan?.(point, path, this.#points++);
  }
}

class FileSystemOfProcess {
  readonly calls: ReturnType<FileSystemOfProcess['make']>;
  readonly #machine: Machine;
  readonly #disk: Disk;
  readonly #open = new Map<number, Descriptor>();
  #nextDescriptor = 3;
  isAlive = true;

  constructor(machine: Machine, disk: Disk = machine.disk) {
    this.#machine = machine;
    this.#disk = disk;
    this.calls = this.make();
  }

  get openPaths(): string[] {
    return [...this.#open.values()].map(({ path }) => path);
  }

  die(): void {
    this.isAlive = false;
    this.#open.clear();
  }

  #alive(): void {
    if (!this.isAlive) throw new Crash();
  }

  /** Runs `effect` unless the plan has a fault for the call, or runs it and then fails. */
  #attempt<T>(point: FaultPoint, path: string, effect: () => T, failed: (fault: Fault) => void = () => {}): T {
    this.#alive();
    const fault = this.#machine.ask(point, path);
    if (fault === undefined || (fault.kind === 'short' && point !== 'write')) return effect();
    if (fault.afterwards === true) effect();
    else failed(fault);
    if (fault.kind === 'die') {
      this.#machine.crash();
      throw new Crash();
    }
    throw systemError(fault.kind, point, path);
  }

  /** @param follow whether a symlink at the very end is followed */
  #find(path: string, follow = true, hops = 0): Node | undefined {
    if (hops > MAX_SYMLINKS) throw systemError('ELOOP', 'lookup', path);
    const parts = normalize(path).split('/').filter(Boolean);
    let node: Node = this.#disk.root;
    for (const [i, part] of parts.entries()) {
      if (node.kind !== 'directory') throw systemError('ENOTDIR', 'lookup', path);
      const next: Node | undefined = node.entries.get(part);
      if (next === undefined) return undefined;
      if (next.kind === 'symlink' && (follow || i < parts.length - 1)) {
        const above = `/${parts.slice(0, i).join('/')}`;
        const target = next.target.startsWith('/') ? next.target : `${above}/${next.target}`;
        return this.#find(`${target}/${parts.slice(i + 1).join('/')}`, follow, hops + 1);
      }
      node = next;
    }
    return node;
  }

  #get(call: string, path: string, follow = true): Node {
    const node = this.#find(path, follow);
    if (node === undefined) throw systemError('ENOENT', call, path);
    return node;
  }

  /** The directory a name lies in, and the name. */
  #place(call: string, path: string): { directory: DirectoryNode; name: string } {
    const clean = normalize(path).replace(/\/$/, '');
    const cut = clean.lastIndexOf('/');
    const directory = this.#get(call, clean.slice(0, cut) || '/');
    if (directory.kind !== 'directory') throw systemError('ENOTDIR', call, path);
    return { directory, name: clean.slice(cut + 1) };
  }

  #descriptor(call: string, file: number): Descriptor {
    this.#alive();
    const descriptor = this.#open.get(file);
    if (descriptor === undefined) throw systemError('EBADF', call, String(file));
    return descriptor;
  }

  #file(call: string, file: number): Descriptor & { node: FileNode } {
    const descriptor = this.#descriptor(call, file);
    if (descriptor.node.kind !== 'file') throw systemError('EISDIR', call, descriptor.path);
    return descriptor as Descriptor & { node: FileNode };
  }

  #openFile(path: string, flags: string | number): number {
    const bits = typeof flags === 'number' ? flags : OPEN_FLAGS[flags];
    if (bits === undefined) throw new TypeError(`open: flags ${flags} are not known`);
    const writes = (bits & (O_WRONLY | O_RDWR)) !== 0;
    const descriptor = this.#attempt(writes ? 'open' : 'read', path, (): Descriptor => {
      let node = this.#find(path, (bits & O_NOFOLLOW) === 0);
      if (node !== undefined && (bits & O_EXCL) !== 0) throw systemError('EEXIST', 'open', path);
      if (node === undefined) {
        if ((bits & O_CREAT) === 0) throw systemError('ENOENT', 'open', path);
        node = new FileNode(this.#disk.inode());
        node.modifiedMs = this.#machine.nowMs;
        this.#disk.change([{ ...this.#place('open', path), node }]);
      }
      if (node.kind === 'symlink') throw systemError('ELOOP', 'open', path);
      if (node.kind === 'directory' && writes) throw systemError('EISDIR', 'open', path);
      if (node.kind === 'file' && (bits & O_TRUNC) !== 0) node.truncate(0);
      return { node, path, flags: bits, position: 0 };
    });
    const file = this.#nextDescriptor++;
    this.#open.set(file, descriptor);
    return file;
  }

  #write(file: number, bytes: Uint8Array, position: number | null | undefined): number {
    const descriptor = this.#file('write', file);
    const { node, path, flags } = descriptor;
    if ((flags & (O_WRONLY | O_RDWR)) === 0) throw systemError('EBADF', 'write', path);
    const at = (flags & O_APPEND) !== 0 ? node.size : (position ?? descriptor.position);
    const take = (length: number): number => {
      const taken = Math.min(length, this.#roomFor(node, at, length));
      if (taken < length && taken <= 0) throw systemError('ENOSPC', 'write', path);
      node.write(bytes.subarray(0, taken), at);
      node.modifiedMs = this.#machine.nowMs;
      if (position === null || position === undefined) descriptor.position = at + taken;
      return taken;
    };
    this.#alive();
    const fault = this.#machine.ask('write', path);
    if (fault === undefined) return take(bytes.length);
    const part = Math.floor(
      bytes.length * (fault.afterwards ? 1 : (fault.taken ?? (fault.kind === 'short' ? 0.5 : 0))),
    );
    if (fault.kind === 'short') return take(Math.max(Math.min(1, bytes.length), part));
    if (part > 0) take(part);
    if (fault.kind === 'die') {
      this.#machine.crash();
      throw new Crash();
    }
    throw systemError(fault.kind, 'write', path);
  }

  #roomFor(node: FileNode, at: number, length: number): number {
    const { capacityBytes } = this.#machine;
    if (capacityBytes === 0) return length;
    const free = Math.max(0, capacityBytes - this.#disk.usedBytes);
    return at + length <= node.size + free ? length : Math.max(0, node.size + free - at);
  }

  #sync(file: number): void {
    const { node, path } = this.#descriptor('fsync', file);
    this.#attempt(
      'fsync',
      path,
      () => (node.kind === 'file' ? node.sync() : this.#disk.syncDirectory(node)),
      ({ kind }) => {
        if (node.kind === 'file' && kind !== 'die') node.failSync();
      },
    );
  }

  /** What an asynchronous call covers is what was written before it; its outcome comes in a later turn. */
  #later(effect: () => void, done: Done): void {
    let failure: Error | null = null;
    try {
      effect();
    } catch (error) {
      failure = error as Error;
    }
    setImmediate(() => done(this.isAlive ? failure : new Crash()));
  }

  #stats(node: Node): Stats {
    const directory = node.kind === 'directory';
    return {
      dev: 1,
      ino: node.inode,
      nlink: node.kind === 'file' ? node.links : 1,
      size: node.kind === 'file' ? node.size : directory ? 4096 : 0,
      blksize: 4096,
      blocks: node.kind === 'file' ? Math.ceil(node.size / 512) : 0,
      mtimeMs: node.kind === 'symlink' ? 0 : node.modifiedMs,
      mtime: new Date(node.kind === 'symlink' ? 0 : node.modifiedMs),
      isFile: () => node.kind === 'file',
      isDirectory: () => directory,
      isSymbolicLink: () => node.kind === 'symlink',
    } as Stats;
  }

  #unlink(path: string): void {
    this.#attempt('unlink', path, () => {
      const node = this.#get('unlink', path, false);
      if (node.kind === 'directory') throw systemError('EISDIR', 'unlink', path);
      this.#disk.change([{ ...this.#place('unlink', path), node: undefined }]);
    });
  }

  #removeDirectory(path: string): void {
    this.#attempt('unlink', path, () => {
      const node = this.#get('rmdir', path, false);
      if (node.kind !== 'directory') throw systemError('ENOTDIR', 'rmdir', path);
      if (node.entries.size > 0) throw systemError('ENOTEMPTY', 'rmdir', path);
      this.#disk.change([{ ...this.#place('rmdir', path), node: undefined }]);
    });
  }

  #remove(path: string, recursive: boolean): void {
    const node = this.#get('rm', path, false);
    if (node.kind !== 'directory') {
      this.#unlink(path);
      return;
    }
    if (!recursive) throw systemError('ERR_FS_EISDIR', 'rm', path);
    for (const name of node.entries.keys()) this.#remove(`${path}/${name}`, true);
    this.#removeDirectory(path);
  }

  #makeDirectory(path: string, recursive: boolean): string | undefined {
    const there = this.#find(path);
    if (there !== undefined) {
      if (recursive && there.kind === 'directory') return undefined;
      throw systemError('EEXIST', 'mkdir', path);
    }
    let first: string | undefined;
    if (recursive) first = this.#makeDirectory(normalize(`${path}/..`), true);
    this.#attempt('mkdir', path, () => {
      this.#disk.change([{ ...this.#place('mkdir', path), node: new DirectoryNode(this.#disk.inode()) }]);
    });
    return first ?? path;
  }

  #rename(from: string, to: string): void {
    this.#attempt('rename', `${from} ${to}`, () => {
      const node = this.#get('rename', from, false);
      const target = this.#find(to, false);
      if (target === node) return;
      if (target?.kind === 'directory') {
        if (node.kind !== 'directory') throw systemError('EISDIR', 'rename', to);
        if (target.entries.size > 0) throw systemError('ENOTEMPTY', 'rename', to);
      } else if (target !== undefined && node.kind === 'directory') {
        throw systemError('ENOTDIR', 'rename', to);
      }
      this.#disk.change([
        { ...this.#place('rename', from), node: undefined },
        { ...this.#place('rename', to), node },
      ]);
    });
  }

  #read(file: number, into: Uint8Array, position: number | null | undefined): number {
    const descriptor = this.#file('read', file);
    const { node, path } = descriptor;
    return this.#attempt('read', path, () => {
      const at = position === null || position === undefined || position < 0 ? descriptor.position : position;
      const bytes = node.bytes.subarray(at, at + into.length);
      into.set(bytes);
      if (at === descriptor.position && (position ?? -1) < 0) descriptor.position += bytes.length;
      return bytes.length;
    });
  }

  #readAll(path: string | number): Buffer {
    if (typeof path === 'number') return Buffer.from(this.#file('read', path).node.bytes);
    return this.#attempt('read', path, () => {
      const node = this.#get('open', path);
      if (node.kind !== 'file') throw systemError('EISDIR', 'read', path);
      return Buffer.from(node.bytes);
    });
  }

  #writeAll(path: string | number, bytes: Uint8Array, flag: string): void {
    const file = typeof path === 'number' ? path : this.#openFile(path, flag);
    try {
      for (let done = 0; done < bytes.length;) done += this.#write(file, bytes.subarray(done), undefined);
    } finally {
      if (typeof path === 'string') this.#open.delete(file);
    }
  }

  #list(path: string, recursive: boolean): { name: string; parentPath: string; node: Node }[] {
    const node = this.#get('scandir', path);
    if (node.kind !== 'directory') throw systemError('ENOTDIR', 'scandir', path);
    const out: { name: string; parentPath: string; node: Node }[] = [];
    // In no order, as real directories; storage must sort by itself.
    for (const [name, child] of [...node.entries].reverse()) {
      out.push({ name, parentPath: path, node: child });
      if (recursive && child.kind === 'directory') out.push(...this.#list(`${path}/${name}`, true));
    }
    return out;
  }

  make() {
    const text = (bytes: Buffer, encoding: unknown): Buffer | string => {
      const name = typeof encoding === 'string' ? encoding : (encoding as { encoding?: string } | undefined)?.encoding;
      return name === undefined ? bytes : bytes.toString(name as BufferEncoding);
    };
    const bytesOf = (data: string | Uint8Array): Uint8Array => (typeof data === 'string' ? Buffer.from(data) : data);
    const slice = (
      buffer: Uint8Array,
      offset: number | { offset?: number; length?: number; position?: number | null } | undefined,
      length: number | undefined,
      position: number | null | undefined,
    ): [Uint8Array, number | null | undefined] => {
      if (typeof offset === 'object') return slice(buffer, offset.offset, offset.length, offset.position);
      const from = offset ?? 0;
      const count = length ?? buffer.byteLength - from;
      if (from + count > buffer.byteLength) throw new RangeError('beyond the end of the buffer');
      return [new Uint8Array(buffer.buffer, buffer.byteOffset + from, count), position];
    };
    const truncate = (file: number, size = 0): void => {
      const { node, path } = this.#file('ftruncate', file);
      this.#attempt('truncate', path, () => node.truncate(size));
    };
    const stat = (path: string, follow: boolean, options?: { throwIfNoEntry?: boolean }): Stats | undefined => {
      this.#alive();
      const node = this.#find(path, follow);
      if (node !== undefined) return this.#stats(node);
      if (options?.throwIfNoEntry === false) return undefined;
      throw systemError('ENOENT', 'stat', path);
    };
    const link = (from: string, to: string): void =>
      this.#attempt('link', `${from} ${to}`, () => {
        const node = this.#get('link', from);
        if (node.kind !== 'file') throw systemError('EPERM', 'link', from);
        if (this.#find(to, false) !== undefined) throw systemError('EEXIST', 'link', to);
        this.#disk.change([{ ...this.#place('link', to), node }]);
      });
    return {
      openSync: (path: string, flags: string | number = 'r') => this.#openFile(path, flags),
      closeSync: (file: number) => {
        this.#descriptor('close', file);
        this.#open.delete(file);
      },
      writeSync: (
        file: number,
        data: Uint8Array | string,
        offset?: number,
        length?: number,
        position?: number | null,
      ) => this.#write(file, ...slice(bytesOf(data), offset, length, position)),
      writevSync: (file: number, buffers: readonly Uint8Array[], position?: number | null) =>
        this.#write(file, Buffer.concat(buffers), position),
      readSync: (
        file: number,
        buffer: Uint8Array,
        offset?: number | { offset?: number; length?: number; position?: number | null },
        length?: number,
        position?: number | null,
      ) => this.#read(file, ...slice(buffer, offset, length, position)),
      read: (
        file: number,
        buffer: Uint8Array,
        offset: number,
        length: number,
        position: number | null,
        done: (error: Error | null, count: number, buffer: Uint8Array) => void,
      ) => {
        let count = 0;
        this.#later(
          () => (count = this.#read(file, ...slice(buffer, offset, length, position))),
          (error) => done(error, count, buffer),
        );
      },
      write: (
        file: number,
        buffer: Uint8Array,
        offset: number,
        length: number,
        position: number | null,
        done: (error: Error | null, count: number, buffer: Uint8Array) => void,
      ) => {
        let count = 0;
        this.#later(
          () => (count = this.#write(file, ...slice(buffer, offset, length, position))),
          (error) => done(error, count, buffer),
        );
      },
      fsyncSync: (file: number) => this.#sync(file),
      fdatasyncSync: (file: number) => this.#sync(file),
      fsync: (file: number, done: Done) => this.#later(() => this.#sync(file), done),
      fdatasync: (file: number, done: Done) => this.#later(() => this.#sync(file), done),
      close: (file: number, done: Done = () => {}) => this.#later(() => this.calls.closeSync(file), done),
      ftruncateSync: truncate,
      truncateSync: (path: string, size = 0) => {
        const file = this.#openFile(path, 'r+');
        try {
          truncate(file, size);
        } finally {
          this.#open.delete(file);
        }
      },
      existsSync: (path: string) => {
        try {
          return this.#find(path) !== undefined;
        } catch {
          // Like Node's: whatever is wrong on the way, it does not exist.
          return false;
        }
      },
      accessSync: (path: string) => void stat(path, true),
      statSync: (path: string, options?: { throwIfNoEntry?: boolean }) => stat(path, true, options),
      lstatSync: (path: string, options?: { throwIfNoEntry?: boolean }) => stat(path, false, options),
      fstatSync: (file: number) => this.#stats(this.#descriptor('fstat', file).node),
      statfsSync: () => {
        this.#alive();
        const blocks = Math.ceil((this.#machine.capacityBytes || 2 ** 40) / 4096);
        const free = blocks - Math.ceil(this.#disk.usedBytes / 4096);
        return { type: 0, bsize: 4096, blocks, bfree: free, bavail: free, files: 1e6, ffree: 1e6 };
      },
      mkdirSync: (path: string, options?: { recursive?: boolean }) => {
        this.#alive();
        return this.#makeDirectory(normalize(path).replace(/(.)\/$/, '$1'), options?.recursive === true);
      },
      readdirSync: (path: string, options?: { withFileTypes?: boolean; recursive?: boolean }) =>
        this.#attempt('read', path, () => {
          const found = this.#list(path, options?.recursive === true);
          if (options?.withFileTypes !== true) {
            return found.map(({ name, parentPath }) => `${parentPath}/${name}`.slice(path.length + 1));
          }
          return found.map(({ name, parentPath, node }) =>
            Object.assign(this.#stats(node), { name, parentPath }),
          ) as never[];
        }),
      readFileSync: (path: string | number, encoding?: unknown) => text(this.#readAll(path), encoding),
      writeFileSync: (path: string | number, data: string | Uint8Array, options?: { flag?: string } | string | null) =>
        this.#writeAll(path, bytesOf(data), (typeof options === 'object' ? options?.flag : undefined) ?? 'w'),
      appendFileSync: (path: string, data: string | Uint8Array) => this.#writeAll(path, bytesOf(data), 'a'),
      copyFileSync: (from: string, to: string, mode = 0) =>
        this.#writeAll(to, this.#readAll(from), (mode & constants.COPYFILE_EXCL) !== 0 ? 'wx' : 'w'),
      renameSync: (from: string, to: string) => this.#rename(from, to),
      linkSync: link,
      symlinkSync: (target: string, path: string) => {
        this.#alive();
        if (this.#find(path, false) !== undefined) throw systemError('EEXIST', 'symlink', path);
        this.#disk.change([{ ...this.#place('symlink', path), node: new LinkNode(this.#disk.inode(), target) }]);
      },
      unlinkSync: (path: string) => this.#unlink(path),
      unlink: (path: string, done: Done) => this.#later(() => this.#unlink(path), done),
      rmdirSync: (path: string) => this.#removeDirectory(path),
      rmSync: (path: string, options?: { recursive?: boolean; force?: boolean }) => {
        this.#alive();
        if (options?.force === true && this.#find(path, false) === undefined) return;
        this.#remove(normalize(path).replace(/(.)\/$/, '$1'), options?.recursive === true);
      },
    };
  }
}
