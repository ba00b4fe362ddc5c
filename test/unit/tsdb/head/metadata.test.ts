import assert from 'node:assert/strict';
import { seededRandom } from '../../../../lib/env/index.ts';
import { createKernels } from '../../../../lib/kernels/index.ts';
import type { Metadata } from '../../../../lib/storage/index.ts';
import { MetadataTable } from '../../../../lib/tsdb/head/metadata.ts';
import { RefColumn } from '../../../../lib/tsdb/head/ref-column.ts';

const { arena } = createKernels();
const counter: Metadata = { type: 'counter', unit: 'seconds', help: 'Time spent.' };

describe('tsdb: metadata of series', () => {
  it('is the latest that was set', () => {
    const table = new MetadataTable(arena);
    assert.equal(table.get(5), undefined);
    assert.equal(table.has(5, counter), false);
    table.set(5, counter);
    assert.ok(table.has(5, { ...counter }));
    table.set(5, { ...counter, help: 'Changed.' });
    assert.deepEqual(table.get(5), { ...counter, help: 'Changed.' });
    assert.equal(table.has(5, counter), false);
  });

  it('is held once for all series that share it, and not when none does', () => {
    const table = new MetadataTable(arena);
    for (let ref = 1; ref <= 5000; ref++) table.set(ref, { ...counter });
    assert.deepEqual([table.numSeries, table.numEntries], [5000, 1]);
    for (let ref = 1; ref <= 5000; ref++) table.set(ref, { ...counter, unit: 'bytes' });
    assert.deepEqual([table.numSeries, table.numEntries], [5000, 1]);
    for (let ref = 1; ref <= 5000; ref++) table.delete(ref);
    assert.deepEqual([table.numSeries, table.numEntries, table.get(1)], [0, 0, undefined]);
  });

  it('tells texts apart by field', () => {
    const table = new MetadataTable(arena);
    table.set(1, { type: 'a', unit: 'b', help: '' });
    table.set(2, { type: 'a', unit: '', help: 'b' });
    table.set(3, { type: 'ab', unit: '', help: '' });
    assert.equal(table.numEntries, 3);
  });

  it('is listed by metric name, each text once', () => {
    const table = new MetadataTable(arena);
    const names = ['', 'a', 'a', 'b', 'a'];
    for (const ref of [1, 2, 3]) table.set(ref, counter);
    table.set(4, { ...counter, help: 'Other.' });
    assert.deepEqual(
      [...table.byMetric((ref) => names[ref]!)],
      [
        ['a', [counter, { ...counter, help: 'Other.' }]],
        ['b', [counter]],
      ],
    );
  });
});

describe('tsdb: a column by series', () => {
  it('holds what a map would, and no page without values', () => {
    const random = seededRandom(4);
    const column = new RefColumn(arena);
    const model = new Map<number, number>();
    const usedBytes = arena.usedBytes;
    for (let step = 0; step < 20_000; step++) {
      const ref = Math.floor(random() * 20_000);
      const value = random() < 0.4 ? 0 : Math.floor(random() * 2 ** 32);
      column.set(ref, value);
      if (value === 0) model.delete(ref);
      else model.set(ref, value);
      assert.equal(column.get(ref), value);
      assert.equal(column.size, model.size);
    }
    assert.deepEqual(
      [...column.entries()],
      [...model].sort((a, b) => a[0] - b[0]),
    );
    for (const [ref] of column.entries()) column.set(ref, 0);
    assert.equal(column.size, 0);
    assert.deepEqual([...column.entries()], []);
    assert.ok(arena.usedBytes <= usedBytes + 512, `${arena.usedBytes - usedBytes} bytes`);
    assert.equal(column.get(2 ** 31), 0);
  });
});
