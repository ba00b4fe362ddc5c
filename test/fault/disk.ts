import type { Random } from '../../lib/env/index.ts';

/** Unit in which the disk takes unsynced data: some blocks arrive, others do not. */
const BLOCK_BYTES = 512;

export type Node = FileNode | DirectoryNode | LinkNode;

/** A file: what was written, and what a power loss surely leaves of it. */
export class FileNode {
  readonly kind = 'file';
  readonly inode: number;
  links = 0;
  modifiedMs = 0;
  size = 0;
  #bytes = new Uint8Array(0);
  #durable = new Uint8Array(0);
  #durableSize = 0;
  /** Ranges [from, to) in which `#bytes` may differ from `#durable`, as pairs. */
  #dirty: number[] = [];

  constructor(inode: number) {
    this.inode = inode;
  }

  /** A view of the content; valid until the next write. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.size);
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    this.#bytes = grown(this.#bytes, end);
    this.#bytes.set(bytes, position);
    if (position > this.size) this.#touch(this.size, position);
    this.size = Math.max(this.size, end);
    this.#touch(position, end);
  }

  truncate(size: number): void {
    if (size < this.size) {
      this.#bytes.fill(0, size, this.size);
      this.#touch(size, this.size);
    } else {
      this.#bytes = grown(this.#bytes, size);
      this.#touch(this.size, size);
    }
    this.size = size;
  }

  /** Makes the content durable, but not the file's names. */
  sync(): void {
    this.#durable = grown(this.#durable, this.size);
    for (let i = 0; i < this.#dirty.length; i += 2) {
      const from = this.#dirty[i]!;
      const to = Math.min(this.#dirty[i + 1]!, this.size);
      if (from < to) this.#durable.set(this.#bytes.subarray(from, to), from);
    }
    this.#durable.fill(0, this.size);
    this.#durableSize = this.size;
    this.#dirty = [];
  }

  /** As Linux does it: what an fsync failed to write counts as clean from then on, and the next fsync does not try again. */
  failSync(): void {
    this.#dirty = [];
  }

  /** Of what was not synced, nothing, everything, a prefix or any blocks survive. */
  losePower(random: Random): void {
    const mode = Math.floor(random() * 4);
    const low = Math.min(this.size, this.#durableSize);
    const high = Math.max(this.size, this.#durableSize);
    const size = [this.#durableSize, this.size, low + Math.floor(random() * (high - low + 1))][
      mode < 2 ? mode : Math.floor(random() * 3)
    ]!;
    const left = grown(new Uint8Array(0), size);
    left.set(this.#durable.subarray(0, Math.min(size, this.#durableSize)));
    const keep = (from: number, to: number): void => {
      const end = Math.min(to, this.size, size);
      if (from < end) left.set(this.#bytes.subarray(from, end), from);
    };
    for (let i = 0; i < this.#dirty.length; i += 2) {
      const from = this.#dirty[i]!;
      const to = this.#dirty[i + 1]!;
      if (mode === 0) continue;
      if (mode === 1) keep(from, to);
      else if (mode === 2) keep(from, from + Math.floor(random() * (to - from + 1)));
      else {
        for (let block = from; block < to;) {
          const end = Math.min(to, (Math.floor(block / BLOCK_BYTES) + 1) * BLOCK_BYTES);
          if (random() < 0.5) keep(block, end);
          block = end;
        }
      }
    }
    this.#bytes = left;
    this.#durable = left.slice();
    this.size = size;
    this.#durableSize = size;
    this.#dirty = [];
  }

  #touch(from: number, to: number): void {
    if (from >= to) return;
    const last = this.#dirty.length - 2;
    if (last >= 0 && from <= this.#dirty[last + 1]! && to >= this.#dirty[last]!) {
      this.#dirty[last] = Math.min(from, this.#dirty[last]!);
      this.#dirty[last + 1] = Math.max(to, this.#dirty[last + 1]!);
    } else {
      this.#dirty.push(from, to);
    }
  }
}

export class DirectoryNode {
  readonly kind = 'directory';
  readonly inode: number;
  modifiedMs = 0;
  entries = new Map<string, Node>();
  /** The entries that a power loss surely leaves. */
  durable = new Map<string, Node>();

  constructor(inode: number) {
    this.inode = inode;
  }
}

export class LinkNode {
  readonly kind = 'symlink';
  readonly inode: number;
  readonly target: string;

  constructor(inode: number, target: string) {
    this.inode = inode;
    this.target = target;
  }
}

/** One name in one directory comes to stand for a node, or for nothing. */
export interface EntryEdit {
  readonly directory: DirectoryNode;
  readonly name: string;
  readonly node: Node | undefined;
}

/**
 * A tree of files in memory that knows what of it is durable. The rules are the strict ones of POSIX: fsync of a file makes
 * its content durable, fsync of a directory its entries, nothing else anything. A change of entries (create, rename,
 * unlink) happens whole or not at all, and the changes of one directory in their order.
 */
export class Disk {
  readonly root: DirectoryNode;
  /** Changes of entries that are not durable yet, oldest first. */
  #journal: (readonly EntryEdit[])[] = [];
  #inodes = 1;

  constructor() {
    this.root = new DirectoryNode(this.inode());
  }

  inode(): number {
    return this.#inodes++;
  }

  change(edits: readonly EntryEdit[]): void {
    this.#journal.push(edits);
    for (const { directory, name, node } of edits) {
      const before = directory.entries.get(name);
      if (before?.kind === 'file') before.links--;
      if (node === undefined) directory.entries.delete(name);
      else directory.entries.set(name, node);
      if (node?.kind === 'file') node.links++;
    }
  }

  /** Makes the entries of a directory durable, with what a rename between two directories draws along. */
  syncDirectory(directory: DirectoryNode): void {
    const synced = new Set([directory]);
    const kept: (readonly EntryEdit[])[] = [];
    const applied: (readonly EntryEdit[])[] = [];
    for (const edits of this.#journal.toReversed()) {
      if (edits.some((edit) => synced.has(edit.directory))) {
        for (const edit of edits) synced.add(edit.directory);
        applied.push(edits);
      } else {
        kept.push(edits);
      }
    }
    this.#journal = kept.reverse();
    for (const edits of applied.reverse()) makeDurable(edits);
  }

  /** Everything becomes durable, as after `sync`. */
  syncAll(): void {
    for (const edits of this.#journal) makeDurable(edits);
    this.#journal = [];
    for (const [, node] of this.nodes()) if (node.kind === 'file') node.sync();
  }

  /** What was not synced is lost, or partly lost. */
  losePower(random: Random): void {
    const mode = Math.floor(random() * 3);
    const stopped = new Set<DirectoryNode>();
    for (const edits of this.#journal) {
      const happens =
        mode > 0 && !edits.some(({ directory }) => stopped.has(directory)) && (mode === 1 || random() < 0.7);
      if (happens) makeDurable(edits);
      else for (const { directory } of edits) stopped.add(directory);
    }
    this.#journal = [];
    const restore = (directory: DirectoryNode): void => {
      directory.entries = new Map(directory.durable);
      for (const node of directory.entries.values()) if (node.kind === 'directory') restore(node);
    };
    restore(this.root);
    const links = new Map<FileNode, number>();
    for (const [, node] of this.nodes()) if (node.kind === 'file') links.set(node, (links.get(node) ?? 0) + 1);
    for (const [file, count] of links) {
      file.links = count;
      file.losePower(random);
    }
  }

  /** Every node below the root, with its path; a directory before what is in it, names in order. */
  *nodes(directory: DirectoryNode = this.root, path = ''): Generator<[path: string, node: Node]> {
    for (const [name, node] of [...directory.entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
      yield [`${path}/${name}`, node];
      if (node.kind === 'directory') yield* this.nodes(node, `${path}/${name}`);
    }
  }

  /** Bytes in files, each counted once. */
  get usedBytes(): number {
    const seen = new Set<FileNode>();
    for (const [, node] of this.nodes()) if (node.kind === 'file') seen.add(node);
    return [...seen].reduce((sum, { size }) => sum + size, 0);
  }

  /** The files as they are now, by path. */
  files(): Map<string, Uint8Array> {
    const files = new Map<string, Uint8Array>();
    for (const [path, node] of this.nodes()) if (node.kind === 'file') files.set(path, node.bytes.slice());
    return files;
  }
}

function makeDurable(edits: readonly EntryEdit[]): void {
  for (const { directory, name, node } of edits) {
    if (node === undefined) directory.durable.delete(name);
    else directory.durable.set(name, node);
  }
}

/** The same bytes in an array of at least `length`, zeros behind them. */
function grown(bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  if (length <= bytes.length) return bytes;
  const larger = new Uint8Array(Math.max(length, bytes.length * 2, 256));
  larger.set(bytes);
  return larger;
}
