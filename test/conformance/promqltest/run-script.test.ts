import assert from 'node:assert/strict';
import { runScript } from './run-script.ts';

const DATA = `
load 1m
  a{x="1"} 1 2 3
  a{x="2"} 4 5 6
  h {{schema:0 count:3 sum:5 buckets:[1 2]}}x3
  start_total@st 30s-1mx1 _
  start_total 1 2 3

load_with_nhcb 1m
  c_bucket{le="1"} 1+1x2
  c_bucket{le="+Inf"} 2+2x2
`;

async function failureOf(evaluation: string): Promise<string | undefined> {
  const outcomes = await runScript(`${DATA}\n${evaluation}`);
  assert.equal(outcomes.length, 1);
  return outcomes[0]!.failure;
}

describe('The promqltest runner', () => {
  const PASSING: Readonly<Record<string, string>> = {
    'a value': 'eval instant at 1m a\n  a{x="1"} 2\n  a{x="2"} 5',
    'a range': 'eval range from 0 to 2m step 1m sum(a)\n  {} 5 7 9',
    'an order': 'eval instant at 1m sort_desc(a)\n  expect ordered\n  a{x="2"} 5\n  a{x="1"} 2',
    'a scalar': 'eval instant at 1m scalar(sum(a))\n  7',
    'a string': 'eval instant at 1m "text"\n  expect string `text`',
    'a range vector': 'eval instant at 2m a{x="1"}[2m]\n  expect range vector from 1m to 2m step 1m\n  a{x="1"} 2 3',
    'an error': 'eval instant at 1m a / on() a\n  expect fail regex: many-to-many|duplicate series',
    'a warning': 'eval instant at 1m quantile(2, a)\n  expect warn\n  {} +Inf',
    'a histogram': 'eval instant at 1m h\n  h {{schema:0 count:3 sum:5 buckets:[1 2]}}',
    'a hint': 'eval instant at 1m h\n  h {{schema:0 count:3 sum:5 buckets:[1 2] counter_reset_hint:not_reset}}',
    'a converted histogram': 'eval instant at 1m c\n  c {{schema:-53 count:4 custom_values:[1] buckets:[2 2]}}',
    'what is not a number': 'eval instant at 1m a * NaN\n  {x="1"} NaN\n  {x="2"} NaN',
  };
  for (const [what, evaluation] of Object.entries(PASSING)) {
    it(`passes ${what} as expected`, async () => assert.equal(await failureOf(evaluation), undefined));
  }

  const FAILING: Readonly<Record<string, readonly [string, RegExp]>> = {
    'another value': ['eval instant at 1m a\n  a{x="1"} 2\n  a{x="2"} 5.1', /expected 5.1 at 60000, got 5/],
    'a series that is missing': ['eval instant at 1m a\n  a{x="1"} 2\n  a{x="2"} 5\n  a{x="3"} 5', /missing series/],
    'a series too many': ['eval instant at 1m a\n  a{x="1"} 2', /unexpected series/],
    'a sample too many': ['eval range from 0 to 2m step 1m sum(a)\n  {} 5 7', /expected 2 samples, got 3/],
    'more values than steps': ['eval range from 0 to 1m step 1m sum(a)\n  {} 5 7 9', /more than there are steps/],
    'another order': [
      'eval instant at 1m sort(a)\n  expect ordered\n  a{x="2"} 5\n  a{x="1"} 2',
      /is at position 0, not 1/,
    ],
    'a vector for a scalar': ['eval instant at 1m sum(a)\n  7', /expected a scalar/],
    'a scalar for a vector': ['eval instant at 1m scalar(sum(a))\n  {} 7', /got the scalar/],
    'another string': ['eval instant at 1m "text"\n  expect string "other"', /got the string/],
    'no error': ['eval instant at 1m a\n  expect fail', /expected an error/],
    'another error': ['eval instant at 1m a / on() a\n  expect fail msg: no', /expected error no, got/],
    'an error': ['eval instant at 1m a / on() a\n  {} 1', /unexpected error/],
    'no warning': ['eval instant at 1m a\n  expect warn\n  a{x="1"} 2\n  a{x="2"} 5', /expected warn/],
    'another warning': ['eval instant at 1m quantile(2, a)\n  expect warn msg: no\n  {} +Inf', /expected warn no, got/],
    'a warning': ['eval instant at 1m quantile(2, a)\n  expect no_warn\n  {} +Inf', /unexpected warn/],
    'other buckets': ['eval instant at 1m h\n  h {{schema:0 count:3 sum:5 buckets:[1 1 1]}}', /expected \{\{schema:0/],
    'another hint': [
      'eval instant at 1m h\n  h {{schema:0 count:3 sum:5 buckets:[1 2] counter_reset_hint:reset}}',
      /hint:reset.* got .*hint:not_reset/,
    ],
    'a value that depends on the time': ['eval instant at 1m a + vector(time())\n  {x="1"} 2', /unexpected|missing/],
  };
  for (const [what, [evaluation, failure]] of Object.entries(FAILING)) {
    it(`finds ${what}`, async () => assert.match((await failureOf(evaluation)) ?? 'passed', failure));
  }

  it('refuses scripts that it cannot read', async () => {
    await assert.rejects(runScript('evaluate this'), /unknown command/);
    await assert.rejects(runScript('load often\n  a 1'), /often|duration/);
    assert.match((await runScript('load 1m\n  a what\n\neval instant at 0 a'))[0]!.failure!, /not a sequence item/);
    assert.match((await runScript('load 1m\n  a@st 1s 1s\n  a 1\n\neval instant at 0 a'))[0]!.failure!, /do not fit/);
  });
});
