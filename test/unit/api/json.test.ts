import assert from 'node:assert/strict';
import type { Piece } from '../../../lib/api/index.ts';
import { exemplarsData } from '../../../lib/api/exemplars-json.ts';
import { labelSetsData, packedTextsData, queryData, stringsData } from '../../../lib/api/json.ts';
import { stringJson, valueJson } from '../../../lib/api/json-strings.ts';
import { unescapeLabelName } from '../../../lib/api/params.ts';
import { seededRandom } from '../../../lib/env/index.ts';
import { type FloatHistogram, Labels, PackedTexts } from '../../../lib/model/index.ts';
import type { MatrixSeries, QueryValue, VectorSample } from '../../../lib/promql/index.ts';
import { pieceText } from '../../tools/piece-text.ts';
import { plainLabels, plainQueryData, plainString } from '../../tools/plain-json.ts';

function packedTexts(strings: readonly string[]): PackedTexts {
  let end = 0;
  const ends = Uint32Array.from(strings, (text) => (end += Buffer.byteLength(text)));
  return new PackedTexts(Buffer.from(strings.join('')), ends);
}

const textOf = (value: QueryValue) => pieceText(queryData(value));

describe('api: JSON', () => {
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
    const lengths = Array.from(queryData(value), (piece) => piece.length);
    assert.ok(lengths.length > 10 && lengths.every((length) => length < 200_000));
    assert.equal(textOf(value), plainQueryData(value));
  });

  it('keeps answers apart that are taken in turns, each piece until the next of its answer', () => {
    const lists = [0, 1, 2].map((k) => Array.from({ length: 40_000 }, (_, i) => `${k}:${i}`));
    const answers = lists.map((strings) => ({ pieces: stringsData(strings), held: '' as Piece, text: '' }));
    for (let open = answers.length; open > 0;) {
      open = 0;
      for (const answer of answers) {
        answer.text += pieceText([answer.held]);
        const next = answer.pieces.next();
        answer.held = next.done === true ? '' : next.value;
        if (next.done !== true) open++;
      }
    }
    for (const [k, { text }] of answers.entries()) assert.equal(text, JSON.stringify(lists[k]));
  });

  it('writes texts that are longer than a piece', () => {
    const texts = ['x'.repeat(1_000_000), 'ü"'.repeat(300_000), 'y'.repeat(190_000), '', 'z'];
    assert.equal(pieceText(stringsData(texts)), JSON.stringify(texts));
    const labels = Labels.of({ a: texts[0]!, b: texts[1]!, c: 'd' });
    assert.equal(pieceText(labelSetsData([labels, labels])), `[${plainLabels(labels)},${plainLabels(labels)}]`);
  });

  it('writes exemplars', () => {
    const labels = Labels.of({ a: 'b' });
    const exemplar = { labels: Labels.of({ trace: '1' }), value: 1e-7, timestampMs: 1_500 };
    const text = pieceText(exemplarsData([{ labels, exemplars: [exemplar, exemplar] }]));
    const one = '{"labels":{"trace":"1"},"value":"1e-07","timestamp":1.500}';
    assert.equal(text, `[{"seriesLabels":{"a":"b"},"exemplars":[${one},${one}]}]`);
  });

  describe('as a plain writer does', () => {
    const random = seededRandom(5);
    const below = (n: number): number => Math.floor(random() * n);
    const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
    const texts = [
      '',
      'plain',
      'a"b',
      'back\\slash',
      'line\n',
      '\u0000',
      '\x7f',
      'ü',
      '😀',
      '\ud800',
      '\udc80x',
      '</script>',
    ];
    const someText = (): string => pick(texts) + pick(texts) + String(below(100));
    const someLabels = (): Labels =>
      Labels.of(Array.from({ length: below(5) }, () => [someText(), someText()] as const));
    const someValue = (): number =>
      pick([
        NaN,
        Infinity,
        -Infinity,
        -0,
        below(10),
        below(1e9),
        random(),
        -random() * 1e-9,
        random() * 1e25,
        below(99) / 10,
      ]);
    const someTimes = (count: number): Float64Array => {
      const startMs = pick([0, -5_000, 1_699_920_000_000, 1_699_920_000_123]);
      const stepMs = pick([1, 15, 1_000, 15_000, 86_400_000]);
      return Float64Array.from({ length: count }, (_, i) => startMs + i * stepMs);
    };
    const someHistogram = (): FloatHistogram => ({
      ...histogram,
      count: someValue(),
      sum: someValue(),
      schema: below(8),
    });
    const someSeries = (): MatrixSeries => {
      const timestamps = someTimes(random() < 0.1 ? below(3_000) : below(5));
      const plain = { labels: someLabels(), timestamps, values: timestamps.map(someValue) };
      if (random() < 0.7) return plain;
      const histograms = Array.from(timestamps, () => (random() < 0.5 ? someHistogram() : undefined));
      return { ...plain, histograms };
    };
    const someSample = (): VectorSample => {
      const sample = { labels: someLabels(), timestampMs: someTimes(1)[0]!, value: someValue() };
      return random() < 0.2 ? { ...sample, histogram: someHistogram() } : sample;
    };

    it('writes matrices', () => {
      for (let round = 0; round < 60; round++) {
        const value: QueryValue = { type: 'matrix', series: Array.from({ length: below(20) }, someSeries) };
        assert.equal(textOf(value), plainQueryData(value));
      }
    });

    it('writes vectors', () => {
      for (let round = 0; round < 60; round++) {
        const samples = Array.from({ length: below(round === 0 ? 5_000 : 20) }, someSample);
        const value: QueryValue = { type: 'vector', samples };
        assert.equal(textOf(value), plainQueryData(value));
      }
    });

    it('writes scalars and strings', () => {
      for (let round = 0; round < 200; round++) {
        const timestampMs = someTimes(1)[0]!;
        const scalar: QueryValue = { type: 'scalar', timestampMs, value: someValue() };
        const string: QueryValue = { type: 'string', timestampMs, value: someText() };
        assert.equal(textOf(scalar), plainQueryData(scalar));
        assert.equal(textOf(string), plainQueryData(string));
      }
    });

    it('writes texts that are packed, however many and long they are', () => {
      for (let round = 0; round < 60; round++) {
        const bytes = (): string => String.fromCharCode(...Array.from({ length: below(20) }, () => below(260)));
        const some = [bytes, bytes, someText, () => 'x'.repeat(below(round % 10 === 0 ? 20_000 : 30))];
        // Mostly those that go as they are.
        const plain = round % 3 === 0 ? 0.5 : 0.99;
        const strings = Array.from({ length: below(4000) }, () =>
          (random() < plain ? `/pods/${below(1e9)}` : pick(some)()).toWellFormed(),
        );
        const packed = packedTexts(strings);
        assert.equal(pieceText(packedTextsData(packed)), `[${strings.map(plainString).join(',')}]`);
        assert.deepEqual(packed.strings(), strings);
        const few = below(strings.length + 10);
        assert.equal(pieceText(packedTextsData(packed.first(few))), pieceText(stringsData(strings.slice(0, few))));
      }
    });

    it('writes strings and label sets', () => {
      const strings = Array.from({ length: 500 }, someText);
      assert.equal(pieceText(stringsData(strings)), `[${strings.map(plainString).join(',')}]`);
      const sets = Array.from({ length: 500 }, someLabels);
      assert.equal(pieceText(labelSetsData(sets)), `[${sets.map(plainLabels).join(',')}]`);
    });
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
