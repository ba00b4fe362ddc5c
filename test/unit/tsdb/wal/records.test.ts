import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { seededRandom } from '../../../../lib/env/index.ts';
import { type FloatHistogram, Labels, STALE_NAN } from '../../../../lib/model/index.ts';
import { encodeSamplesTwin } from '../../../../lib/kernels/twins/records.ts';
import type { WalCommit } from '../../../../lib/tsdb/wal/commit.ts';
import { CommitFramer } from '../../../../lib/tsdb/wal/commit.ts';
import { FLAG_ZSTD } from '../../../../lib/tsdb/wal/format.ts';
import { RecordDecoder } from '../../../../lib/tsdb/wal/record-decoder.ts';
import { temporaryDirectory } from '../environment.ts';
import { histogramsOf, kernels, logWriter, readLog, recorder, type Row, rowsOf, samplesOf, seriesOf } from './log.ts';
import { RandomCommits } from './random-commit.ts';

const HISTOGRAM: FloatHistogram = {
  integer: true,
  counterResetHint: 'not_reset',
  schema: 1,
  zeroThreshold: 0.001,
  zeroCount: 2,
  count: 300,
  sum: -1.5,
  positiveSpans: [
    { offset: -2, length: 2 },
    { offset: 1, length: 1 },
  ],
  negativeSpans: [{ offset: 0, length: 1 }],
  positiveBuckets: Float64Array.of(3, 1, 290),
  negativeBuckets: Float64Array.of(4),
  customValues: new Float64Array(0),
};

/** The records of a commit, uncompressed, as hexadecimal without their frames. */
function records(commit: WalCommit): string[] {
  const framer = new CommitFramer(kernels, false);
  framer.begin(0);
  framer.add(commit);
  const bytes = Buffer.from(framer.bytes);
  const out: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt16BE(at + 1);
    out.push(bytes.toString('hex', at + 7, at + 7 + length));
    at += 7 + length;
  }
  framer.release();
  return out;
}

/** Decodes one record. @returns its rows and what is wrong with it */
function decode(record: Uint8Array, flags = 0): { rows: Row[]; fault: string | undefined; skipped: object } {
  const rows: Row[] = [];
  const decoder = new RecordDecoder(kernels, recorder(rows));
  const address = kernels.arena.allocate(record.length);
  kernels.arena.u8.set(record, address);
  const fault = decoder.decode(address, record.length, flags);
  kernels.arena.free(address, record.length);
  decoder.release();
  return { rows, fault, skipped: decoder.skipped };
}

const unhex = (text: string): Uint8Array => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

/** What follows the type in a record of HISTOGRAM with ref 5 at 1000 ms. */
const ONE_HISTOGRAM = `
  0000000000000005 00000000000003e8 00 00
  02 02 3f50624dd2f1a9fc
  02 ac02 bff8000000000000
  02 0302 0201
  01 0001
  03 06 03 c204
  01 08`.replaceAll(/\s/g, '');

