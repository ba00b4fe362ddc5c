import assert from 'node:assert/strict';
import { parseExpr, prettify } from '../../../lib/promql/index.ts';

const LONG = 'some_metric_with_a_very_long_name_that_takes_up_most_of_a_line';

/** As `promtool promql format` of Prometheus 3.15 prints them. */
const CASES: readonly (readonly [string, string])[] = [
  ['sum(rate(foo[5m]))by(a)', 'sum by (a) (rate(foo[5m]))'],
  [`sum(rate(${LONG}{job="a", instance=~"b|c"}[5m]))`, `sum(\n  rate(${LONG}{instance=~"b|c",job="a"}[5m])\n)`],
  [
    `topk by (job, "x.y") (5, ${LONG}{a="b"} + on (job) group_left (c) ${LONG})`,
    `topk by (job, "x.y") (\n  5,\n    ${LONG}{a="b"}\n  + on (job) group_left (c)\n    ${LONG}\n)`,
  ],
  [`-(${LONG} > bool ${LONG})`, `-(\n    ${LONG}\n  > bool\n    ${LONG}\n)`],
  [
    `max_over_time((${LONG} or ${LONG})[1h:5m] @ 10 offset 1m)`,
    `max_over_time(\n  (\n      ${LONG}\n    or\n      ${LONG}\n  )[1h:5m] @ 10.000 offset 1m\n)`,
  ],
  [
    `label_replace(max_over_time(a[1h:]), "${LONG}", "$1", "${LONG}", "(.*)")`,
    `label_replace(\n  max_over_time(a[1h:]),\n  "${LONG}",\n  "$1",\n  "${LONG}",\n  "(.*)"\n)`,
  ],
  // A subquery that fits is not indented.
  [
    `quantile_over_time(scalar(${LONG}{job="a",instance="b"} offset 5m), a[1h:])`,
    `quantile_over_time(\n  scalar(\n    ${LONG}{instance="b",job="a"} offset 5m\n  ),\na[1h:]\n)`,
  ],
];

describe('The prettifier', () => {
  for (const [query, expected] of CASES) {
    it(`breaks ${query.slice(0, 40)}… as Prometheus does`, () => {
      assert.equal(prettify(parseExpr(query)), expected);
      assert.equal(prettify(parseExpr(expected)), expected);
    });
  }
});
