// Makes a fresh clone runnable: installs the locked dependencies and compiles the kernels when they are missing or stale.
// Plain JavaScript for any Node from 20 on; it is the `pre` script of every command, so the quick path costs only stats.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const modules = join(root, 'node_modules');
const stamp = join(modules, '.promlet-lock-sha256');
const pinnedNode = join(modules, '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');

function run(command, args) {
  // Everything to stderr: `npm run -s agent -- …` keeps its stdout for itself.
  execFileSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
}

const lock = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');
const installed = existsSync(stamp) ? readFileSync(stamp, 'utf8') : '';
if (installed !== lock || !existsSync(pinnedNode)) {
  console.error('setup: installing the locked dependencies (npm ci)');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel', 'error']);
  mkdirSync(modules, { recursive: true });
  writeFileSync(stamp, lock);
}

const assembly = join(root, 'lib', 'kernels', 'assembly');
const wasm = join(root, 'lib', 'kernels', 'build', 'kernels.wasm');
const sources = [
  join(root, 'lib', 'kernels', 'compile.mjs'),
  ...readdirSync(assembly).map((name) => join(assembly, name)),
];
const newest = Math.max(...sources.map((file) => statSync(file).mtimeMs));
if (!existsSync(wasm) || statSync(wasm).mtimeMs < newest) {
  console.error('setup: compiling the kernels');
  run(pinnedNode, [join(root, 'lib', 'kernels', 'compile.mjs')]);
}
