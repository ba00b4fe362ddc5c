import assert from 'node:assert/strict';
import { MAX_METADATA_LENGTH, MAX_METRICS_WITH_METADATA } from '../../../agent/scrape/limits.ts';
import { PageMetadata } from '../../../agent/scrape/page-metadata.ts';

describe('metadata of a page', () => {
  it('is put together of types and help texts; the last word counts', () => {
    const metadata = new PageMetadata();
    metadata.setHelp('a', 'Old.');
    metadata.setType('a', 'counter');
    metadata.setHelp('a', 'New.');
    metadata.setType('b', 'untyped');
    assert.deepEqual(metadata.list(), [
      { name: 'a', type: 'counter', unit: '', help: 'New.' },
      { name: 'b', type: 'unknown', unit: '', help: '' },
    ]);
  });

  it('does not grow without end, whatever pages say', () => {
    const metadata = new PageMetadata();
    metadata.setHelp('known', 'x'.repeat(100_000));
    for (let i = 0; i < 2 * MAX_METRICS_WITH_METADATA; i++) metadata.setType(`m${i}`, 'gauge');
    metadata.setType('known', 'summary');
    const list = metadata.list();
    assert.equal(list.length, MAX_METRICS_WITH_METADATA);
    assert.deepEqual([list[0]!.type, list[0]!.help.length], ['summary', MAX_METADATA_LENGTH]);
  });
});
