import { deepEqual, equal } from 'node:assert/strict';
import { mergeSymbols } from '../../../../lib/tsdb/compact/merge.ts';
import { merged, source } from './merge-harness.ts';

describe('merging sources', () => {
  it('hands on the chunks of one source', () => {
    const chunks = ['0 10', '11 20'];
    deepEqual(merged([source({ 'a=b': chunks })]), { 'a=b': chunks });
  });

  it('joins the series of adjacent sources, in the order of labels', () => {
    const older = source({ 'a=b': ['0 10', '11 20'], 'a=c': ['1 9', '10 19'], 'b=a': ['3'] });
    const newer = source({ 'a=a': ['22'], 'a=b': ['21 30'], 'a=c': ['40 45'] });
    const out = merged([older, newer]);
    deepEqual(Object.entries(out), [
      ['a=a', ['22']],
      ['a=b', ['0 10', '11 20', '21 30']],
      ['a=c', ['1 9', '10 19', '40 45']],
      ['b=a', ['3']],
    ]);
  });

  it('orders by the UTF-8 bytes of labels', () => {
    const out = merged([source({ 'a=\u{10000}': ['1'], 'a=z': ['1'] }), source({ 'a=\uffff': ['1'], 'a=b': ['1'] })]);
    deepEqual(Object.keys(out), ['a=b', 'a=z', 'a=\uffff', 'a=\u{10000}']);
  });

  it('takes times before 1970', () => {
    const out = merged([source({ 'a=b': ['-11 -9', '10 19'] }), source({ 'a=b': ['20 30'] })]);
    deepEqual(out, { 'a=b': ['-11 -9', '10 19', '20 30'] });
  });

  it('sorts the chunks of sources that lie between each other', () => {
    const out = merged([source({ 'a=b': ['0 10', '40 50'] }), source({ 'a=b': ['20 30', '60 70'] })]);
    deepEqual(out, { 'a=b': ['0 10', '20 30', '40 50', '60 70'] });
  });

  it('keeps one of chunks that are the same', () => {
    const chunks = ['0=1 10=2', '20=3 30=4'];
    deepEqual(merged([source({ 'a=b': chunks }), source({ 'a=b': chunks }), source({ 'a=b': chunks })]), {
      'a=b': chunks,
    });
  });

  it('merges the samples of chunks that overlap, and of no others', () => {
    const one = source({ 'a=b': ['0=1 10=1 20=1', '100=1 110=1', '200=1'] });
    const two = source({ 'a=b': ['5=2 15=2', '150=2', '205=2'] });
    deepEqual(merged([one, two]), { 'a=b': ['0=1 5=2 10=1 15=2 20=1', '100=1 110=1', '150=2', '200=1', '205=2'] });
  });

  it('merges a chain of overlaps into one', () => {
    const one = source({ 'a=b': ['0=1 20=1', '30=1 50=1'] });
    const two = source({ 'a=b': ['10=2 40=2', '60=2'] });
    deepEqual(merged([one, two]), { 'a=b': ['0=1 10=2 20=1 30=1 40=2 50=1', '60=2'] });
  });

  it('merges chunks that touch in one millisecond', () => {
    deepEqual(merged([source({ 'a=b': ['0 10=1'] }), source({ 'a=b': ['10=1 20'] })]), { 'a=b': ['0 10=1 20'] });
  });

  it('keeps one sample of those with one time', () => {
    const out = merged([source({ 'a=b': ['0=1 10=1 20=1'] }), source({ 'a=b': ['0=2 10=2 30=2'] })]);
    equal(out['a=b']!.length, 1);
    deepEqual(
      out['a=b']![0]!.split(' ').map((sample) => sample.split('=')[0]),
      ['0', '10', '20', '30'],
    );
  });

  it('cuts merged chunks at 120 samples, and goes on behind them', () => {
    const every = (from: number, to: number, step: number): string =>
      Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => from + i * step).join(' ');
    const one = source({ 'a=b': [every(0, 240, 2), '1000'] });
    const two = source({ 'a=b': [every(1, 240, 2), '900'] });
    deepEqual(merged([one, two]), { 'a=b': [every(0, 120, 1), every(120, 240, 1), '900', '1000'] });
  });

  it('merges the overlaps of an out-of-order head, when it is alone too', () => {
    const head = source({ 'a=b': ['0=1 20=1', '10=2 15=2 30=2', '40=3'], 'a=c': ['5'] }, true);
    deepEqual(merged([head]), { 'a=b': ['0=1 10=2 15=2 20=1 30=2', '40=3'], 'a=c': ['5'] });
    deepEqual(merged([head], 10, 31), { 'a=b': ['10=2 15=2 20=1 30=2'] });
  });

  describe('what is left out', () => {
    const deleted = (...times: [number, number][]) => times.map(([minTimeMs, maxTimeMs]) => ({ minTimeMs, maxTimeMs }));

    it('is what lies outside of the range', () => {
      const blocks = [source({ 'a=b': ['0 10', '20 30', '40 50'], 'a=c': ['0 5'], 'a=d': ['55'] })];
      deepEqual(merged(blocks, 10, 45), { 'a=b': ['10', '20 30', '40'] });
      deepEqual(merged(blocks, 20, 31), { 'a=b': ['20 30'] });
      deepEqual(merged(blocks, 20, 30), { 'a=b': ['20'] });
    });

    it('is what is deleted, chunk by chunk', () => {
      const chunks = ['0 10 20', '30 40 50', '60 70'];
      deepEqual(merged([source({ 'a=b': { chunks, deleted: deleted([5, 12], [45, 65]) } })]), {
        'a=b': ['0 20', '30 40', '70'],
      });
    });

    it('is a chunk of which nothing is left', () => {
      const chunks = ['0 10', '20 30', '40'];
      deepEqual(merged([source({ 'a=b': { chunks, deleted: deleted([0, 2], [9, 10], [15, 35]) } })]), {
        'a=b': ['40'],
      });
    });

    it('does not cut a long chunk in two', () => {
      const times = Array.from({ length: 200 }, (_, i) => String(i));
      const blocks = [source({ 'a=b': { chunks: [times.join(' ')], deleted: deleted([50, 50]) } })];
      deepEqual(merged(blocks), { 'a=b': [times.filter((time) => time !== '50').join(' ')] });
    });

    it('is a series of which nothing is left', () => {
      const blocks = [source({ 'a=b': { chunks: ['0 10'], deleted: deleted([0, 10]) }, 'a=c': ['1'] })];
      deepEqual(merged(blocks), { 'a=c': ['1'] });
    });

    it('is deleted in the source that says so, and not in the others', () => {
      const one = source({ 'a=b': { chunks: ['0=1 10=1 20=1'], deleted: deleted([5, 25]) } });
      const two = source({ 'a=b': ['10=2 30=2'] });
      deepEqual(merged([one, two]), { 'a=b': ['0=1', '10=2 30=2'] });
    });

    it('is deleted before overlaps are looked for', () => {
      const one = source({ 'a=b': { chunks: ['0=1 10=1 20=1'], deleted: deleted([0, 10]) } });
      const two = source({ 'a=b': ['5=2 30=2'] });
      deepEqual(merged([one, two]), { 'a=b': ['5=2 20=1 30=2'] });
    });
  });

  it('has the symbols of all sources, sorted by UTF-8 bytes, each once', () => {
    const sources = [
      source({ 'b=\uffff': ['1'], 'a=x': ['1'] }),
      source({ 'a=\u{10000}': ['1'] }),
      source({ 'a=x': ['1'] }),
    ];
    deepEqual([...mergeSymbols(sources)], ['a', 'b', 'x', '\uffff', '\u{10000}']);
  });
});
