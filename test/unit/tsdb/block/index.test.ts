import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFileSystem } from '../../../../lib/env/index.ts';
import { compareUtf8, Labels } from '../../../../lib/model/index.ts';
import { IndexSeries } from '../../../../lib/tsdb/block/index-series.ts';
import { Window, WindowFile } from '../../../../lib/tsdb/block/window-file.ts';
import { kernels, symbolsOf } from './harness.ts';
import { type Entry, listOf, openIndex, randomEntries, writeIndex } from './index-harness.ts';

describe('tsdb: the index of a block', function () {
  this.timeout(600_000);
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-index-'));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  const write = (name: string, ...content: [readonly Entry[], readonly string[], number?]): Promise<string> =>
    writeIndex(join(dir, name), ...content);

  it('gives back every series, symbol and posting of a few thousand random series', async () => {
    const entries = randomEntries(3000, 7);
    const symbols = symbolsOf(entries.map(({ labels }) => labels));
    const path = await write('random', entries, symbols);
    // Two pages of cache: nearly every read goes to the file.
    for (const maxBytes of [undefined, 1]) {
      const reader = openIndex(path, maxBytes);
      const refs = reader.allPostings();
      assert.equal(refs.length, entries.length);
      const series = new IndexSeries();
      for (const [i, ref] of refs.entries()) {
        reader.series(ref, series);
        assert.deepEqual(reader.labels(series).pairs, entries[i]!.labels.pairs);
        assert.deepEqual(listOf(series.chunks), entries[i]!.chunks);
      }
      const refOf = new Map(entries.map(({ labels }, i) => [labels.key, refs[i]!]));
      const names = [...new Set(entries.flatMap(({ labels }) => [...labels].map(([name]) => name)))].sort(compareUtf8);
      assert.deepEqual(reader.labelNames(), names);
      for (const name of names) {
        const having = entries.filter(({ labels }) => labels.has(name));
        const values = [...new Set(having.map(({ labels }) => labels.get(name)))].sort(compareUtf8);
        assert.deepEqual(reader.labelValues(name), values);
        assert.equal(reader.valueCount(name), values.length);
        for (const value of values) {
          const wanted = having.filter(({ labels }) => labels.get(name) === value);
          assert.deepEqual(
            [...reader.postings(name, value)],
            wanted.map(({ labels }) => refOf.get(labels.key)),
          );
          assert.equal(reader.postings(name, `${value}\0`).length, 0);
        }
      }
      assert.equal(reader.postings('none', 'x').length, 0);
      reader.close();
    }
  });

  it('is the same however few postings are sorted at a time', async () => {
    const entries = randomEntries(300, 8);
    const symbols = symbolsOf(entries.map(({ labels }) => labels));
    const whole = readFileSync(await write('whole', entries, symbols));
    for (const batchRefs of [1, 7, 299, 600]) {
      assert.ok(readFileSync(await write(`batch-${batchRefs}`, entries, symbols, batchRefs)).equals(whole));
    }
  });

  it('finds values that begin with a prefix, and none else', async () => {
    const values = Array.from({ length: 500 }, (_, i) => `v${i}`)
      .concat('', 'w', 'w'.repeat(20_000), 'é', '\u{10000}', '\uffff')
      .filter(Boolean);
    const entries = values
      .map((value): Entry => ({ labels: Labels.of({ __name__: 'm', value }), chunks: [[0, 1, 0, 8]] }))
      .sort((a, b) => a.labels.compare(b.labels))
      .map(({ labels }, i): Entry => ({ labels, chunks: [[0, 1, 0, 8 + i]] }));
    const reader = openIndex(await write('prefix', entries, symbolsOf(entries.map(({ labels }) => labels))));
    for (const prefix of ['', 'v', 'v1', 'v49', 'v499', 'v5', 'u', 'w', 'x', 'é', '\uffff', '\u{10000}']) {
      const seen: string[] = [];
      const refs = reader.postingsWhere('value', { prefix, accepts: (value) => seen.push(value) % 2 === 0 }, {});
      const wanted = values.filter((value) => value.startsWith(prefix)).sort(compareUtf8);
      assert.deepEqual(seen, wanted, prefix);
      assert.equal(refs.length, Math.floor(wanted.length / 2));
    }
    reader.close();
  });

  it('keeps symbols that no series uses', async () => {
    const entries: Entry[] = [{ labels: Labels.of({ a: 'b' }), chunks: [[5, 6, 0, 8]] }];
    const path = await write('unused', entries, ['', 'a', 'b', 'c']);
    const reader = openIndex(path);
    const window = new Window(kernels);
    const file = new WindowFile(nodeFileSystem, path, window);
    assert.deepEqual([...reader.symbols.all(file)], ['', 'a', 'b', 'c']);
    assert.throws(() => reader.symbols.lookup(4), { code: 'storage/bad-block' });
    file.close();
    window.release();
    reader.close();
  });

  it('writes and reads an index without series', async () => {
    const reader = openIndex(await write('empty', [], []));
    assert.deepEqual([reader.labelNames(), [...reader.allPostings()]], [[], []]);
    reader.close();
  });

  it('lays a series out as the format note says', async () => {
    const path = await write(
      'example',
      [
        {
          labels: Labels.of({ a: 'b' }),
          chunks: [
            [1000, 61_000, 0, 8],
            [62_000, 62_000, 0, 40],
          ],
        },
      ],
      ['', 'a', 'b'],
    );
    const bytes = readFileSync(path);
    assert.equal(bytes.subarray(0, 5).toString('hex'), 'baaad70002');
    assert.equal(bytes.subarray(5, 18).toString('hex'), ['00000009', '00000003', '00', '0161', '0162'].join(''));
    // Its length, one label, two chunks: 1000 and 60,000 behind it at 8, 1000 and 0 behind it at 32 further.
    assert.equal(
      bytes.subarray(32, 47).toString('hex'),
      ['0e', '010102', '02', 'd00f', 'e0d403', '08', 'e807', '00', '40'].join(''),
    );
  });

  it('refuses series and symbols that are out of order, and texts that are no symbols', async () => {
    let attempts = 0;
    const attempt = (entries: readonly Entry[], symbols: readonly string[]): Promise<string> =>
      write(`refused-${attempts++}`, entries, symbols);
    const b: Entry = { labels: Labels.of({ a: 'b' }), chunks: [[0, 1, 0, 8]] };
    const c: Entry = { labels: Labels.of({ a: 'c' }), chunks: [[0, 1, 0, 16]] };
    await assert.rejects(attempt([c, b], ['a', 'b', 'c']), { code: 'storage/bad-series' });
    await assert.rejects(attempt([b, b], ['a', 'b', 'c']), { code: 'storage/bad-series' });
    await assert.rejects(attempt([b], ['a', 'a', 'b']), { code: 'storage/bad-symbols' });
    await assert.rejects(attempt([b], ['a', 'c']), { code: 'storage/bad-symbols' });
    await assert.rejects(
      attempt(
        [
          {
            ...b,
            chunks: [
              [0, 5, 0, 8],
              [5, 6, 0, 16],
            ],
          },
        ],
        ['a', 'b'],
      ),
      { code: 'storage/bad-series' },
    );
  });
});
