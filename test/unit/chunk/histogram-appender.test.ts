import assert from 'node:assert/strict';
import { createKernels, layout } from '../../../lib/kernels/index.ts';
import { type FloatHistogram, SampleColumns, STALE_NAN } from '../../../lib/model/index.ts';
import { ChunkDecoder } from '../../../lib/chunk/decoder.ts';
import { type CutReason, HistogramChunkAppender, HistogramScratch } from '../../../lib/chunk/histogram-appender.ts';

const FIRST_MS = 1_700_000_000_000;
const NONE = new Float64Array(0);

/** Buckets 0 and 1 hold 2 and 3. */
const BASE: FloatHistogram = {
  counterResetHint: 'unknown',
  schema: 0,
  zeroThreshold: 0.5,
  zeroCount: 1,
  count: 10,
  sum: 20,
  positiveSpans: [{ offset: 0, length: 2 }],
  negativeSpans: [],
  positiveBuckets: Float64Array.of(2, 3),
  negativeBuckets: NONE,
  customValues: NONE,
};
const STALE: FloatHistogram = { ...BASE, count: 0, zeroCount: 0, sum: STALE_NAN };
const GAUGE: FloatHistogram = { ...BASE, counterResetHint: 'gauge' };
const CUSTOM: FloatHistogram = {
  ...BASE,
  schema: -53,
  zeroThreshold: 0,
  zeroCount: 0,
  customValues: Float64Array.of(1),
};

const HEADERS: Record<number, string> = { 0x00: 'unknown', 0x40: 'not reset', 0x80: 'reset', 0xc0: 'gauge' };

