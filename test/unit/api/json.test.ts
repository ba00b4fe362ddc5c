import assert from 'node:assert/strict';
import { queryData } from '../../../lib/api/json.ts';
import { stringJson, valueJson } from '../../../lib/api/json-strings.ts';
import { sampleFloat, timestampJson } from '../../../lib/api/json-numbers.ts';
import { unescapeLabelName } from '../../../lib/api/params.ts';
import { type FloatHistogram, Labels } from '../../../lib/model/index.ts';
import type { QueryValue } from '../../../lib/promql/index.ts';

const textOf = (value: QueryValue) => [...queryData(value)].join('');

describe('api: JSON', () => {
  const floats: readonly (readonly [number, string])[] = [
    [0, '0'],
    [-0, '-0'],
    [1.5, '1.5'],
    [1e20, '100000000000000000000'],
    [1e21, '1e+21'],
    [-1.25e300, '-1.25e+300'],
    [1e-6, '0.000001'],
    [1e-7, '1e-07'],
    [1.5e-9, '1.5e-09'],
    [5e-324, '5e-324'],
    [NaN, 'NaN'],
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
  ];
  for (const [value, text] of floats) {
    it(`writes the sample ${text} as Go does`, () => assert.equal(sampleFloat(value), text));
  }

  it('writes U+FFFD for what is no UTF-8', () => {
    assert.equal(stringJson('a\udcffb'), '"a\ufffdb"');
    assert.equal(valueJson({ error: ['\ud800'], n: 1 }), '{"error":["\ufffd"],"n":1}');
  });

  it('writes a scalar without an exponent', () => {
    assert.equal(
      textOf({ type: 'scalar', timestampMs: 1_500, value: 1e-7 }),
      '{"resultType":"scalar","result":[1.500,"0.0000001"]}',
    );
  });

  it('writes times as seconds', () => {
    assert.equal(timestampJson(0), '0');
    assert.equal(timestampJson(1_435_781_451_781), '1435781451.781');
    assert.equal(timestampJson(1_005), '1.005');
    assert.equal(timestampJson(-1_050), '-1.050');
    assert.equal(timestampJson(-50), '-0.050');
  });

  it('writes what breaks naive writers', () => {
    const labels = Labels.of(
      JSON.parse('{"__proto__":"\\u0000\\"\\\\\\n","a<b":"\\ud83d\\ude00"}') as object as Record<string, string>,
    );
    const text = textOf({ type: 'vector', samples: [{ labels, timestampMs: 1, value: 1 }] });
    const metric = (JSON.parse(text) as { result: [{ metric: object }] }).result[0].metric;
    assert.deepEqual(Object.entries(metric), [
      ['__proto__', '\0"\\\n'],
      ['a<b', '😀'],
    ]);
  });

  it('writes empty answers', () => {
    assert.equal(textOf({ type: 'vector', samples: [] }), '{"resultType":"vector","result":[]}');
    assert.equal(textOf({ type: 'matrix', series: [] }), '{"resultType":"matrix","result":[]}');
  });

  const histogram: FloatHistogram = {
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: 2,
    count: 11,
    sum: 18.5,
    positiveSpans: [
      { offset: 0, length: 2 },
      { offset: 1, length: 1 },
    ],
    positiveBuckets: Float64Array.of(1, 0, 3),
    negativeSpans: [{ offset: -1, length: 2 }],
    negativeBuckets: Float64Array.of(4, 1),
    customValues: new Float64Array(),
  };

  it('writes a native histogram from its lowest bucket to its highest, without the empty ones', () => {
    const samples = [{ labels: Labels.EMPTY, timestampMs: 1_000, value: NaN, histogram }];
    assert.equal(
      textOf({ type: 'vector', samples }),
      '{"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":"11","sum":"18.5","buckets":[' +
        '[1,"-1","-0.5","1"],[1,"-0.5","-0.25","4"],[3,"-0.001","0.001","2"],[0,"0.5","1","1"],[0,"4","8","3"]]}]}]}',
    );
  });

  it('writes custom bounds, and finer and coarser schemas', () => {
    const custom = {
      ...histogram,
      schema: -53,
      zeroCount: 0,
      negativeSpans: [],
      positiveSpans: [{ offset: 0, length: 3 }],
      positiveBuckets: Float64Array.of(1, 2, 3),
      customValues: Float64Array.of(5, 10),
    };
    const bucketsOf = (one: FloatHistogram) => {
      const samples = [{ labels: Labels.EMPTY, timestampMs: 0, value: NaN, histogram: one }];
      const parsed = JSON.parse(textOf({ type: 'vector', samples })) as {
        result: [{ histogram: [number, { buckets: unknown }] }];
      };
      return parsed.result[0].histogram[1].buckets;
    };
    assert.deepEqual(bucketsOf(custom), [
      [3, '-Inf', '5', '1'],
      [0, '5', '10', '2'],
      [0, '10', '+Inf', '3'],
    ]);
    const one = { ...custom, positiveSpans: [{ offset: 3, length: 1 }], positiveBuckets: Float64Array.of(1) };
    assert.deepEqual(bucketsOf({ ...one, schema: 1 }), [[0, '2', '2.82842712474619', '1']]);
    assert.deepEqual(bucketsOf({ ...one, schema: -1 }), [[0, '16', '64', '1']]);
  });

  it('lets no bucket begin inside the zero bucket', () => {
    const samples = [
      { labels: Labels.EMPTY, timestampMs: 0, value: NaN, histogram: { ...histogram, zeroThreshold: 0.75 } },
    ];
    const text = textOf({ type: 'vector', samples });
    assert.match(text, /\[1,"-1","-0.75","1"\],\[1,"-0.5","-0.75","4"\],\[3,"-0.75","0.75","2"\],\[0,"0.75","1","1"\]/);
  });

  it('writes floats and histograms of one series apart', () => {
    const text = textOf({
      type: 'matrix',
      series: [
        {
          labels: Labels.EMPTY,
          timestamps: Float64Array.of(1_000, 2_000),
          values: Float64Array.of(1, NaN),
          histograms: [undefined, histogram],
        },
      ],
    });
    const [series] = (JSON.parse(text) as { result: [{ values: unknown[]; histograms: unknown[] }] }).result;
    assert.deepEqual(series.values, [[1, '1']]);
    assert.equal(series.histograms.length, 1);
  });

  it('hands a long series on in pieces', () => {
    const timestamps = Float64Array.from({ length: 50_000 }, (_, i) => i);
    const value: QueryValue = {
      type: 'matrix',
      series: Array.from({ length: 3 }, () => ({ labels: Labels.EMPTY, timestamps, values: timestamps })),
    };
    const pieces = [...queryData(value)];
    assert.ok(pieces.length > 20 && pieces.every((piece) => piece.length < 200_000));
    const parsed = JSON.parse(pieces.join('')) as { result: { values: unknown[] }[] };
    assert.deepEqual(
      parsed.result.map(({ values }) => values.length),
      [50_000, 50_000, 50_000],
    );
  });
});

describe('api: escaped label names', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['plain', 'plain'],
    ['U__http_2e_status', 'http.status'],
    ['U__a__b', 'a_b'],
    ['U___1F600_', '😀'],
    ['U__', ''],
    ['U__a_2e', 'U__a_2e'],
    ['U__a_zz_', 'U__a_zz_'],
    ['U__a_d800_', 'U__a_d800_'],
    ['U__a_1234567_', 'U__a_1234567_'],
    ['U__a_110000_', 'U__a_110000_'],
  ];
  for (const [text, name] of cases) it(`reads ${text} as ${name}`, () => assert.equal(unescapeLabelName(text), name));
});
