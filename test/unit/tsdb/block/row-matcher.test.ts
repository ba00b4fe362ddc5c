import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RE2JS } from 're2js';
import { seededRandom } from '../../../../lib/env/index.ts';
import { Labels, Matcher } from '../../../../lib/model/index.ts';
import type { IndexReader } from '../../../../lib/tsdb/block/index-reader.ts';
import { selectPostings } from '../../../../lib/tsdb/select.ts';
import { kernels, symbolsOf } from './harness.ts';
import { type Entry, openIndex, writeIndex } from './index-harness.ts';

const LITERALS = ['a', 'b', 'ab', 'aba', 'abcdefgh', '\\.', '-', 'é', '😀', '\n', '\u007f', ''];
const OPERATORS = ['.*', '.*', '.+', '|', ''];
/** Of which only some literals are known. */
const GENERAL = ['.*', '[ab]', '.', '[^1]+', '?', '(b|-.?)', '{2}', ''];

describe('tsdb: values of a block matched where they lie', function () {
  this.timeout(600_000);
  let dir: string;
  let index: IndexReader;
  const random = seededRandom(21);
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  const values = new Map<number, string>();
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-rows-'));
    const texts = new Set(['\u007f', '\u0080', 'a'.repeat(70), 'é', 'w'.repeat(20_000), `${'a'.repeat(40_000)}b`]);
    while (texts.size < 3000) {
      // Some go over to the next page, some are not ASCII.
      const count = random() < 0.05 ? 200 : 9;
      const text = Array.from({ length: Math.ceil(random() * count) }, () =>
        pick(['a', 'b', 'ab', '.', '-', '1', '\n']),
      );
      if (random() < 0.1) text.push(pick(['é', '😀', '\ufffd']));
      texts.add(text.sort(() => random() - 0.5).join(''));
    }
    const entries = [...texts, '']
      .map((value): Entry => ({ labels: Labels.of({ __name__: 'm', value }), chunks: [[0, 1, 0, 8]] }))
      .sort((a, b) => a.labels.compare(b.labels));
    index = openIndex(await writeIndex(join(dir, 'index'), entries, symbolsOf(entries.map(({ labels }) => labels))));
    index.allPostings().forEach((ref, i) => values.set(ref, entries[i]!.labels.get('value')));
  });
  after(() => {
    index.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('are those that RE2 matches, of patterns of literals with gaps and of others', () => {
    let found = 0;
    let usedBytes = 0;
    for (let i = 0; i < 400; i++) {
      // The pages of the index were read by then.
      if (i === 200) ({ usedBytes } = kernels.arena);
      const between = i % 3 === 0 ? GENERAL : OPERATORS;
      const pieces = Array.from({ length: Math.ceil(random() * 6) }, () => (pick(LITERALS) || 'b') + pick(between));
      const pattern = random() < 0.2 ? `(${pieces.join('')})` : pieces.join('');
      const matcher = new Matcher(pick(['=~', '!~']), 'value', pattern);
      const regex = RE2JS.compile(pattern, RE2JS.DOTALL);
      const wanted = [...values].filter(([, value]) => regex.matches(value) === (matcher.type === '=~'));
      const refs = selectPostings(index, [matcher]);
      assert.deepEqual(
        [...refs],
        wanted.map(([ref]) => ref),
        String(matcher),
      );
      found += refs.length;
    }
    assert.ok(found > 50_000, String(found));
    assert.equal(kernels.arena.usedBytes, usedBytes);
  });

  it('are given as bytes, in order and up to a limit, wherever they lie', () => {
    const all = [...values.values()].filter((value) => value !== '');
    for (const limit of [1, 511, 512, 513, 1500, all.length - 1, all.length, Infinity]) {
      assert.deepEqual(index.packedValues('value', limit)!.strings(), all.slice(0, limit));
    }
  });

  it('stop the selection when it is aborted or not to be done', () => {
    const controller = new AbortController();
    let work = 0;
    const watch = {
      signal: controller.signal,
      spend: (units: number) => {
        work += units;
        if (work > 100_000) controller.abort();
      },
    };
    assert.throws(() => selectPostings(index, [new Matcher('=~', 'value', '.*a.*b.*')], watch), { name: 'AbortError' });
  });
});
