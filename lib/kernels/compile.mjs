// Compiles assembly/*.ts (AssemblyScript) to build/kernels.wasm, about two seconds. Runs when the project is installed
// (test/tools/setup.mjs); plain JavaScript because it may run before anything else works.
import { main } from 'assemblyscript/asc';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
mkdirSync(join(here, 'build'), { recursive: true });

/** Pages of 64 KiB. The maximum is only reserved address space; what is used is what is grown. Keep in step with memory.ts. */
const INITIAL_PAGES = 16;
const MAXIMUM_PAGES = 65_536;

const { error, stderr } = await main([
  join(here, 'assembly', 'index.ts'),
  '--outFile',
  join(here, 'build', 'kernels.wasm'),
  '--importMemory',
  '--sharedMemory',
  '--initialMemory',
  String(INITIAL_PAGES),
  '--maximumMemory',
  String(MAXIMUM_PAGES),
  '--enable',
  'simd,threads,bulk-memory,sign-extension,nontrapping-f2i',
  '--runtime',
  'stub',
  '--noAssert',
  '-O3',
  '--converge',
  '--exportStart',
  '_start',
]);
if (error) {
  console.error(`kernels: ${error.message}\n${String(stderr)}`);
  process.exit(1);
}
