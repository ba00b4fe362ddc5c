import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { compareUtf8, Labels, Matcher } from '../../../lib/model/index.ts';
import { BlockQuerier } from '../../../lib/tsdb/block/querier.ts';
import { blockSource } from '../../../lib/tsdb/block/source.ts';
import { openBlock, read } from '../../unit/tsdb/block/harness.ts';

const DIR = fileURLToPath(new URL('index_format_v1', import.meta.url));

/** What Prometheus's own test (tsdb/block_test.go, `TestReadIndexFormatV1`) says is in it. */
const SERIES: (readonly [labels: Record<string, string>, timeMs: number, value: string])[] = [
  ...Array.from({ length: 100 }, (_, i) => [{ bar: String(i) }, 0, '0'] as const),
  [{ foo: 'bar' }, 1, '2'],
  [{ foo: 'baz' }, 3, '4'],
];

describe('conformance: a block with an index of version 1', () => {
  const sorted = SERIES.toSorted(([a], [b]) => Labels.of(a).compare(Labels.of(b)));
  const textOf = (labels: Record<string, string>): string => ` ${Object.entries(labels).flat().join('=')}`;

  it('is read whole, in order', async () => {
    const block = openBlock(DIR);
    assert.equal(block.index.version, 1);
    const querier = new BlockQuerier(block, 0, 1000);
    const wanted = sorted.map(([labels, timeMs, value]) => [textOf(labels), [[timeMs, value]]]);
    assert.deepEqual(Object.entries(await read(querier)), wanted);
    querier.close();
    block.close();
  });

  it('answers matchers, label names and values, although its table has no order', async () => {
    const block = openBlock(DIR);
    const querier = new BlockQuerier(block, 0, 1000);
    assert.deepEqual(await read(querier, [new Matcher('=', 'foo', 'bar')]), { ' foo=bar': [[1, '2']] });
    assert.deepEqual(await read(querier, [new Matcher('!~', 'foo', '^.?$')]), {
      ' foo=bar': [[1, '2']],
      ' foo=baz': [[3, '4']],
    });
    assert.deepEqual(Object.keys(await read(querier, [new Matcher('=~', 'bar', '9.+')])), sorted.slice(-12, -2).map(([labels]) => textOf(labels)));
    assert.deepEqual((await querier.labelNames({}, [])).values, ['bar', 'foo']);
    const numbers = Array.from({ length: 100 }, (_, i) => String(i)).sort(compareUtf8);
    assert.deepEqual((await querier.labelValues('bar', {}, [])).values, numbers);
    assert.deepEqual((await querier.labelValues('bar', {}, [new Matcher('=~', 'bar', '9.+')])).values, numbers.slice(-10));
    querier.close();
    block.close();
  });

  it('is given to compaction like any other', () => {
    const block = openBlock(DIR);
    const source = blockSource(block);
    const symbols = [...source.symbols()];
    assert.deepEqual(symbols, symbols.toSorted(compareUtf8));
    const series = Array.from(source.series(), ({ labels, chunks }) => [labels.toJSON(), [...chunks].length]);
    assert.deepEqual(series.map(([labels]) => ({ ...(labels as object) })), sorted.map(([labels]) => labels));
    assert.ok(series.every(([, chunks]) => chunks === 1));
    block.close();
  });
});
