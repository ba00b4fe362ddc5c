import assert from 'node:assert/strict';
import { exprToString, ParseError, parseExpr, parseSelector } from '../../../lib/promql/index.ts';

function offsetFault(position: string): string {
  const wanted = 'an instant vector selector or range vector selector or a subquery';
  return `${position}: parse error: offset modifier must be preceded by ${wanted}`;
}

/** Query and message, as Prometheus 3.15 words it. */
const FAULTS: readonly (readonly [query: string, message: string])[] = [
  ['', 'unknown position: parse error: no expression found in input'],
  ['.', `1:1: parse error: unexpected character: '.'`],
  ['1+', '1:3: parse error: unexpected end of input'],
  ['1 1', '1:3: parse error: unexpected number "1"'],
  ['(1', '1:3: parse error: unclosed left parenthesis'],
  ['1)', `1:3: parse error: unexpected right parenthesis ')'`],
  ['foo{', '1:5: parse error: unexpected end of input inside braces'],
  ['foo{a}', '1:6: parse error: unexpected "}" in label matching, expected label matching operator'],
  ['foo{a=5}', `1:7: parse error: unexpected character inside braces: '5'`],
  ['foo{a="b" c="d"}', '1:11: parse error: unexpected identifier "c" in label matching, expected "," or "}"'],
  ['{}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
  ['foo{__name__="bar"}', '1:1: parse error: metric name must not be set twice: "foo" or "bar"'],
  ['sum(foo bar)', '1:9: parse error: unexpected identifier "bar" in aggregation'],
  ['sum by x (foo)', '1:8: parse error: unexpected identifier "x" in grouping opts, expected "("'],
  ['sum()', '1:1: parse error: no arguments for aggregate expression provided'],
  [
    'topk(some_metric)',
    '1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1',
  ],
  ['rate(foo)', '1:6: parse error: expected type range vector in call to function "rate", got instant vector'],
  ['rate()', '1:1: parse error: expected 1 argument(s) in call to "rate", got 0'],
  ['nope(foo)', '1:1: parse error: unknown function with name "nope"'],
  [
    'limitk(1, foo)',
    '1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions',
  ],
  ['rate(foo[5m],)', '1:13: parse error: trailing commas not allowed in function call args'],
  ['foo[5mm]', '1:5: parse error: bad number or duration syntax: "5mm"'],
  ['foo[5x]', '1:5: parse error: bad number or duration syntax: "5"'],
  ['1h30', '1:1: parse error: bad number or duration syntax: "1h30"'],
  ['0xg', '1:1: parse error: bad number or duration syntax: "0x"'],
  ['1..2', '1:1: parse error: bad number or duration syntax: "1.."'],
  ['1.5h', '1:1: parse error: unknown unit "." in duration "1.5h"'],
  ['1e400', '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "1e400": value out of range'],
  ['foo{a=~"("}', '1:5: parse error: error parsing regexp: missing closing ): `(`'],
  ['foo[0m]', '1:5: parse error: duration must be greater than 0'],
  ['foo[5m', '1:7: parse error: unclosed left bracket'],
  ['(foo + bar)[5m]', '1:12: parse error: ranges only allowed for vector selectors'],
  ['foo offset 5m offset 1m', '1:1: parse error: offset may not be set multiple times'],
  ['foo @ 5 @ 6', '1:1: parse error: @ <timestamp> may not be set multiple times'],
  ['1 == 1', '1:3: parse error: comparisons between scalars must use BOOL modifier'],
  ['foo + bool bar', '1:5: parse error: bool modifier can only be used on comparison operators'],
  ['foo and 1', '1:1: parse error: set operator "and" not allowed in binary scalar expression'],
  ['"text" + 1', '1:1: parse error: binary expression must contain only scalar and instant vector types'],
  ['foo\n + {', '2:5: parse error: unexpected end of input inside braces'],
  // The first fault in the order of the text, though more follow.
  ['(15.5m', '1:2: parse error: unknown unit "." in duration "15.5m"'],
  ['(nope()', '1:2: parse error: unknown function with name "nope"'],
  ['1 offset 5m \\', offsetFault('1:1')],
  ['rate(foo, >)', '1:9: parse error: trailing commas not allowed in function call args'],
  ['a + on(x) group_left == b', '1:22: parse error: unexpected <op:==> in grouping opts, expected "("'],
  ['foo[step():1m]', '1:12: parse error: unexpected colon before duration in duration expression'],
  ['a!\tb', `1:2: parse error: unexpected character after '!': '\\t'`],
  ['foo{a=~"\\\\"}', '1:5: parse error: error parsing regexp: trailing backslash at end of expression: ``'],
  ['0.1.2', '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "0.1.2": invalid syntax'],
];

/** Query and the query as it is printed; they parse to the same. */
const PRINTED: readonly (readonly [query: string, printed: string])[] = [
  ['1_000 + 0x1F + 1e3 + .5', '1000 + 31 + 1000 + 0.5'],
  ['Inf + -inf + NaN', '+Inf + -Inf + NaN'],
  ['-2 ^ 2', '-2 ^ 2'],
  ['foo offset 90m @ start()', 'foo @ start() offset 1h30m'],
  ['foo[1h30m] @ 12.5 offset -5m', 'foo[1h30m] @ 12.500 offset -5m'],
  ['sum(rate({"a.b", c=~"d"}[5m])) by (x,"y.z")', 'sum by (x, "y.z") (rate({__name__="a.b",c=~"d"}[5m]))'],
  ['a / on(x) group_left(y) b', 'a / on (x) group_left (y) b'],
  ['max_over_time(foo[10m:1m])', 'max_over_time(foo[10m:1m])'],
  ['a unless ignoring(x) b', 'a unless ignoring (x) b'],
  ['foo[5m * 2]', 'foo[5m * 2]'],
  ["label_join(a, 'b', ``)", 'label_join(a, "b", "")'],
  ['sum # comment\n(a)', 'sum(a)'],
  ['"\\u00e9\\U0001F600"', '"é\u{1f600}"'],
];

describe('The PromQL parser', () => {
  for (const [query, message] of FAULTS) {
    it(`rejects ${JSON.stringify(query)} in Prometheus's words`, () => {
      assert.throws(
        () => parseExpr(query),
        (error) => {
          assert.ok(error instanceof ParseError);
          assert.equal(error.code, 'promql/parse');
          assert.equal(error.message, message);
          return true;
        },
      );
    });
  }

  for (const [query, printed] of PRINTED) {
    it(`prints ${JSON.stringify(query)} as Prometheus does`, () => {
      assert.equal(exprToString(parseExpr(query)), printed);
      assert.equal(exprToString(parseExpr(printed)), printed);
    });
  }

  it('binds ^ to the right and tighter than a sign, the others to the left', () => {
    const shape = (query: string): unknown => {
      const walk = (expr: ReturnType<typeof parseExpr>): unknown => {
        if (expr.kind === 'binary') return [walk(expr.left), expr.op, walk(expr.right)];
        if (expr.kind === 'unary') return [expr.op, walk(expr.expr)];
        return exprToString(expr);
      };
      return walk(parseExpr(query));
    };
    assert.deepEqual(shape('a ^ b ^ c'), ['a', '^', ['b', '^', 'c']]);
    assert.deepEqual(shape('-a ^ b'), ['-', ['a', '^', 'b']]);
    assert.deepEqual(shape('a - b - c'), [['a', '-', 'b'], '-', 'c']);
    assert.deepEqual(shape('a or b and c'), ['a', 'or', ['b', 'and', 'c']]);
  });

  it('keeps the positions of what was written', () => {
    const expr = parseExpr('  sum(foo) + bar[5m:]'.replace('[5m:]', ''));
    assert.deepEqual([expr.start, expr.end], [2, 16]);
  });

  it('answers 10,000 parentheses, signs or operands with an error, not with a stack overflow', () => {
    for (const query of [
      `${'('.repeat(8_000)}1${')'.repeat(8_000)}`,
      `${'-'.repeat(10_000)}a`,
      `a${'+a'.repeat(8_000)}`,
      `a[${'('.repeat(10_000)}1m`,
      `a[${'-'.repeat(10_000)}1m]`,
      `a[1m${'+1m'.repeat(5_000)}]`,
      `a[5m]${' offset (1m)'.repeat(1_000)}`,
      '('.repeat(10_000),
    ]) {
      assert.throws(() => parseExpr(query), { code: 'promql/parse' });
    }
  });

  it('rejects queries above 16 KiB', () => {
    assert.throws(() => parseExpr(`"${'x'.repeat(16 * 1024)}"`), /query is longer than 16384 bytes/);
  });

  it('reads selectors for the series API', () => {
    assert.deepEqual(parseSelector('up{job="x"}').map(String), ['job="x"', '__name__="up"']);
    assert.deepEqual(parseSelector('{a=""}').map(String), ['a=""']);
    assert.throws(() => parseSelector('up offset 5m'), { message: '1:4: parse error: unexpected <offset>' });
    assert.throws(() => parseSelector('sum(up)'), { message: '1:4: parse error: unexpected "("' });
    assert.throws(() => parseSelector(''), { message: 'unknown position: parse error: unexpected end of input' });
  });
});