describe('tsdb: log records', function () {
  this.timeout(600_000);
  it('have the bytes of record.go', () => {
    assert.deepEqual(
      records({
        series: seriesOf([[1, Labels.of({ a: 'b' })]]),
        metadata: [{ ref: 300, metadata: { type: 'counter', unit: 's', help: '' } }],
        mmapMarkers: [{ ref: 2, file: 1, offsetBytes: 8 }],
        samples: samplesOf([[1, 1000, 1.5]]),
        histograms: histogramsOf([[5, 1000, HISTOGRAM]]),
        exemplars: [
          { ref: 1, exemplar: { labels: Labels.of({ t: 'x' }), value: STALE_NAN, timestampMs: -1 } },
          { ref: 3, exemplar: { labels: Labels.EMPTY, value: 2, timestampMs: 63 } },
        ],
        tombstones: [{ ref: 7, interval: { minTimeMs: -1, maxTimeMs: 2 ** 40 } }],
      }),
      [
        '01 0000000000000001 01 0161 0162',
        '06 ac02 01 02 04554e4954 0173 0448454c50 00',
        '05 0000000000000002 00000001 00000008',
        '02 0000000000000001 00000000000003e8 00 00 3ff8000000000000',
        `07 ${ONE_HISTOGRAM}`,
        '04 0000000000000001 ffffffffffffffff 00 00 7ff0000000000002 01 0174 0178 04 8001 4000000000000000 00',
        '03 0000000000000007 01 808080808040',
      ].map((text) => text.replaceAll(' ', '')),
    );
  });

  it('part histograms by kind, and count refs and times from the first of integer or float ones', () => {
    const { integer: _, ...float } = HISTOGRAM;
    const custom: FloatHistogram = {
      ...HISTOGRAM,
      schema: -53,
      negativeSpans: [],
      negativeBuckets: new Float64Array(0),
      customValues: Float64Array.of(1, 2),
    };
    const all = records({
      histograms: histogramsOf([
        [9, 100, float],
        [5, 1000, custom],
        [6, 1001, HISTOGRAM],
        [6, 1002, custom],
      ]),
    });
    assert.deepEqual(
      all.map((record) => [record.slice(0, 2), record.slice(2, 34), record.slice(34, 38)]),
      [
        ['07', '000000000000000500000000000003e8', '0202'],
        ['09', '000000000000000500000000000003e8', '0000'],
        ['08', '00000000000000090000000000000064', '0000'],
      ],
    );
    assert.ok(all[1]!.endsWith('023ff00000000000004000000000000000'), 'the custom bounds come last');
    assert.deepEqual(records({ histograms: histogramsOf([[5, 1000, custom]]) }).length, 1);
  });

  it('come back as they were written, with any values, in the order of the appender', async () => {
    const random = new RandomCommits(seededRandom(6));
    const commits = Array.from({ length: 400 }, () => random.commit());
    for (const compress of [false, true]) {
      const dir = temporaryDirectory((cleanUp) => after(cleanUp));
      const writer = logWriter(dir, { compress });
      for (const commit of commits.slice(0, 200)) writer.log(commit);
      writer.log(...commits.slice(200));
      await writer.close();
      const { rows, report } = await readLog(dir);
      assert.deepEqual(report.damage, []);
      assert.deepEqual(rows, commits.flatMap(rowsOf));
    }
  });

  it('split many rows over records that stay small', async () => {
    const dir = temporaryDirectory((cleanUp) => after(cleanUp));
    const writer = logWriter(dir, { compress: false });
    const commit: WalCommit = {
      series: seriesOf(Array.from({ length: 5000 }, (_, i) => [i + 1, Labels.of({ i: String(i) })] as const)),
      histograms: histogramsOf(Array.from({ length: 60_000 }, (_, i) => [i + 1, 1000 + i, HISTOGRAM] as const)),
    };
    writer.log(commit);
    await writer.close();
    const { rows, report } = await readLog(dir);
    assert.deepEqual(rows, rowsOf(commit));
    assert.ok(report.records >= 7, `${report.records} records`);
  });

  it('with the longest labels stay far below what a reader takes for damage', async () => {
    const dir = temporaryDirectory((cleanUp) => after(cleanUp));
    const writer = logWriter(dir);
    const labels = (i: number): Labels =>
      Labels.of(Array.from({ length: 40 }, (_, j) => [`l${j}`.padEnd(256, 'n'), String(i).padEnd(4096, 'ü')] as const));
    const series = seriesOf(Array.from({ length: 300 }, (_, i) => [i + 1, labels(i)] as const));
    writer.log({ series });
    await writer.close();
    const { rows, report } = await readLog(dir);
    assert.deepEqual(report.damage, []);
    assert.equal(rows.length, 300);
  });

  it('are read in versions that carry start times, which are dropped', () => {
    const samples = [
      { ref: 3, timeMs: 5000, value: 1.5, startMs: 10 },
      { ref: 4, timeMs: 5001, value: 2.5, startMs: 10 },
      { ref: 2, timeMs: 4999, value: 3.5, startMs: 0 },
      { ref: 9, timeMs: 5000, value: 4.5, startMs: 700 },
    ];
    assert.deepEqual(
      decode(encodeSamplesTwin(samples, 2)).rows,
      samples.map(({ ref, timeMs, value }) => ['sample', ref, timeMs, String(value)]),
    );
    const body = ONE_HISTOGRAM.slice(36);
    // Ref 5, time 1000 and start 16; then ref + 1, time + 2 without, the same again, and start 16 + 1.
    const second = decode(unhex(`0c 0a d00f 20 ${body} 02 04 00 ${body} 02 04 01 ${body} 01 00 02 02 ${body}`));
    assert.equal(second.fault, undefined);
    assert.deepEqual(
      second.rows.map(([, ref, time]) => [ref, time]),
      [
        [5, 1000],
        [6, 1002],
        [7, 1002],
        [6, 1000],
      ],
    );
    assert.equal(new Set(second.rows.map((row) => row[3])).size, 1);
  });

  it('are read when they are compressed with zstd', () => {
    const record = unhex('06 ac02 01 02 04554e4954 0173 0448454c50 00');
    assert.deepEqual(decode(zstdCompressSync(record), FLAG_ZSTD).rows, [['metadata', 300, 'counter', 's', '']]);
  });

  it('of another version are taken for what is known of them', () => {
    // A field that nobody knows, and a metric type.
    assert.deepEqual(decode(unhex('06 01 63 03 034e4557 0161 0448454c50 0168 04554e4954 0173')).rows, [
      ['metadata', 1, 'unknown', 's', 'h'],
    ]);
    // Between two histograms, one of a schema that nobody knows, and one finer than any in use: -11 and 16.
    const body = ONE_HISTOGRAM.slice(32);
    const base = `07 ${ONE_HISTOGRAM.slice(0, 32)}`;
    const ofSchema = (schema: string): string => body.slice(0, 6) + schema + body.slice(8);
    const { rows } = decode(unhex(`${base} ${body} ${ofSchema('15')} ${ofSchema('20')} ${body}`));
    assert.equal(rows.length, 3);
    assert.equal(rows[0]![3], rows[2]![3]);
    assert.match(rows[1]![3] as string, /"schema":"8"/);
    assert.deepEqual(decode(unhex('63 00')).skipped, { unknown: 1 });
    assert.deepEqual(decode(new Uint8Array(0)).skipped, { unknown: 1 });
    // No rows at all, as Prometheus may write.
    for (const type of ['01', '02', '03', '04', '05', '06', '07', '08', '09', '0a', '0b', '0c', '0d']) {
      assert.deepEqual(decode(unhex(type)), { rows: [], fault: undefined, skipped: {} });
    }
  });

  it('keep integer histograms with counts beyond 2^53 as float histograms', () => {
    const huge = unhex(`07 ${ONE_HISTOGRAM.replace('ac02bff8', 'ffffffffffffffffff01bff8')}`);
    const [row] = decode(huge).rows;
    const text = row![3] as string;
    assert.ok(text.includes('"count":"18446744073709552000"'), text);
    assert.ok(!text.includes('integer'));
  });

  it('move the times of tombstones to what a sample can have', () => {
    const least = 'ffffffffffffffffff01';
    const most = 'feffffffffffffffff01';
    assert.deepEqual(decode(unhex(`03 0000000000000001 ${least} ${most}`)).rows, [
      ['tombstone', 1, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    ]);
  });

  const malformed: Record<string, string> = {
    'a label count that cannot be': '01 0000000000000001 ffffffff0f 0161',
    'a label length that cannot be': '01 0000000000000001 01 ffffffffffffffffff01 61 00',
    'a varint without an end': '01 0000000000000001 ffffffffffffffffffff',
    'a varint beyond 64 bits': '06 ffffffffffffffffff02 01 00',
    'a series ref of 0': '01 0000000000000000 00',
    'a series ref beyond 32 bits': '01 0000000100000000 00',
    'an exemplar ref below 1': '04 0000000000000001 0000000000000000 01 00 0000000000000000 00',
    'an exemplar time beyond 2^53': '04 0000000000000001 7fffffffffffffff 00 00 0000000000000000 00',
    'a span count that cannot be': `07 ${ONE_HISTOGRAM}`.replace('020302', 'ffffff7f0302'),
    'a bucket count that cannot be': `07 ${ONE_HISTOGRAM}`.replace('030603', 'ffffff7f0603'),
    'more buckets than its spans say': `07 ${ONE_HISTOGRAM}`.replace('0201010001', '0202010001'),
    'spans that are longer than all memory': `07 ${ONE_HISTOGRAM}`.replace('0201010001', '02ffffff7f010001'),
    'metadata fields that are not there': '06 01 01 ff01 0161 0162',
    'half a marker': '05 0000000000000002 00000001',
    'half a tombstone': '03 0000000000000007 01',
  };
  for (const [name, text] of Object.entries(malformed)) {
    it(`with ${name} are malformed, and nothing of them is taken`, () => {
      const { rows, fault } = decode(unhex(text));
      assert.match(fault ?? 'none', /^a malformed \w+ record$/);
      assert.deepEqual(rows, []);
    });
  }

  it('are never taken in part when they are cut off, and never crash', () => {
    const random = new RandomCommits(seededRandom(7));
    for (let i = 0; i < 30; i++) {
      const commit = random.commit();
      for (const text of records(commit)) {
        const bytes = unhex(text);
        for (let length = 1; length < bytes.length; length++) {
          const { rows, fault } = decode(bytes.subarray(0, length));
          if (fault !== undefined) assert.deepEqual(rows, []);
        }
        const hurt = Uint8Array.from(bytes);
        for (let flips = 0; flips < 50; flips++) {
          hurt.set(bytes);
          hurt[random.below(bytes.length)]! ^= 1 << random.below(8);
          const { rows, fault } = decode(hurt);
          if (fault !== undefined) assert.deepEqual(rows, []);
        }
      }
    }
  });

  it('of a log are read in one arena again and again without growing it', async () => {
    const dir = temporaryDirectory((cleanUp) => after(cleanUp));
    const writer = logWriter(dir);
    const random = new RandomCommits(seededRandom(8));
    for (let i = 0; i < 50; i++) writer.log(random.commit());
    await writer.close();
    assert.ok(readFileSync(join(dir, 'wal', '00000000')).length > 1000);
    await readLog(dir);
    const used = kernels.arena.usedBytes;
    for (let i = 0; i < 3; i++) await readLog(dir);
    assert.equal(kernels.arena.usedBytes, used);
  });
});
