import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Outcome, runScript } from './run-script.ts';

/** Per file: how many evaluations pass of how many, and the lines of the others by what they need. */
type Expected = Record<string, { passed: number; total: number; failing: Record<string, number[]> }>;

const DATA = new URL('data/', import.meta.url);
const EXPECTED = new URL('expected.json', import.meta.url);
const RENEW = process.env['PROMQLTEST_RENEW'] === '1';

const REASONS_BY_FILE: Readonly<Record<string, string>> = {
  'start_timestamps.test': 'start timestamps: issue 5',
};

function reasonFor(file: string, outcome: Outcome): string {
  return REASONS_BY_FILE[file] ?? (outcome.usesHistograms ? 'native histograms: issue 5' : 'floats');
}

function summarise(file: string, outcomes: readonly Outcome[]): Expected[string] {
  const failing: Record<string, number[]> = {};
  for (const outcome of outcomes) {
    if (outcome.failure !== undefined) (failing[reasonFor(file, outcome)] ??= []).push(outcome.line);
  }
  const passed = outcomes.filter(({ failure }) => failure === undefined).length;
  return { passed, total: outcomes.length, failing };
}

describe("Prometheus's promqltest", () => {
  const expected: Expected = RENEW ? {} : (JSON.parse(readFileSync(EXPECTED, 'utf8')) as Expected);
  const files = readdirSync(DATA).filter((name) => name.endsWith('.test'));
  let passed = 0;
  let total = 0;

  for (const file of files) {
    it(`passes what it should of ${file}`, async () => {
      const outcomes = await runScript(readFileSync(new URL(file, DATA), 'utf8'));
      const summary = summarise(file, outcomes);
      passed += summary.passed;
      total += summary.total;
      if (RENEW) {
        expected[file] = summary;
        return;
      }
      const listed = new Set(Object.values(expected[file]!.failing).flat());
      const broken = outcomes.filter(({ line, failure }) => failure !== undefined && !listed.has(line));
      const report = broken.map(({ line, query, failure }) => `${file}:${line}: ${query}\n  ${failure}`).join('\n');
      assert.equal(report, '', 'evaluations that used to pass');
      const mended = outcomes.filter(({ line, failure }) => failure === undefined && listed.has(line));
      assert.deepEqual(
        mended.map(({ line }) => line),
        [],
        'these pass now: run with PROMQLTEST_RENEW=1 to take them off the list',
      );
      assert.deepEqual(summary, expected[file]);
    });
  }

  after(() => {
    console.log(`      promqltest: ${passed} of ${total} evaluations pass`);
    if (RENEW) writeFileSync(fileURLToPath(EXPECTED), `${JSON.stringify(expected)}\n`);
  });
});