describe('tsdb: the histogram appender', function () {
  this.timeout(600_000);
  const kernels = createKernels();
  const { arena } = kernels;
  const scratch = new HistogramScratch(kernels);
  const decoder = new ChunkDecoder(kernels);

  /** An appender, of integers or floats, that holds the samples in one chunk. */
  function opened(integer: boolean, ...histograms: readonly FloatHistogram[]): HistogramChunkAppender {
    const appender = new HistogramChunkAppender(scratch);
    histograms.forEach((histogram, i) => {
      if (i === 0) appender.cut(FIRST_MS, kind(integer, histogram), 'first');
      else assert.ok(appender.append(FIRST_MS + i, kind(integer, histogram)), `sample ${i}`);
    });
    return appender;
  }

  function bytesOf({ block, sizeBytes }: HistogramChunkAppender): Uint8Array {
    return arena.u8.slice(block + layout.CHUNK_DATA, block + layout.CHUNK_DATA + sizeBytes);
  }

  function stateOf(appender: HistogramChunkAppender): object {
    const { encoding, block, capacityBytes, bits, samples } = appender;
    return { encoding, block, capacityBytes, bits, samples, bytes: bytesOf(appender) };
  }

  function samplesOf(appender: HistogramChunkAppender): readonly FloatHistogram[] {
    const columns = new SampleColumns();
    decoder.decode(appender.encoding, bytesOf(appender), -Infinity, Infinity, columns);
    return columns.histograms as FloatHistogram[];
  }

  /** The header of the chunk that a sample begins. */
  function headerAfter(appender: HistogramChunkAppender, histogram: FloatHistogram, reason: CutReason): string {
    const { block, blockBytes } = appender;
    appender.cut(FIRST_MS + 1000, histogram, reason);
    arena.free(block, blockBytes);
    return HEADERS[bytesOf(appender)[2]!]!;
  }

  const refusals: [name: string, last: FloatHistogram, next: FloatHistogram, integers: string, floats: string][] = [
    ['a smaller count', BASE, { ...BASE, count: 9 }, 'reset', 'reset'],
    // The count is looked at first.
    ['a smaller count at another schema', BASE, { ...BASE, count: 9, schema: 1 }, 'reset', 'reset'],
    ['another schema', BASE, { ...BASE, schema: 1 }, 'unknown', 'unknown'],
    ['another zero threshold', BASE, { ...BASE, zeroThreshold: 0.25 }, 'unknown', 'unknown'],
    ['a smaller zero count', BASE, { ...BASE, zeroCount: 0 }, 'reset', 'reset'],
    ['a smaller bucket', BASE, { ...BASE, positiveBuckets: Float64Array.of(2, 2) }, 'reset', 'reset'],
    [
      'a bucket that is gone',
      BASE,
      { ...BASE, positiveSpans: [{ offset: 0, length: 1 }], positiveBuckets: Float64Array.of(9) },
      'reset',
      'reset',
    ],
    ['the hint of a reset', BASE, { ...BASE, counterResetHint: 'reset' }, 'reset', 'reset'],
    ['a stale marker with that hint', BASE, { ...STALE, counterResetHint: 'reset' }, 'reset', 'reset'],
    ['the end of staleness', STALE, BASE, 'unknown', 'unknown'],
    ['other bounds', CUSTOM, { ...CUSTOM, customValues: Float64Array.of(2) }, 'reset', 'reset'],
    ['a gauge', BASE, GAUGE, 'gauge', 'gauge'],
    // What Prometheus says here differs between its two appenders.
    ['a counter behind a gauge', GAUGE, BASE, 'not reset', 'unknown'],
    ['a stale marker behind a gauge', GAUGE, STALE, 'not reset', 'unknown'],
    ['a gauge at another schema', GAUGE, { ...GAUGE, schema: 1 }, 'gauge', 'gauge'],
    ['a gauge behind a stale one', { ...STALE, counterResetHint: 'gauge' }, GAUGE, 'gauge', 'gauge'],
  ];
  for (const [name, last, next, integers, floats] of refusals) {
    it(`refuses ${name}, which changes nothing, and marks the chunk that it begins`, () => {
      for (const [integer, header] of [
        [true, integers],
        [false, floats],
      ] as const) {
        const appender = opened(integer, last);
        const before = stateOf(appender);
        assert.equal(appender.append(FIRST_MS + 1, kind(integer, next)), false);
        assert.deepEqual(stateOf(appender), before);
        assert.equal(headerAfter(appender, kind(integer, next), 'refused'), header, integer ? 'integers' : 'floats');
        assert.equal(appender.samples, 1);
      }
    });
  }

  it('lets nothing but stale markers go on behind one', () => {
    for (const sample of [BASE, GAUGE]) {
      const stale = { ...STALE, counterResetHint: sample.counterResetHint };
      const appender = opened(true, sample, stale, stale);
      assert.equal(appender.append(FIRST_MS + 3, kind(true, sample)), false);
      assert.equal(appender.samples, 3);
    }
  });

  it('refuses the other kind of counts', () => {
    assert.equal(opened(true, BASE).append(FIRST_MS + 1, kind(false, BASE)), false);
    assert.equal(headerAfter(opened(true, BASE), kind(false, { ...BASE, count: 9 }), 'refused'), 'unknown');
    assert.equal(headerAfter(opened(false, BASE), kind(true, { ...BASE, count: 9 }), 'full'), 'unknown');
  });

  it('marks what follows a full chunk by whether it goes on', () => {
    for (const integer of [true, false]) {
      const after = (last: FloatHistogram, next: FloatHistogram): string =>
        headerAfter(opened(integer, last), kind(integer, next), 'full');
      assert.equal(after(BASE, BASE), 'not reset');
      assert.equal(after(BASE, { ...BASE, count: 9 }), 'reset');
      assert.equal(after(BASE, { ...BASE, counterResetHint: 'reset' }), 'reset');
      assert.equal(after(GAUGE, { ...BASE, counterResetHint: 'reset' }), 'reset');
      assert.equal(after(GAUGE, BASE), 'not reset');
      assert.equal(after(BASE, GAUGE), 'gauge');
      assert.equal(after(BASE, { ...BASE, schema: 1 }), integer ? 'unknown' : 'not reset');
    }
  });

  it('expands the chunk for new buckets, with the spans of the sample', () => {
    for (const integer of [true, false]) {
      // Two spans where one would do: they are kept as they came.
      const positiveSpans = [
        { offset: -1, length: 1 },
        { offset: 0, length: 3 },
      ];
      const wider = { ...BASE, positiveSpans, positiveBuckets: Float64Array.of(0, 2, 4, 1) };
      const samples = samplesOf(opened(integer, BASE, BASE, wider));
      assert.deepEqual(
        samples.map((sample) => sample.positiveSpans),
        [positiveSpans, positiveSpans, positiveSpans],
      );
      assert.deepEqual(
        samples.map((sample) => [...sample.positiveBuckets]),
        [
          [0, 2, 3, 0],
          [0, 2, 3, 0],
          [0, 2, 4, 1],
        ],
      );
    }
  });

  it('expands the sample for empty buckets that it left out', () => {
    for (const integer of [true, false]) {
      const first = { ...BASE, positiveBuckets: Float64Array.of(0, 3) };
      const next = { ...BASE, positiveSpans: [{ offset: 1, length: 1 }], positiveBuckets: Float64Array.of(4) };
      const samples = samplesOf(opened(integer, first, next));
      assert.deepEqual([...samples[1]!.positiveBuckets], [0, 4]);
      assert.deepEqual(samples[1]!.positiveSpans, BASE.positiveSpans);
    }
  });

  it('merges spans where both lack buckets, of a counter on that side only', () => {
    const first = { ...BASE, positiveBuckets: Float64Array.of(0, 3) };
    const split = [
      { offset: 1, length: 1 },
      { offset: 0, length: 1 },
    ];
    for (const integer of [true, false]) {
      // On the positive side the sample lacks bucket 0 and has a new bucket 2; its negative ones are all new.
      const next = {
        ...BASE,
        positiveSpans: split,
        positiveBuckets: Float64Array.of(3, 1),
        negativeSpans: split,
        negativeBuckets: Float64Array.of(1, 1),
      };
      const counters = samplesOf(opened(integer, first, next));
      assert.deepEqual(counters[0]!.positiveSpans, [{ offset: 0, length: 3 }]);
      assert.deepEqual(counters[0]!.negativeSpans, split);
      assert.deepEqual([...counters[1]!.positiveBuckets], [0, 3, 1]);
      const gauges = samplesOf(opened(integer, gauge(first), gauge(next)));
      assert.deepEqual(gauges[0]!.positiveSpans, [{ offset: 0, length: 3 }]);
      assert.deepEqual(gauges[0]!.negativeSpans, [{ offset: 1, length: 2 }]);
    }
  });

  it('keeps gauges together whatever comes and goes', () => {
    const next = { ...GAUGE, count: 1, positiveSpans: [{ offset: 3, length: 1 }], positiveBuckets: Float64Array.of(1) };
    const samples = samplesOf(opened(true, GAUGE, next, GAUGE));
    assert.deepEqual(
      samples.map(({ counterResetHint }) => counterResetHint),
      ['gauge', 'gauge', 'gauge'],
    );
    assert.deepEqual(
      samples.map((sample) => [...sample.positiveBuckets]),
      [
        [2, 3, 0],
        [0, 0, 1],
        [2, 3, 0],
      ],
    );
    assert.deepEqual(samples[0]!.positiveSpans, [
      { offset: 0, length: 2 },
      { offset: 1, length: 1 },
    ]);
  });

  it('describes the open chunk as the series records do, wherever it moved to', () => {
    const appender = opened(true, BASE);
    for (let i = 1; i < 3000; i++) {
      assert.ok(appender.append(FIRST_MS + i, kind(true, { ...BASE, count: 10 + i * i * 997 })));
      assert.ok(appender.sizeBytes <= appender.capacityBytes);
    }
    const bytes = bytesOf(appender);
    assert.equal((bytes[0]! << 8) | bytes[1]!, appender.samples);
    assert.equal(appender.samples, 3000);
    assert.equal(samplesOf(appender).at(-1)!.count, 10 + 2999 ** 2 * 997);
  });

  it('takes no more samples than a chunk can count', () => {
    const appender = opened(true, BASE);
    for (let i = 1; i < 0xffff; i++) assert.ok(appender.append(FIRST_MS + i, kind(true, BASE)));
    assert.equal(appender.append(FIRST_MS + 0xffff, kind(true, BASE)), false);
  });

  it('gives back all memory but the blocks it left to the caller', () => {
    const usedBytes = arena.usedBytes;
    const own = new HistogramScratch(kernels);
    const appender = new HistogramChunkAppender(own);
    appender.cut(FIRST_MS, BASE, 'first');
    const positiveSpans = [{ offset: 0, length: 60 }];
    assert.ok(appender.append(FIRST_MS + 1, { ...BASE, positiveSpans, positiveBuckets: new Float64Array(60).fill(5) }));
    const { block, blockBytes } = appender;
    appender.cut(FIRST_MS + 2, BASE, 'full');
    arena.free(block, blockBytes);
    arena.free(appender.block, appender.blockBytes);
    appender.close();
    own.release();
    assert.equal(arena.usedBytes, usedBytes);
  });
});

function kind(integer: boolean, histogram: FloatHistogram): FloatHistogram {
  return integer ? { ...histogram, integer } : histogram;
}

function gauge(histogram: FloatHistogram): FloatHistogram {
  return { ...histogram, counterResetHint: 'gauge' };
}
