/**
 * Random queries, asked of Prometheus and of ours: `npm run -s queryfuzz -- --count 10000 --seed 1`. Each that differs is
 * printed, made as small as it goes, as a line that test/conformance/query-fuzz/kept.json can take. `--delayed-names` turns
 * the delayed removal of names on.
 */
import { parseArgs } from 'node:util';
import { START_MS } from '../conformance/query-fuzz/data.ts';
import { FEATURES, fuzz, startFuzzTwins } from '../conformance/query-fuzz/fuzz.ts';
import { peer } from './peers.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    'delayed-names': { type: 'boolean', default: false },
  },
});
const program = peer('prometheus');
if (program === undefined) throw new Error('Prometheus is missing: npm run peers');
const twins = await startFuzzTwins(program, { ...FEATURES, delayedNameRemoval: values['delayed-names'] });
try {
  const count = Number(values.count);
  const { findings, errors, empty } = await fuzz(twins, {
    seed: Number(values.seed),
    count,
    onFinding: ({ seed, difference, asked: { query, startMs, endMs, stepMs } }) => {
      const kept = { query, start: startMs - START_MS, end: endMs - START_MS, step: stepMs };
      console.log(`seed ${seed}: ${JSON.stringify(kept)}\n    ${difference}`);
    },
  });
  console.log(`${errors} errors, ${empty} empty answers`);
  console.log(`${count - findings.length} passed, ${findings.length} failed`);
  process.exitCode = findings.length === 0 ? 0 : 1;
} finally {
  await twins.stop();
}
