/** `npm run check`: types, lint with type-aware rules, format, arrows and cycles between rooms. Exits 1 on any fault. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkArrows } from './arrows.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

function tool(name: string, ...args: string[]): boolean {
  const { status } = spawnSync(join(root, 'node_modules', '.bin', name), args, { cwd: root, stdio: 'inherit' });
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name} ${args.join(' ')}`);
  return status === 0;
}

function arrows(): boolean {
  const report = checkArrows(root);
  for (const fault of report.faults) console.log(fault);
  console.log(
    `${report.faults.length === 0 ? 'ok  ' : 'FAIL'} arrows: ${report.files} files, ${report.arrows} imports`,
  );
  return report.faults.length === 0;
}

const results = [
  tool('tsc', '-p', '.'),
  tool('oxlint', '--type-aware', '--quiet'),
  tool('prettier', '--check', '--log-level', 'warn', '.'),
  arrows(),
];
process.exitCode = results.every(Boolean) ? 0 : 1;
