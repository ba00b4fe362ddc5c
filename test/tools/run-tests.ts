/**
 * `npm test`: gets the peers that are missing, runs every suite under mocha, then names what was skipped and why and
 * closes with `N passed, N failed`. Arguments go to mocha (`npm test -- --grep wal`).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchMissing } from './peers.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');

interface Summary {
  readonly passes: number;
  readonly failures: number;
  readonly skipped: readonly string[];
}

const missing = await fetchMissing((line) => console.log(line));
const scratch = mkdtempSync(join(tmpdir(), 'promlet-test-'));
try {
  const summaryFile = join(scratch, 'summary.json');
  const reporter = join(root, 'test', 'tools', 'reporter.mjs');
  const run = spawnSync(process.execPath, [mocha, '--reporter', reporter, ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PROMLET_TEST_SUMMARY: summaryFile },
  });
  const summary = readSummary(summaryFile);
  for (const title of summary.skipped) console.log(`skipped: ${title}`);
  for (const [name, reason] of missing) console.log(`missing peer: ${name}: ${reason}`);
  // A runner that died before its end, or that ran nothing, has failed whatever it counted.
  const died = run.status === null || (run.status !== 0 && summary.failures === 0) || summary.passes === 0;
  if (died) console.log(`the test runner ended with status ${run.status ?? run.signal}`);
  const failures = summary.failures + (died ? 1 : 0);
  console.log(`${summary.skipped.length} skipped`);
  console.log(`${summary.passes} passed, ${failures} failed`);
  process.exitCode = failures === 0 ? 0 : 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function readSummary(file: string): Summary {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Summary;
  } catch {
    return { passes: 0, failures: 0, skipped: [] };
  }
}
