import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ExpositionParser } from '../../../agent/scrape/exposition.ts';
import { formatOpenMetricsFloat } from '../../../lib/model/index.ts';

interface Sample {
  readonly labels: string;
  readonly value: number;
  readonly timestampMs: number | undefined;
}

function parse(page: string | Uint8Array): { samples: Sample[]; metadata: string[] } {
  const body = typeof page === 'string' ? Buffer.from(page) : page;
  const bytes = Buffer.concat([Buffer.from('xx'), body, Buffer.from('\n')]);
  const parser = new ExpositionParser();
  parser.reset(bytes, 2, bytes.length);
  const samples: Sample[] = [];
  const metadata: string[] = [];
  for (let entry = parser.next(); entry !== 'end'; entry = parser.next()) {
    if (entry === 'series') {
      samples.push({ labels: parser.labels().toString(), value: parser.value, timestampMs: parser.timestampMs });
    } else if (entry !== 'comment') {
      metadata.push(`${entry} ${parser.metadataName}: ${parser.metadataText}`);
    }
  }
  return { samples, metadata };
}

function errorOf(page: string | Uint8Array): string {
  try {
    parse(page);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1');

describe('exposition parser', () => {
  const lines: readonly (readonly [line: string, labels: string, value: number, timestampMs?: number])[] = [
    ['a 1', '{__name__="a"}', 1],
    ['a{} 1', '{__name__="a"}', 1],
    ['a{quantile="0.25",} 7.424100000000001e-05', '{__name__="a", quantile="0.25"}', 7.424100000000001e-5],
    ['a { quantile = "1.0", b = "c" } 8.3835e-05', '{__name__="a", b="c", quantile="1.0"}', 8.3835e-5],
    ['a { quantile = "2.0" b = "c" } 1', '{__name__="a", b="c", quantile="2.0"}', 1],
    ['some:aggregate:rate5m{a_b="c"}\t1', '{__name__="some:aggregate:rate5m", a_b="c"}', 1],
    ['go_goroutines 33  \t123123', '{__name__="go_goroutines"}', 33, 123123],
    ['a{label="\\"bar\\" \\\\ \\n \\q"} 1', '{__name__="a", label="\\"bar\\" \\\\ \\n \\\\q"}', 1],
    ['a{b="two\nlines"} 1', '{__name__="a", b="two\\nlines"}', 1],
    ['a{b=""} 1', '{__name__="a"}', 1],
    ['a{__proto__="x",constructor="y"} 1', '{__name__="a", __proto__="x", constructor="y"}', 1],
    ['a{b="abc\0"} 1', '{__name__="a", b="abc\\x00"}', 1],
    ['{"go.gc", quantile= "1.0", a= "b", } 1', '{__name__="go.gc", a="b", quantile="1.0"}', 1],
    ['{"10€ \\"x\\"","strange©™"="6"} 10.0', '{__name__="10€ \\"x\\"", "strange©™"="6"}', 10],
    ['a NaN', '{__name__="a"}', NaN],
    ['a +Inf', '{__name__="a"}', Infinity],
    ['a -inf', '{__name__="a"}', -Infinity],
    ['a 12345678901234567890', '{__name__="a"}', 12345678901234567000],
    ['a 0.1234567890123456789012345', '{__name__="a"}', 0.12345678901234568],
    ['a 1 9223372036854775807', '{__name__="a"}', 1, 2 ** 63],
  ];
  for (const [line, labels, value, timestampMs] of lines) {
    it(`reads ${JSON.stringify(line)}`, () => {
      assert.deepEqual(parse(line).samples, [{ labels, value, timestampMs }]);
    });
  }

  // Inputs and reasons of Prometheus's own tests (TestPromParseErrors, TestPromNullByteHandling).
  const errors: readonly (readonly [page: string | Uint8Array, reason: string])[] = [
    ['a', 'expected value after metric, got "\\n" ("INVALID") while parsing: "a\\n"'],
    [`a{b='c'} 1\n`, `expected label value, got "'" ("INVALID") while parsing: "a{b='"`],
    ['a{b=\n', 'expected label value, got "\\n" ("INVALID") while parsing: "a{b=\\n"'],
    [latin1('a{\xff="foo"} 1\n'), 'expected label name, got "\\xff" ("INVALID") while parsing: "a{\\xff"'],
    [latin1('a{b="\xff"} 1\n'), 'invalid UTF-8 label value: "\\"\\xff\\""'],
    ['{"a", "b = "c"}', 'expected equal, got "c\\"" ("LNAME") while parsing: "{\\"a\\", \\"b = \\"c\\""'],
    ['{"a",b\\nc="d"} 1', 'expected equal, got "\\\\" ("INVALID") while parsing: "{\\"a\\",b\\\\"'],
    ['a true\n', 'strconv.ParseFloat: parsing "true": invalid syntax while parsing: "a true"'],
    [
      'something_weird{problem="',
      'expected label value, got "\\"\\n" ("INVALID") while parsing: "something_weird{problem=\\"\\n"',
    ],
    ['empty_label_name{=""} 0', 'expected label name, got "=\\"" ("EQUAL") while parsing: "empty_label_name{=\\""'],
    ['{A}0', 'expected equal, got "}0" ("BCLOSE") while parsing: "{A}0"'],
    ['foo 1_2\n', 'unsupported character in float while parsing: "foo 1_2"'],
    ['foo 0x1p-3\n', 'unsupported character in float while parsing: "foo 0x1p-3"'],
    ['foo 0 1_2\n', 'expected next entry after timestamp, got "_" ("INVALID") while parsing: "foo 0 1_"'],
    ['{a="ok"} 1', 'metric name not set while parsing: "{a=\\"ok\\"} 1"'],
    ['# TYPE #\n#EOF\n', 'expected metric name after TYPE, got "#" ("INVALID") while parsing: "# TYPE #"'],
    ['# HELP #\n#EOF\n', 'expected metric name after HELP, got "#" ("INVALID") while parsing: "# HELP #"'],
    ['a{b=\0"ssss"} 1\n', 'expected label value, got "\\x00" ("INVALID") while parsing: "a{b=\\x00"'],
    ['a{b="\0', 'expected label value, got "\\"\\x00\\n" ("INVALID") while parsing: "a{b=\\"\\x00\\n"'],
    ['a{b\0="hiih"}\t1', 'expected equal, got "\\x00" ("INVALID") while parsing: "a{b\\x00"'],
    ['a\0{b="ddd"} 1', 'expected value after metric, got "\\x00" ("INVALID") while parsing: "a\\x00"'],
    ['a 0 1\0', 'expected next entry after timestamp, got "\\x00" ("INVALID") while parsing: "a 0 1\\x00"'],
    ['# TYPE a  counter', 'invalid metric type " counter"'],
    ['# TYPE a unknown', 'invalid metric type "unknown"'],
    [latin1('# HELP a \xff'), 'help text "\\xff" is not a valid utf8 string'],
    ['a 1e999', 'strconv.ParseFloat: parsing "1e999": value out of range while parsing: "a 1e999"'],
    [
      'a 1 9223372036854775808',
      'strconv.ParseInt: parsing "9223372036854775808": value out of range while parsing: "a 1 9223372036854775808"',
    ],
    ['a{b="1",b="2"} 1', 'label name "b" is not unique: invalid sample'],
    ['a 1 -5', 'expected timestamp or new record, got "-" ("INVALID") while parsing: "a 1 -"'],
  ];
  for (const [page, reason] of errors) {
    it(`rejects ${JSON.stringify(Buffer.from(page).toString('latin1'))} in Prometheus's words`, () => {
      assert.equal(errorOf(page), `line 1: ${reason}`);
    });
  }

  it('numbers the lines, and quotes hostile input shortened', () => {
    assert.match(errorOf('a 1\n\n# x\nb{ 1\n'), /^line 4: /);
    const long = errorOf(`a{b="${'x'.repeat(1_000_000)}`);
    assert.ok(long.length < 1000, `${long.length} characters`);
  });

  it('reads metadata, and skips comments that only begin like it', () => {
    const page = '# HELP a line\\nbreak \\\\ "q"\n# \tTYPE a summary\n#HELP b x\n# Hx\n#\n# HELP c\n# HELP "d e" text';
    assert.deepEqual(parse(page).metadata, [
      'help a: line\nbreak \\ "q"',
      'type a: summary',
      'help c: ',
      'help d e: text',
    ]);
  });

  it('spells le and quantile as OpenMetrics does', () => {
    const page = '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\n# TYPE g gauge\ng{le="1"} 1';
    assert.deepEqual(
      parse(page).samples.map(({ labels }) => /le="([^"]*)"/.exec(labels)![1]),
      ['1.0', '+Inf', '1'],
    );
    const spelled = [0, 1, 0.25, 100, 999999, 1e6, 1.5e7, 1e-5, 0.0001, -2, NaN, -Infinity].map(formatOpenMetricsFloat);
    const expected = '0.0 1.0 0.25 100.0 999999.0 1e+06 1.5e+07 1e-05 0.0001 -2.0 NaN -Inf';
    assert.equal(spelled.join(' '), expected);
  });

  it("reads Prometheus's sample pages, with and without metadata, to the same samples", () => {
    const read = (name: string) => parse(readFileSync(new URL(`../../conformance/textparse/${name}`, import.meta.url)));
    const withMetadata = read('alltypes.237mfs.prom.txt');
    const without = read('alltypes.237mfs.nometa.prom.txt');
    assert.equal(withMetadata.metadata.filter((line) => line.startsWith('type ')).length, 237);
    assert.equal(withMetadata.samples.length, without.samples.length);
    assert.deepEqual(
      withMetadata.samples.map(({ value }) => value),
      without.samples.map(({ value }) => value),
    );
  });

  it('tells which labels are exposed as empty', () => {
    const parser = new ExpositionParser();
    const bytes = Buffer.from('a{x="",y="1","z z"=""} 1\n');
    parser.reset(bytes, 0, bytes.length);
    parser.next();
    assert.deepEqual([...parser.emptyLabelNames()], ['x', 'z z']);
    assert.equal(parser.labels().toString(), '{__name__="a", y="1"}');
  });
});
