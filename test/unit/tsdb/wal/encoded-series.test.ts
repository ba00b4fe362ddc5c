import assert from 'node:assert/strict';
import { seededRandom } from '../../../../lib/env/index.ts';
import { createKernels } from '../../../../lib/kernels/index.ts';
import { Labels } from '../../../../lib/model/index.ts';
import { readLabels } from '../../../../lib/tsdb/wal/labels-field.ts';
import { RecordReader } from '../../../../lib/tsdb/wal/record-reader.ts';
import { RecordWriter } from '../../../../lib/tsdb/wal/record-writer.ts';
import { decodeSeries, encodeSeries, scanSeries } from '../../../../lib/tsdb/wal/series-record.ts';

describe('tsdb log: series records whose labels stay where they are', () => {
  const { arena } = createKernels();
  const sets = [
    Labels.of({ a: '1' }),
    Labels.of({ __name__: 'm', job: 'x'.repeat(200), zone: 'ü🚀' }),
    Labels.EMPTY,
    Labels.of({ b: '2', c: '3' }),
  ];
  const out = new RecordWriter(arena);
  encodeSeries([0, 1, 2, 3], (ref) => sets[ref]!, 0, out);
  // Refs begin at 1.
  const record = arena.u8.slice(out.address, out.address + out.length);
  record[8] = 200;

  /** Both ways give the same rows, or both refuse. */
  function check(bytes: Uint8Array): boolean {
    const decoded = decodeSeries(bytes);
    const scanned = scanSeries(bytes)?.map(({ ref, labels }) => {
      const reader = new RecordReader(labels);
      const row = { ref, labels: readLabels(reader).pairs };
      assert.ok(!reader.failed && !reader.hasMore, 'nothing but the labels');
      return row;
    });
    assert.deepEqual(
      scanned,
      decoded?.map(({ ref, labels }) => ({ ref, labels: labels.pairs })),
    );
    return decoded !== undefined;
  }

  it('are those that decoding gives', () => {
    assert.ok(check(record));
    assert.equal(scanSeries(record)!.length, 4);
  });

  it('are refused where decoding refuses: at any length, with any byte another', () => {
    const random = seededRandom(4);
    let refused = 0;
    for (let length = 1; length < record.length; length++) if (!check(record.subarray(0, length))) refused++;
    assert.ok(refused > record.length - 10);
    for (let at = 1; at < record.length; at++) {
      const hurt = record.slice();
      hurt[at] = random() * 256;
      check(hurt);
    }
  });
});
