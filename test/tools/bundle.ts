/**
 * `npm run bundle`: dist/agent.mjs and dist/operator.mjs with the chunks they load on demand, and the compiled kernels.
 * Nothing else is needed to run them but Node.
 */
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions, type Plugin } from 'esbuild';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** CommonJS dependencies call `require` for Node's own modules; ES modules have none. */
const REQUIRE_BANNER =
  "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);";

/** Modules whose unused parts would take memory. */
const UNUSED_PARTS: Plugin = {
  name: 'unused-parts',
  setup(building) {
    // An `import` reads all exports of `node:http`, also those that load Node's own fetch and WebSocket: 2 MB in an agent.
    building.onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      kind === 'import-statement' ? { path: 'node:http', namespace: 'without-import' } : undefined,
    );
    building.onLoad({ filter: /^/, namespace: 'without-import' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule('${path}');`,
    }));
    // TLS is loaded when it is first used: 3 MB where nothing speaks it.
    building.onResolve({ filter: /^(node:)?https$/ }, ({ kind }) =>
      kind === 'import-statement' ? { path: 'node:https', namespace: 'on-use' } : undefined,
    );
    building.onLoad({ filter: /^/, namespace: 'on-use' }, ({ path }) => ({
      contents: `export default new Proxy({}, { get: (_, name) => process.getBuiltinModule('${path}')[name] });`,
    }));
    // Of prom-client; it alone would load TLS at once.
    building.onResolve({ filter: /^\.\/lib\/pushgateway$/ }, ({ path }) => ({ path, namespace: 'empty' }));
    building.onLoad({ filter: /^/, namespace: 'empty' }, () => ({ contents: '' }));
  },
};

const COMMON: BuildOptions = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  outExtension: { '.js': '.mjs' },
  // Identifiers stay as they are, for stack traces. Not `keepNames`: it calls defineProperty for every closure that is
  // created, a fifth of the CPU of a scrape.
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'linked',
  banner: { js: REQUIRE_BANNER },
  logLevel: 'warning',
  plugins: [UNUSED_PARTS],
  // What is loaded on use has a default export only.
  logOverride: { 'import-is-undefined': 'error' },
  // Koa knows all media types there are, three times over: 4 MB of memory. These are the ones it gives answers by itself.
  alias: { 'mime-db': join(ROOT, 'test', 'tools', 'mime-types.json') },
};

/** Bundles one script into one file, as the e2e suite does with its sample workload. */
export async function bundleScript(entry: string, outfile: string): Promise<void> {
  await build({ ...COMMON, entryPoints: [entry], outfile, legalComments: 'none' });
}

/** Bundles both programs into `outdir` (emptied first). @returns sizes by file, bytes */
export async function bundlePrograms(outdir: string): Promise<Map<string, number>> {
  rmSync(outdir, { recursive: true, force: true });
  const result = await build({
    ...COMMON,
    // A program that another starts lies beside it, as its source does beside the source.
    entryPoints: {
      agent: 'agent/main.ts',
      operator: 'operator/main.ts',
      'parse-process': 'lib/config/parse-process.ts',
    },
    outdir,
    // What is imported on demand stays a file of its own, so that an agent that never needs it never loads it.
    splitting: true,
    chunkNames: 'chunk-[hash]',
    metafile: true,
  });
  const threads = await build({
    ...COMMON,
    // Each by itself: of a chunk that it shared, a thread would load what others need too, 3 MB of memory.
    entryPoints: {
      'compaction-worker': 'lib/tsdb/compact/compaction-worker.ts',
      'query-thread': 'agent/query/query-thread.ts',
    },
    outdir,
    metafile: true,
  });
  mkdirSync(join(outdir, 'build'), { recursive: true });
  copyFileSync(join(ROOT, 'lib', 'kernels', 'build', 'kernels.wasm'), join(outdir, 'build', 'kernels.wasm'));
  const outputs = { ...result.metafile.outputs, ...threads.metafile.outputs };
  return new Map(Object.entries(outputs).map(([file, { bytes }]) => [file, bytes]));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const sizes = await bundlePrograms(join(ROOT, 'dist'));
  for (const [file, bytes] of sizes)
    if (!/chunk-|LEGAL/.test(file)) console.log(`${file}  ${Math.ceil(bytes / 1024)} KiB`);
  const total = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  console.log(`${sizes.size} files, ${Math.ceil(total / 1024)} KiB in all`);
}
