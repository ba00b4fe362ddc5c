import assert from 'node:assert/strict';
import { seededRandom } from '../../../../lib/env/index.ts';
import { OpenMetricsParser } from '../../../../agent/tsdb/openmetrics-parser.ts';

/** Series of a whole text as `labels value@ms`. */
function parse(text: string): string[] {
  const parser = new OpenMetricsParser();
  const bytes = Buffer.from(text);
  const out: string[] = [];
  for (let start = 0; start < bytes.length;) {
    const at = bytes.indexOf(0x0a, start);
    const end = at < 0 ? bytes.length : at;
    if (parser.line(bytes, start, end, at >= 0) === 'series') {
      out.push(`${parser.labels().toString()} ${parser.value}@${parser.timestampMs ?? 'none'}`);
    }
    start = end + 1;
  }
  parser.finish();
  return out;
}

const line = (text: string): string => parse(`${text}\n# EOF\n`)[0]!;

describe('OpenMetrics parser', () => {
  it('reads series with values and times in seconds', () => {
    assert.equal(line('up 1 1700000000.123'), '{__name__="up"} 1@1700000000123');
    assert.equal(line('a:b_c{} -Inf -1.5'), '{__name__="a:b_c"} -Infinity@-1500');
    assert.equal(line('a{b="c",} NaN'), '{__name__="a", b="c"} NaN@none');
    assert.equal(line('a 1e3 0.0019'), '{__name__="a"} 1000@1');
  });

  it('reads quoted names', () => {
    assert.equal(line('{"my.metric","a b"="c"} 1 1'), '{__name__="my.metric", "a b"="c"} 1@1000');
    assert.equal(line('{a="b","my.metric"} 1 1'), '{__name__="my.metric", a="b"} 1@1000');
  });

  it('undoes the three escapes and leaves others', () => {
    assert.equal(line(String.raw`a{b="\"\\\n\t"} 1 1`), String.raw`{__name__="a", b="\"\\\n\\t"} 1@1000`);
  });

  it('passes over exemplars', () => {
    assert.equal(line('a_bucket{le="1"} 1 1 # {trace_id="x"} 0.5 2.5'), '{__name__="a_bucket", le="1"} 1@1000');
    assert.equal(line('a 1 # {} 0.5'), '{__name__="a"} 1@none');
  });

  it('spells buckets and quantiles one way', () => {
    const text = '# TYPE h histogram\nh_bucket{le="1"} 1 1\n# TYPE s summary\ns{quantile="0.50",le="1"} 1 1\n# EOF';
    assert.deepEqual(parse(text), [
      '{__name__="h_bucket", le="1.0"} 1@1000',
      '{__name__="s", le="1", quantile="0.5"} 1@1000',
    ]);
  });

  it('reads series that follow each other, alike or not', () => {
    const text = 'a{b="c"} 1 1\na{b="c"} 2 2\na{b="d"} 3 3\n';
    assert.deepEqual(parse(`${text}{"a",b="d"} 4 4\na 5 5\na{b="d"} 6 6\n# EOF`), [
      '{__name__="a", b="c"} 1@1000',
      '{__name__="a", b="c"} 2@2000',
      '{__name__="a", b="d"} 3@3000',
      '{__name__="a", b="d"} 4@4000',
      '{__name__="a"} 5@5000',
      '{__name__="a", b="d"} 6@6000',
    ]);
  });

  it('reads every spelling of a number as JavaScript does', () => {
    const random = seededRandom(5);
    for (let i = 0; i < 20_000; i++) {
      const digits = String(Math.floor(random() * 10 ** Math.floor(random() * 19)));
      const point = Math.floor(random() * (digits.length + 1));
      const number = random() < 0.5 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
      assert.equal(line(`a ${number} 1`), `{__name__="a"} ${Number(number)}@1000`);
    }
  });

  it('starts each file with no type', () => {
    assert.equal(line('h_bucket{le="1"} 1 1'), '{__name__="h_bucket", le="1"} 1@1000');
  });

  const refused: readonly [text: string, reason: RegExp][] = [
    ['', /line 1: data does not end with # EOF/],
    ['a 1 1\n', /line 2: data does not end with # EOF/],
    ['a 1 1', /line 1: data does not end with # EOF/],
    ['# EOF\n\n', /line 2: unexpected data after # EOF/],
    ['# EOFa', /unexpected data after # EOF/],
    ['# EOF \n', /unexpected data after # EOF/],
    ['\n# EOF', /expected a valid start token/],
    ['# a comment\n# EOF', /expected a valid start token/],
    ['#HELP a b\n# EOF', /expected a valid start token/],
    ['# HELP a\n# EOF', /expected text in HELP/],
    ['# TYPE a untyped\n# EOF', /invalid metric type "untyped"/],
    ['# TYPE a counter \n# EOF', /invalid metric type "counter "/],
    ['# UNIT a_seconds bytes\n# EOF', /unit "bytes" not a suffix of metric "a_seconds"/],
    ['# UNIT seconds seconds\n# EOF', /not a suffix/],
    ['1a 1 1\n# EOF', /expected a valid start token, got "1a 1 1"/],
    ['a  1\n# EOF', /expected value after metric/],
    ['a\n# EOF', /expected value after metric/],
    ['a 1 1 \n# EOF', /expected next entry after timestamp/],
    ['a 1 1 1\n# EOF', /expected next entry after timestamp/],
    ['a 1 NaN\n# EOF', /invalid timestamp/],
    ['a 1 x\n# EOF', /"x": not a number/],
    ['a 1\r\n# EOF', /"1\\r": not a number/],
    ['a 0x1p2 1\n# EOF', /not a number/],
    ['a 1_0 1\n# EOF', /not a number/],
    ['a 1e999 1\n# EOF', /value out of range/],
    ['a{ b="c"} 1 1\n# EOF', /expected label name/],
    ['a{b = "c"} 1 1\n# EOF', /expected equal/],
    ['a{b=c} 1 1\n# EOF', /expected label value/],
    ['a{b="c"c="d"} 1 1\n# EOF', /expected comma or brace close/],
    ['a{b="c} 1 1\n# EOF', /expected label value/],
    ['a{b="c",,} 1 1\n# EOF', /expected label name/],
    ['a{"b"} 1 1\n# EOF', /metric name already set/],
    ['{b="c"} 1 1\n# EOF', /metric name not set/],
    ['a{b="c",b="d"} 1 1\n# EOF', /label name "b" is not unique/],
    ['a 1 1\na{b="c"} 1 1\na 1 .\n# EOF', /line 3: "\.": not a number/],
    ['a 1 1\na\n# EOF', /line 2: expected value after metric/],
    ['a 1 1\naa 1\nb{c="d} 1 1\n# EOF', /line 3: expected label value/],
    ['a 1 1 # {"x"} 1\n# EOF', /expected equal/],
    ['a 1 1 # {x="y"}\n# EOF', /expected value after exemplar labels/],
    ['a 1 1 # {x="y"} 1 inf\n# EOF', /invalid exemplar timestamp/],
    ['a 1 1 # {x="y"} 1 1 1\n# EOF', /expected next entry after exemplar/],
  ];
  for (const [text, reason] of refused) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parse(text), { code: 'openmetrics/parse', message: reason });
    });
  }

  it('refuses label values that are not UTF-8', () => {
    const bytes = Buffer.from('a{b="\xff"} 1 1', 'latin1');
    assert.throws(() => new OpenMetricsParser().line(bytes, 0, bytes.length, true), /line 1: invalid UTF-8/);
  });
});
