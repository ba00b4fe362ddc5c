/**
 * `npm run conformance`: what other projects' suites say of us, as a table suite × passed/total. Exits 1 when anything fails
 * that is not on its suite's list of known differences, or when something on such a list no longer does.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { knownLenient, openMetricsOutcomes } from '../conformance/openmetrics/cases.ts';
import { prometheusVerdicts } from '../conformance/openmetrics/prometheus.ts';
import { runCompliance } from '../conformance/promql-compliance/compliance.ts';
import { runScript } from '../conformance/promqltest/run-script.ts';
import { startFuzzTwins } from '../conformance/query-fuzz/fuzz.ts';
import { keptDifferences } from '../conformance/query-fuzz/kept.ts';
import { fetchMissing, peer } from './peers.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Row {
  readonly suite: string;
  readonly passed: number;
  readonly total: number;
  /** What is not as its suite expects it. */
  readonly regressions: readonly string[];
}

const WITHOUT_PROMETHEUS = { passed: 0, total: 1, regressions: ['Prometheus is missing: npm run peers'] };

await fetchMissing((line) => console.log(line));
let regressions = 0;
for await (const row of rows()) {
  const known = row.total - row.passed - row.regressions.length;
  const note = row.regressions.length > 0 ? 'REGRESSIONS' : known > 0 ? `${known} known differences` : '';
  console.log(`${row.suite.padEnd(44)} ${`${row.passed}/${row.total}`.padStart(11)}  ${note}`.trimEnd());
  for (const regression of row.regressions) console.log(`    ${regression}`);
  regressions += row.regressions.length;
}
console.log(regressions === 0 ? 'no regressions' : `${regressions} regressions`);
process.exitCode = regressions === 0 ? 0 : 1;

async function* rows(): AsyncGenerator<Row> {
  yield* promqltestRows();
  yield* prometheusRows();
  yield* openMetricsRows();
  yield mochaRow("exposition format, Prometheus's sample pages", 'test/unit/scrape/exposition.test.ts');
  yield mochaRow("Prometheus's configurations", 'test/unit/config/conformance.test.ts');
}

async function* promqltestRows(): AsyncGenerator<Row> {
  const data = new URL('../conformance/promqltest/data/', import.meta.url);
  for (const file of readdirSync(data).filter((name) => name.endsWith('.test'))) {
    const outcomes = await runScript(readFileSync(new URL(file, data), 'utf8'));
    const failed = outcomes.filter(({ failure }) => failure !== undefined);
    yield {
      suite: `promqltest ${file}`,
      passed: outcomes.length - failed.length,
      total: outcomes.length,
      regressions: failed.map(({ line, query, failure }) => `${file}:${line}: ${query}: ${failure}`),
    };
  }
}

/** The suites that ask Prometheus as well. */
async function* prometheusRows(): AsyncGenerator<Row> {
  const program = peer('prometheus');
  if (program === undefined) {
    yield { suite: 'PromQL compliance beside Prometheus', ...WITHOUT_PROMETHEUS };
    yield { suite: 'kept random queries beside Prometheus', ...WITHOUT_PROMETHEUS };
    return;
  }
  const outcomes = await runCompliance(program);
  const failed = outcomes.filter(({ difference }) => difference !== undefined);
  yield {
    suite: 'PromQL compliance beside Prometheus',
    passed: outcomes.length - failed.length,
    total: outcomes.length,
    regressions: failed.map(({ query, difference }) => `${query}: ${difference}`),
  };
  const twins = await startFuzzTwins(program);
  try {
    const kept = await keptDifferences(twins);
    yield {
      suite: 'kept random queries beside Prometheus',
      passed: kept.filter(({ difference }) => difference === undefined).length,
      total: kept.length,
      regressions: kept
        .filter(({ kept: { differs }, difference }) => (difference === undefined) !== (differs === undefined))
        .map(({ kept: { query }, difference }) => `${query}: ${difference ?? 'differs no more: take it off the list'}`),
    };
  } finally {
    await twins.stop();
  }
}

async function* openMetricsRows(): AsyncGenerator<Row> {
  const outcomes = openMetricsOutcomes();
  const lenient = new Set(Object.values(knownLenient()).flat());
  const isRight = ({ shouldParse, error }: (typeof outcomes)[number]): boolean => shouldParse === (error === undefined);
  yield {
    suite: 'OpenMetrics pages, as the suite says',
    passed: outcomes.filter(isRight).length,
    total: outcomes.length,
    regressions: outcomes
      .filter((outcome) => isRight(outcome) === lenient.has(outcome.name))
      .map(({ name, error }) => `${name}: ${error ?? 'parses'}`),
  };
  const suite = 'OpenMetrics pages, as Prometheus does';
  const [program, promtool] = [peer('prometheus'), peer('promtool')];
  if (program === undefined || promtool === undefined) {
    yield { suite, ...WITHOUT_PROMETHEUS };
    return;
  }
  const verdicts = await prometheusVerdicts(program, promtool);
  const differing = outcomes.filter(({ name, error }) => (error === undefined) !== (verdicts.get(name) === undefined));
  yield {
    suite,
    passed: outcomes.length - differing.length,
    total: outcomes.length,
    regressions: differing.map(
      ({ name, error }) => `${name}: ${error ?? 'parses'}; Prometheus: ${verdicts.get(name) ?? 'parses'}`,
    ),
  };
}

/** Files of tests, each test counted. */
function mochaRow(suite: string, ...files: readonly string[]): Row {
  const scratch = mkdtempSync(join(tmpdir(), 'promlet-conformance-'));
  try {
    const summaryFile = join(scratch, 'summary.json');
    const mocha = join(ROOT, 'node_modules', 'mocha', 'bin', 'mocha.js');
    const reporter = join(ROOT, 'test', 'tools', 'reporter.mjs');
    const run = spawnSync(process.execPath, [mocha, '--no-config', '--reporter', reporter, ...files], {
      cwd: ROOT,
      encoding: 'utf8',
      env: { ...process.env, PROMLET_TEST_SUMMARY: summaryFile },
    });
    if (run.status === null || run.error !== undefined) throw run.error ?? new Error(`mocha: ${run.signal}`);
    const { passes, failures } = JSON.parse(readFileSync(summaryFile, 'utf8')) as { passes: number; failures: number };
    const regressions = failures === 0 ? [] : [run.stdout];
    return { suite, passed: passes, total: passes + failures, regressions };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
