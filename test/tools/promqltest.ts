import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { errorMessage } from '../../lib/model/index.ts';
import { type Outcome, runScript } from '../conformance/promqltest/run-script.ts';

/**
 * Runs files of Prometheus's promqltest language: `node test/tools/promqltest.ts FILE…`; exits 1 when one fails. With
 * `--shards 3` aggregations are computed in three parts.
 */
const { values, positionals } = parseArgs({
  options: { shards: { type: 'string', default: '1' } },
  allowPositionals: true,
});
const tally = { read: 0, taken: 0 };
let passed = 0;
let failed = 0;
for (const file of positionals) {
  for (const { line, query, failure } of await outcomesOf(file)) {
    if (failure === undefined) passed++;
    else {
      failed++;
      console.log(`${file}:${line}: ${query}\n    ${failure}`);
    }
  }
}
if (tally.read > 0) console.log(`${tally.read} parts of vectors were read, ${tally.taken} of them by others`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** A file that cannot be read counts as one failure. */
async function outcomesOf(file: string): Promise<Outcome[]> {
  try {
    return await runScript(readFileSync(file, 'utf8'), { shards: Number(values.shards), tally });
  } catch (error) {
    return [{ line: 0, query: '', failure: errorMessage(error) }];
  }
}
