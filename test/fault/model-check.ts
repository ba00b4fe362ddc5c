/**
 * `npm run modelcheck -- [--hours H | --cases N] [--steps S] [--seed N]`: random cases against a simple model, for as long as
 * asked. A case that fails is cut down to a small one and printed as data, for `model/found-cases.json`.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '../../lib/env/index.ts';
import { type Case, generateCase } from './model/operations.ts';
import { type Failure, failureText, runCase } from './model/run-case.ts';
import { shrink } from './model/shrink.ts';

export interface CheckedCase {
  readonly seed: number;
  readonly steps: number;
}

/** Generates the case of a seed and runs it. */
export async function checkSeed({
  seed,
  steps,
}: CheckedCase): Promise<{ checked: Case; failure: Failure | undefined }> {
  const checked = generateCase(seededRandom(seed), steps);
  return { checked, failure: await runCase(checked) };
}

/** A small case that fails like this one, as text. */
export async function explain(checked: Case): Promise<string> {
  const small = await shrink(checked, async (candidate) => (await runCase(candidate)) !== undefined);
  const failure = await runCase(small);
  const reason = failure === undefined ? 'does not fail every time' : failureText(failure);
  return `${reason}\n${JSON.stringify(small.options)}\n${small.operations.map((operation) => JSON.stringify(operation)).join('\n')}`;
}

interface FoundCase extends Case {
  readonly why: string;
}

/** Small cases that failed once. */
export const foundCases = JSON.parse(
  readFileSync(new URL('model/found-cases.json', import.meta.url), 'utf8'),
) as readonly FoundCase[];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      hours: { type: 'string' },
      cases: { type: 'string', default: '20' },
      steps: { type: 'string', default: '300' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  });
  const endMs = values.hours === undefined ? Infinity : Date.now() + Number(values.hours) * 3_600_000;
  const cases = values.hours === undefined ? Number(values.cases) : Infinity;
  const first = Number(values.seed);
  const steps = Number(values.steps);
  let failures = 0;
  for (const { why, ...checked } of foundCases) {
    const failure = await runCase(checked);
    if (failure === undefined) continue;
    failures++;
    console.log(`found before: ${why}: ${failureText(failure)}`);
  }
  let done = 0;
  for (; done < cases && Date.now() < endMs; done++) {
    const seed = first + done;
    const { checked, failure } = await checkSeed({ seed, steps });
    if (failure === undefined) continue;
    failures++;
    console.log(`{ "seed": ${seed}, "steps": ${steps} } ${failureText(failure)}\nsmallest: ${await explain(checked)}`);
  }
  console.log(`${done} cases of ${steps} steps from seed ${first}: ${failures} failed`);
  process.exitCode = failures === 0 ? 0 : 1;
}
