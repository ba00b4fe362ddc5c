import { readFileSync } from 'node:fs';
import { errorMessage } from '../../lib/model/index.ts';
import { type Outcome, runScript } from '../conformance/promqltest/run-script.ts';

/** Runs files of Prometheus's promqltest language: `node test/tools/promqltest.ts FILE…`; exits 1 when one fails. */
let passed = 0;
let failed = 0;
for (const file of process.argv.slice(2)) {
  for (const { line, query, failure } of await outcomesOf(file)) {
    if (failure === undefined) passed++;
    else {
      failed++;
      console.log(`${file}:${line}: ${query}\n    ${failure}`);
    }
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** A file that cannot be read counts as one failure. */
async function outcomesOf(file: string): Promise<Outcome[]> {
  try {
    return await runScript(readFileSync(file, 'utf8'));
  } catch (error) {
    return [{ line: 0, query: '', failure: errorMessage(error) }];
  }
}
