import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SharedArena } from './memory.ts';

export { SharedArena } from './memory.ts';

/** The exports of build/kernels.wasm. Addresses and lengths are bytes in the arena's memory. */
export interface KernelExports {
  _start(): void;
  heapBase(): number;
  /** CRC-32C, unsigned; `seed` is 0 or the CRC so far. Returned as a signed 32-bit integer: apply `>>> 0`. */
  crc32c(seed: number, address: number, length: number): number;
}

/** One instance of the kernels on one shared memory. */
export interface Kernels {
  readonly arena: SharedArena;
  readonly wasm: KernelExports;
}

let compiled: WebAssembly.Module | undefined;

/** A fresh memory with the kernels on it. Compiling takes about a millisecond, once per thread. */
export function createKernels(): Kernels {
  compiled ??= new WebAssembly.Module(readFileSync(fileURLToPath(new URL('./build/kernels.wasm', import.meta.url))));
  const arena = new SharedArena();
  const instance = new WebAssembly.Instance(compiled, { env: { memory: arena.memory, abort } });
  const wasm = instance.exports as unknown as KernelExports;
  wasm._start();
  arena.start(wasm.heapBase());
  return { arena, wasm };
}

function abort(_message: number, _file: number, line: number, column: number): never {
  throw new Error(`kernel aborted at ${line}:${column}`);
}
