import { readFileSync } from 'node:fs';
import { runScript } from '../conformance/promqltest/run-script.ts';

/** Runs files of Prometheus's promqltest language: `node test/tools/promqltest.ts FILE…`; exits 1 when one fails. */
let passed = 0;
let failed = 0;
for (const file of process.argv.slice(2)) {
  for (const { line, query, failure } of await runScript(readFileSync(file, 'utf8'))) {
    if (failure === undefined) passed++;
    else {
      failed++;
      console.log(`${file}:${line}: ${query}\n    ${failure}`);
    }
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
